<?php

namespace App\Console;

use Illuminate\Console\Scheduling\Schedule;
use Illuminate\Foundation\Console\Kernel as ConsoleKernel;

class Kernel extends ConsoleKernel
{
    protected $commands = [SendReceipt::class];

    protected function schedule(Schedule $schedule): void
    {
        $schedule->command('queue:prune-failed')->dailyAt('04:00');
    }
}
