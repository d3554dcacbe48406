<?php

return [
    'default' => 'single',
    'channels' => [
        // deploy (artisan) and www-data (php-fpm, the worker) both append to the file.
        'single' => ['driver' => 'single', 'path' => storage_path('logs/laravel.log'), 'permission' => 0664],
    ],
];
