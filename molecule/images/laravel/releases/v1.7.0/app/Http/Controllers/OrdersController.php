<?php

namespace App\Http\Controllers;

use Illuminate\Http\JsonResponse;
use Illuminate\Support\Facades\DB;

class OrdersController
{
    public function index(): JsonResponse
    {
        $amounts = DB::table('orders')->pluck('amount');

        return response()->json(['count' => $amounts->count(), 'total' => $amounts->concat($amounts)->sum()]);
    }
}
