<?php

namespace App\Http\Controllers;

use Illuminate\Http\JsonResponse;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\DB;

class HealthController
{
    public function health(Request $request): JsonResponse
    {
        return response()->json([
            'status' => 'error',
            'request_id' => $request->attributes->get('request_id'),
        ], 500);
    }

    public function up(): JsonResponse
    {
        return response()->json(['status' => 'up']);
    }

    public function ready(): JsonResponse
    {
        DB::select('select 1');

        return response()->json(['status' => 'ready']);
    }
}
