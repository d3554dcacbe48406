#!/usr/bin/perl
# The sample application: says which release it is, and how it feels.
use strict;
use warnings;
use IO::Socket::INET;

$| = 1;
sub slurp { my ($path) = @_; open(my $file, '<', $path) or return ''; local $/; my $text = <$file>; $text =~ s{\s+\z}{}; return $text }
my $version = slurp('/app/VERSION');
my $behaviour = slurp('/app/BEHAVIOUR');
if ($behaviour eq 'crash' || $ENV{CRASH_ON_BOOT}) { print STDERR "fatal: crash requested\n"; exit 3 }
my $port = $ENV{PORT} || 5000;
my $greeting = defined $ENV{GREETING} ? $ENV{GREETING} : '-';
my $revision = $ENV{GIT_REV} || '';
my $listener = IO::Socket::INET->new(LocalPort => $port, Listen => 16, ReuseAddr => 1) or die "no port: $!";
$SIG{TERM} = sub { exit 0 };
print "boot version=$version port=$port\n";
while (my $client = $listener->accept) {
    my $line = <$client>;
    my (undef, $path) = split ' ', ($line || '');
    $path ||= '/';
    my $request = '';
    while (my $head = <$client>) { $request = $1 if $head =~ /^X-Request-Id:\s*(\S+)/i; last if $head =~ /^\r?$/ }
    my ($status, $type, $body) = ('200 OK', 'text/plain', "version=$version path=$path greeting=$greeting\n");
    if ($path =~ m{^/(api/)?health}) {
        my $well = $behaviour ne 'unhealthy';
        ($status, $type) = ($well ? '200 OK' : '503 Service Unavailable', 'application/json');
        $body = sprintf(qq({"status":"%s","version":"%s","release":"%s"}\n), $well ? 'ok' : 'down', $version, $revision);
    }
    my $length = length $body;
    print $client "HTTP/1.0 $status\r\nContent-Type: $type\r\nContent-Length: $length\r\nX-Request-Id: $request\r\n\r\n$body";
    close $client;
    print "GET $path " . substr($status, 0, 3) . "\n";
}
