# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asking a Laravel application about itself: one PHP process, one JSON answer, nothing written.

The script goes to PHP on standard input with the request inside it, so neither a file nor an argument
holds anything. It boots the console kernel, which works alike from Laravel 8 to 12 and needs no parsing
of artisan's texts. The framework's manifests are pointed at a scratch folder: where they are missing,
booting would write them into the application.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.host.command import CommandFailed, Commands, CommandTimedOut
from ansible_collections.ops.runbook.plugins.module_utils.text import foreign_json
from ansible_collections.ops.runbook.plugins.module_utils.text.excerpt import excerpt

# An application may print while PHP ends (a destructor, a deprecation), after the answer; so the answer has an end too.
_MARK, _END = "@@ops-runbook-answer@@", "@@ops-runbook-end@@"

COMMON = r"""<?php
$request = json_decode(base64_decode('__REQUEST__'), true);
$answer = ['php' => PHP_VERSION];
ob_start();
function finish(array $answer): void {
    while (ob_get_level() > 0) { ob_end_clean(); }
    fwrite(STDOUT, "\n__MARK__".json_encode($answer, JSON_INVALID_UTF8_SUBSTITUTE | JSON_PARTIAL_OUTPUT_ON_ERROR)."__END__\n");
    exit(0);
}
function attempt(callable $ask) {
    try { return $ask(); } catch (\Throwable $error) { return ['error' => get_class($error).': '.$error->getMessage()]; }
}
"""

BOOT = r"""
try {
    require getcwd().'/vendor/autoload.php';
    $app = require getcwd().'/bootstrap/app.php';
    $app->make(\Illuminate\Contracts\Console\Kernel::class)->bootstrap();
} catch (\Throwable $error) {
    finish($answer + ['boot_error' => get_class($error).': '.$error->getMessage()]);
}
$answer['laravel'] = $app->version();
$answer['environment'] = (string) $app->environment();
$answer['debug'] = (bool) $app['config']->get('app.debug');
$answer['down'] = $app->isDownForMaintenance();
$down_data = fn () => method_exists($app, 'maintenanceMode') ? $app->maintenanceMode()->data()
    : json_decode(file_get_contents($app->storagePath().'/framework/down'), true);
if ($answer['down']) {
    $record = attempt($down_data);
    $answer['down_unreadable'] = ! is_array($record) || isset($record['error']);
}
$answer['maintenance_driver'] = (string) $app['config']->get('app.maintenance.driver', 'file');
"""

_FRAMEWORK = (
    COMMON
    + BOOT
    + r"""
if (! empty($request['migrations'])) {
    $answer['database'] = attempt(function () use ($app, $request) {
        $migrator = $app->make('migrator');
        $connection = $app['db']->connection();
        $grammar = $connection->getSchemaGrammar();
        if ($grammar === null) { $connection->useDefaultSchemaGrammar(); $grammar = $connection->getSchemaGrammar(); }
        $applied = $migrator->repositoryExists() ? $migrator->getRepository()->getMigrationBatches() : [];
        // The same folders as `artisan migrate` takes.
        $folders = array_merge($migrator->paths(), [$app->databasePath().'/migrations']);
        $files = $migrator->getMigrationFiles($folders);
        $base = (realpath($app->basePath()) ?: $app->basePath()).'/';
        $inside = fn ($path) => strpos($real = realpath($path) ?: $path, $base) === 0 ? substr($real, strlen($base)) : $real;
        return [
            'driver' => $connection->getDriverName(),
            'transactional' => (bool) $grammar->supportsSchemaTransactions(),
            'applied' => array_map('strval', array_keys($applied)),
            'files' => (object) array_map($inside, $files),
            'folders' => array_values(array_unique(array_map($inside, $folders))),
        ];
    });
}
foreach ($request['count'] ?? [] as $index => $loss) {
    // Bounded, so that a large table can't hold up the person who waits for the plan.
    $answer['counts'][$index] = attempt(function () use ($app, $loss) {
        $query = $app['db']->connection()->table($loss['table'])->selectRaw('1')->limit(10001);
        if ($loss['column'] !== '') { $query->whereNotNull($loss['column']); }
        return $query->get()->count();
    });
}
if (! empty($request['queue'])) {
    $answer['queue'] = attempt(fn () => ['connection' => $app['config']->get('queue.default'), 'size' => $app['queue']->connection()->size()]);
    $answer['failed_jobs'] = attempt(function () use ($app) {
        $failer = $app['queue.failer'];
        return method_exists($failer, 'count') ? $failer->count() : count($failer->all());
    });
}
if (! empty($request['bypass']) && $answer['down']) {
    $answer['bypass'] = attempt(function () use ($down_data) {
        $data = $down_data();
        if (empty($data['secret'])) { return null; }
        return \Illuminate\Foundation\Http\MaintenanceModeBypassCookie::create($data['secret'])->getValue();
    });
}
if (isset($request['maintenance'])) {
    $answer['maintenance'] = attempt(function () use ($answer, $request) {
        $options = $request['maintenance'];
        // `artisan down` leaves what a full disk has cut off as it is: it is down already.
        if (! empty($answer['down_unreadable'])) { \Illuminate\Support\Facades\Artisan::call('up'); }
        $code = $options['state'] === 'up' ? \Illuminate\Support\Facades\Artisan::call('up')
            : \Illuminate\Support\Facades\Artisan::call('down', array_filter([
                '--secret' => $options['secret'] ?? null, '--retry' => $options['retry'] ?? null,
                '--refresh' => $options['refresh'] ?? null,
            ], fn ($value) => $value !== null && $value !== ''));
        return ['code' => $code, 'output' => trim(\Illuminate\Support\Facades\Artisan::output())];
    });
}
finish($answer);
"""
)

# The release to be left is often one that can't boot. The cached configuration is a plain array, and
# .env is plain text: both tell where the database is without any of the application's code.
_BARE = (
    COMMON
    + r"""
$answer['database'] = attempt(function () {
    $cached = getcwd().'/bootstrap/cache/config.php';
    $table = 'migrations';
    if (is_file($cached)) {
        $config = (require $cached)['database'];
        $settings = $config['connections'][$config['default']];
        $table = is_array($config['migrations'] ?? null) ? $config['migrations']['table'] : ($config['migrations'] ?? $table);
    } else {
        $env = [];
        foreach (is_file('.env') ? file('.env') : [] as $line) {
            if (preg_match('/^\s*(?:export\s+)?(DB_\w+)\s*=\s*(.*?)\s*$/', $line, $match)) { $env[$match[1]] = trim($match[2], "\"'"); }
        }
        $settings = ['driver' => $env['DB_CONNECTION'] ?? 'mysql', 'host' => $env['DB_HOST'] ?? '127.0.0.1', 'port' => $env['DB_PORT'] ?? null,
            'database' => $env['DB_DATABASE'] ?? '', 'username' => $env['DB_USERNAME'] ?? null, 'password' => $env['DB_PASSWORD'] ?? null];
    }
    $driver = $settings['driver'] === 'mariadb' ? 'mysql' : $settings['driver'];
    if ($driver === 'sqlite' && ! is_file($settings['database'])) { throw new \RuntimeException('no database file '.$settings['database']); }
    $dsn = $driver === 'sqlite' ? 'sqlite:'.$settings['database']
        : $driver.':host='.$settings['host'].';dbname='.$settings['database'].(empty($settings['port']) ? '' : ';port='.$settings['port']);
    $pdo = new \PDO($dsn, $settings['username'] ?? null, $settings['password'] ?? null, [\PDO::ATTR_ERRMODE => \PDO::ERRMODE_EXCEPTION, \PDO::ATTR_TIMEOUT => 5]);
    $table = ($settings['prefix'] ?? '').$table;
    $rows = $pdo->query("select migration from $table order by batch, migration")->fetchAll(\PDO::FETCH_COLUMN);
    return ['driver' => $driver, 'transactional' => in_array($driver, ['pgsql', 'sqlsrv'], true), 'applied' => $rows];
});
$answer['down'] = is_file(getcwd().'/storage/framework/down');
finish($answer);
"""
)


# Booting the framework takes 0.1 s and each of these commands a tenth of that, so they share one boot. Where caches
# are built, the old ones go first: with them the framework would boot with the settings of the release before.
_CALL = (
    COMMON
    + r"""
foreach ($request['fresh'] ? ['config', 'events', 'packages', 'routes', 'routes-v7', 'services'] : [] as $cache) {
    @unlink(getcwd()."/bootstrap/cache/$cache.php");
}
try {
    require getcwd().'/vendor/autoload.php';
    $app = require getcwd().'/bootstrap/app.php';
    $app->make(\Illuminate\Contracts\Console\Kernel::class)->bootstrap();
} catch (\Throwable $error) {
    finish($answer + ['boot_error' => get_class($error).': '.$error->getMessage()]);
}
$answer['elsewhere'] = $request['fresh'] && $app->configurationIsCached();
if (isset($request['views'])) { $app['config']->set('view.compiled', $request['views']); }
// Where the record of a maintenance is kept in a cache store, clearing that store would open the site in the midst of it.
$maintenance = attempt(fn () => method_exists($app, 'maintenanceMode') && $app->isDownForMaintenance()
    && $app['config']->get('app.maintenance.driver', 'file') !== 'file' ? $app->maintenanceMode() : null);
$record = is_object($maintenance) ? attempt(fn () => $maintenance->data()) : null;
$cache = $app['config']->get('cache.default');
$keep = is_object($maintenance) && ($app['config']->get('app.maintenance.store') ?: $cache) === $cache;
function without_cache_clear(string $command): array {
    if ($command === 'cache:clear') { return []; }
    if ($command !== 'optimize:clear') { return [$command]; }
    // Packages of Laravel 11 and later add their own.
    $provider = \Illuminate\Support\ServiceProvider::class;
    $more = property_exists($provider, 'optimizeClearCommands') ? array_values($provider::$optimizeClearCommands) : [];
    return array_diff(['event:clear', 'view:clear', 'route:clear', 'config:clear', 'clear-compiled', ...$more], ['cache:clear']);
}
$commands = $request['commands'];
if ($keep) {
    $commands = array_merge(...array_map('without_cache_clear', $commands), ...[[]]);
    if (array_intersect($request['commands'], ['cache:clear', 'optimize:clear'])) {
        $answer['notes'][] = 'cache:clear is left out: the maintenance is recorded in that cache store';
    }
}
foreach ($answer['elsewhere'] ? [] : $commands as $command) {
    $result = attempt(fn () => \Illuminate\Support\Facades\Artisan::call($command, ['--no-interaction' => true]));
    $said = is_array($result) ? $result['error'] : trim(\Illuminate\Support\Facades\Artisan::output());
    if ($result !== 0 && in_array($command, $request['optional'], true)) {
        $answer['notes'][] = "artisan $command: $said";
    } elseif ($result !== 0) {
        finish($answer + ['failed' => $command, 'error' => $said]);
    }
    if ($command === 'config:cache' && isset($request['views'])) {
        // Not every config/view.php reads VIEW_COMPILED_PATH, so the cached configuration itself is told.
        $config = require $app->getCachedConfigPath();
        $config['view']['compiled'] = $request['views'];
        file_put_contents($app->getCachedConfigPath(), '<?php return '.var_export($config, true).';'.PHP_EOL);
    }
}
if (is_object($maintenance) && is_array($record) && ! isset($record['error'])) {
    // Two stores of different names may be one.
    attempt(fn () => $app->isDownForMaintenance() ? null : $maintenance->activate($record));
}
finish($answer);
"""
)


class ProbeFailed(Exception):
    """The application could not be asked; the text says why."""


class NoAnswerInTime(ProbeFailed):
    """PHP was stopped before it had answered, so that nothing is known."""


def ask(commands: Commands, php: Sequence[str], request: Mapping[str, Any]) -> dict[str, Any]:
    """Ask the application in the commands' folder.

    request: migrations (bool), count (list of {table, column}), queue (bool), bypass (bool),
    maintenance ({state, secret, retry, refresh}).
    Returns the answer. Where the application does not boot, `boot_error` says why, and `database` comes from
    the configuration without the framework. Where it did not answer in time, `unanswered` says so instead: a slow
    application is not a broken one. Raises ProbeFailed when PHP itself does not run.
    """
    failed: dict[str, Any] = {}
    try:
        answer = run(commands, php, _FRAMEWORK, request)
    except NoAnswerInTime as error:
        failed = {"unanswered": str(error)}
    except ProbeFailed as error:
        # A fatal error ends PHP before anything can be caught.
        failed = {"boot_error": str(error)}
    else:
        if "boot_error" not in answer:
            return answer
        failed = {"boot_error": commands.redact(str(answer["boot_error"]))}
        if not request.get("migrations"):
            return {**answer, **failed}
    if not request.get("migrations"):
        return failed
    return {**run(commands, php, _BARE, request), **failed}


@contextmanager
def _manifests(commands: Commands) -> Iterator[dict[str, str]]:
    """Point the framework at copies of its manifests: it would write them where they are missing."""
    scratch = tempfile.mkdtemp(prefix="ops-runbook-")
    try:
        environment = {}
        for name, file in (("APP_SERVICES_CACHE", "services.php"), ("APP_PACKAGES_CACHE", "packages.php")):
            environment[name] = os.path.join(scratch, file)
            source = os.path.join(commands.cwd, "bootstrap", "cache", file)
            if os.path.exists(source):
                shutil.copyfile(source, environment[name])
        yield environment
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def run(
    commands: Commands, php: Sequence[str], script: str, request: Mapping[str, Any], timeout: float | None = 60
) -> dict[str, Any]:
    """Run a script that only looks; its answer. Raises ProbeFailed, and NoAnswerInTime."""
    with _manifests(commands) as environment:
        return _run(commands, php, script, request, environment, timeout)


def rebuild(
    commands: Commands, php: Sequence[str], names: Sequence[str], views: str = "", optional: Sequence[str] = ()
) -> list[str] | None:
    """Run artisan commands that build what the framework caches, in one process. Returns notes.

    views: where this release keeps its compiled views; empty for the framework's own place.
    optional: commands whose failure is only reported.
    Returns None, with nothing run, where the application keeps its caches elsewhere (APP_CONFIG_CACHE): then a
    process that has booted can't get rid of the old ones. Raises ProbeFailed with the command that failed.
    """
    request = {
        "commands": list(names),
        "optional": list(optional),
        "fresh": True,
        **({"views": views} if views else {}),
    }
    answer = _call(commands, php, request)
    return None if answer["elsewhere"] else [commands.redact(str(note)) for note in answer.get("notes") or []]


def call(commands: Commands, php: Sequence[str], names: Sequence[str], optional: Sequence[str] = ()) -> list[str]:
    """Run artisan commands in one process, with the caches as they are. Raises ProbeFailed with the one that failed.

    optional: commands whose failure is only reported. Returns what they said.
    """
    request = {"commands": list(names), "optional": list(optional), "fresh": False}
    return [commands.redact(str(note)) for note in _call(commands, php, request).get("notes") or []]


def _call(commands: Commands, php: Sequence[str], request: Mapping[str, Any]) -> dict[str, Any]:
    answer = _run(commands, php, _CALL, request, {}, commands.timeout)
    if answer.get("boot_error"):
        raise ProbeFailed(commands.redact(f"the application does not boot: {answer['boot_error']}"))
    if answer.get("failed"):
        raise ProbeFailed(commands.redact(f"artisan {answer['failed']}: {answer['error']}"))
    return answer


def _run(
    commands: Commands,
    php: Sequence[str],
    script: str,
    request: Mapping[str, Any],
    environment: Mapping[str, str],
    timeout: float | None = 60,
) -> dict[str, Any]:
    encoded = base64.b64encode(json.dumps(request).encode()).decode()
    text = script.replace("__REQUEST__", encoded).replace("__MARK__", _MARK).replace("__END__", _END)
    argv = [*php, "-d", "display_errors=stderr", "-d", "memory_limit=512M"]
    try:
        output = commands.run(argv, env=environment, stdin=text, check=False, timeout=timeout)
    except CommandTimedOut as error:
        raise NoAnswerInTime(f"PHP gave no answer within {timeout or commands.timeout or 0:g} s") from error
    except CommandFailed as error:
        raise ProbeFailed(str(error)) from error
    answer = parse(output.stdout)
    if answer is None:
        said = excerpt(output.stderr, output.stdout, nothing="nothing", redact=commands.redact)
        raise ProbeFailed(commands.redact(f"PHP ended with {output.code} and said: {said}"))
    return answer


def parse(printed: str) -> dict[str, Any] | None:
    """The answer in PHP's output; None without a whole one. Never raises."""
    document, found, _ = printed.rpartition(_MARK)[2].partition(_END)
    try:
        answer = foreign_json.loads(document) if found else None
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None
