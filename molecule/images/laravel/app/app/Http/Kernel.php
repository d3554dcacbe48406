<?php

namespace App\Http;

use App\Http\Middleware\RequestId;
use Illuminate\Foundation\Http\Kernel as HttpKernel;
use Illuminate\Foundation\Http\Middleware\PreventRequestsDuringMaintenance;

class Kernel extends HttpKernel
{
    protected $middleware = [
        RequestId::class,
        PreventRequestsDuringMaintenance::class,
    ];
}
