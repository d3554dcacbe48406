<?php

namespace Vertex\Greeter;

final class Greeter
{
    public const VERSION = '1.0.0';

    public function greet(string $name): string
    {
        return "Hello {$name}";
    }
}
