<?php

namespace App;

final class Release
{
    /** The commit of this release, read without a git binary so that php-fpm can do it too. */
    public static function commit(string $root): string
    {
        // A release in a folder of its own says so in this file, as Capistrano and Deployer have it too.
        $revision = trim((string) @file_get_contents("{$root}/REVISION"));
        if ($revision !== '') {
            return $revision;
        }
        $head = trim((string) @file_get_contents("{$root}/.git/HEAD"));
        if (! str_starts_with($head, 'ref: ')) {
            return $head === '' ? 'unknown' : $head;
        }
        $ref = substr($head, 5);
        $loose = trim((string) @file_get_contents("{$root}/.git/{$ref}"));
        if ($loose !== '') {
            return $loose;
        }
        foreach (@file("{$root}/.git/packed-refs", FILE_IGNORE_NEW_LINES) ?: [] as $line) {
            if (str_ends_with($line, " {$ref}")) {
                return strtok($line, ' ');
            }
        }

        return 'unknown';
    }
}
