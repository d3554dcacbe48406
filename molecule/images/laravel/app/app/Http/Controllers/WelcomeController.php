<?php

namespace App\Http\Controllers;

use App\Version;
use Illuminate\Contracts\View\View;
use Vertex\Greeter\Greeter;

class WelcomeController
{
    public function show(Greeter $greeter): View
    {
        return view('welcome', ['greeting' => $greeter->greet('Vertex'), 'version' => Version::NUMBER]);
    }
}
