<?php

namespace App\Console;

use App\Jobs\Receipt;
use Illuminate\Console\Command;

class SendReceipt extends Command
{
    protected $signature = 'receipt:send {order=1} {--fail : Queue a receipt that cannot be sent}';

    protected $description = 'Queue the receipt of an order';

    public function handle(): int
    {
        Receipt::dispatch((int) $this->argument('order'), (bool) $this->option('fail'));

        return self::SUCCESS;
    }
}
