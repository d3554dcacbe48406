<?php

namespace App\Providers;

use Illuminate\Database\Schema\Builder;
use Illuminate\Support\ServiceProvider;

class AppServiceProvider extends ServiceProvider
{
    public function boot(): void
    {
        // doctrine/dbal, which Laravel 10 asks for to drop a column on SQLite otherwise, is not installed.
        Builder::useNativeSchemaOperationsIfPossible();
    }
}
