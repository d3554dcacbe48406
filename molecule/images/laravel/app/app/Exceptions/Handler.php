<?php

namespace App\Exceptions;

use Illuminate\Foundation\Exceptions\Handler as ExceptionHandler;
use Throwable;

class Handler extends ExceptionHandler
{
    protected function shouldReturnJson($request, Throwable $e): bool
    {
        return true;
    }

    protected function convertExceptionToArray(Throwable $e): array
    {
        return ['status' => 'error', 'request_id' => request()->attributes->get('request_id')]
            + parent::convertExceptionToArray($e);
    }
}
