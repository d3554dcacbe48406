<?php

// Debian installs Laravel outside vendor/, with an autoloader of its own.
require_once '/usr/share/php/Illuminate/autoload.php';
