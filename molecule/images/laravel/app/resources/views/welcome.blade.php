<!doctype html>
<title>Vertex</title>
<h1>{{ $greeting }}</h1>
<p>Version {{ $version }}</p>
