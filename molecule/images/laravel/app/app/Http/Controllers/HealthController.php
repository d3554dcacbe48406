<?php

namespace App\Http\Controllers;

use App\Version;
use Composer\InstalledVersions;
use Illuminate\Http\JsonResponse;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\DB;

class HealthController
{
    public function health(Request $request): JsonResponse
    {
        return response()->json([
            'status' => 'ok',
            'release' => config('app.release'),
            'version' => Version::NUMBER,
            'greeter' => InstalledVersions::getPrettyVersion('vertex/greeter'),
            'request_id' => $request->attributes->get('request_id'),
        ]);
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
