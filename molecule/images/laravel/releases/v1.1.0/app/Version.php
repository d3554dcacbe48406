<?php

namespace App;

// A constant in compiled code: while OPcache holds the old file, the old number is what is served.
final class Version
{
    public const NUMBER = '1.1.0';
}
