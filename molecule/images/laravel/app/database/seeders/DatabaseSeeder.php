<?php

namespace Database\Seeders;

use Illuminate\Database\Seeder;
use Illuminate\Support\Facades\DB;
use Illuminate\Support\Facades\Hash;

class DatabaseSeeder extends Seeder
{
    public function run(): void
    {
        DB::table('users')->insert(['email' => 'probe@example.com', 'password' => Hash::make('lab-only')]);
        foreach ([1 => 100, 2 => 250, 3 => 650] as $id => $amount) {
            DB::table('orders')->insert(['id' => $id, 'amount' => $amount, 'legacy_code' => "L-{$id}", 'created_at' => now()]);
        }
    }
}
