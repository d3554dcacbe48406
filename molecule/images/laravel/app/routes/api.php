<?php

use App\Http\Controllers\HealthController;
use App\Http\Controllers\LoginController;
use App\Http\Controllers\OrdersController;
use Illuminate\Support\Facades\Route;

Route::get('/health', [HealthController::class, 'health']);
Route::get('/orders', [OrdersController::class, 'index']);
Route::post('/login', [LoginController::class, 'login']);
