<?php

namespace App\Jobs;

use App\Version;
use Illuminate\Contracts\Queue\ShouldQueue;
use Illuminate\Foundation\Bus\Dispatchable;
use Illuminate\Support\Facades\Log;
use RuntimeException;

class Receipt implements ShouldQueue
{
    use Dispatchable;

    public function __construct(private int $order, private bool $fail)
    {
    }

    public function handle(): void
    {
        if ($this->fail) {
            throw new RuntimeException("Receipt of order {$this->order} could not be sent");
        }
        Log::info("Receipt of order {$this->order} sent", ['version' => Version::NUMBER]);
    }
}
