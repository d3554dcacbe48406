<?php

use App\Http\Controllers\HealthController;
use App\Http\Controllers\WelcomeController;
use Illuminate\Support\Facades\Route;

Route::get('/', [WelcomeController::class, 'show']);
Route::get('/up', [HealthController::class, 'up']);
Route::get('/ready', [HealthController::class, 'ready']);
