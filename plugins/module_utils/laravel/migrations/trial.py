# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tries one migration without its queries, in a PHP process of its own, to see what it would send to the database.

A file is read as tokens first. Only one that uses nothing but Laravel's own database classes and models is loaded and
run. Every connection only pretends then, those too that it makes itself; queue, mail, cache and log lead nowhere; and
PHP can neither start another program nor open an address.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.ops.runbook.plugins.module_utils.host import load
from ansible_collections.ops.runbook.plugins.module_utils.host.command import Commands
from ansible_collections.ops.runbook.plugins.module_utils.laravel import probe

#: Seconds for one migration. One that loops over rows or asks an address takes longer; a plan does not wait for it.
SECONDS = 20.0

_NO_PROGRAMS = "exec,shell_exec,system,passthru,popen,proc_open,pcntl_exec,pcntl_fork,mail,fsockopen,pfsockopen"

_READ = r"""
$code = [];
foreach (token_get_all((string) file_get_contents($request['file'])) as $token) {
    $line = is_array($token) ? $token[2] : ($line ?? 1);
    if (is_array($token) && in_array($token[0], [T_WHITESPACE, T_COMMENT, T_DOC_COMMENT, T_OPEN_TAG, T_INLINE_HTML], true)) { continue; }
    $id = is_array($token) ? $token[0] : 0;
    $text = is_array($token) ? $token[1] : $token;
    $named = in_array($id, [T_STRING, T_NS_SEPARATOR], true) || ($id && strpos(token_name($id), 'T_NAME_') === 0);
    // PHP 7 has a token for each part of a name.
    if ($named && $code && end($code)[0] === T_STRING && (substr(end($code)[1], -1) === '\\' || $text[0] === '\\')) {
        $code[count($code) - 1][1] .= $text;
        continue;
    }
    $code[] = [$named ? T_STRING : $id, $text, $line];
}
$at = fn (int $i): string => isset($code[$i]) ? strtolower($code[$i][1]) : '';
$is = fn (int $i, int ...$ids): bool => isset($code[$i]) && in_array($code[$i][0], $ids, true);

// The body of the method that is asked for; null where the file has no such method.
function body_of(array $code, string $method): ?array {
    foreach ($code as $i => $token) {
        if ($token[0] !== T_FUNCTION || strtolower($code[$i + 1][1] ?? '') !== $method) { continue; }
        for ($depth = 0, $body = [], $j = $i; isset($code[$j]); $j++) {
            if ($code[$j][1] === '}' && --$depth === 0) { return $body; }
            if ($depth > 0) { $body[] = $code[$j][1]; }
            if (in_array($code[$j][1], ['{', '${'], true)) { $depth++; }
        }
    }
    return null;
}

// What the names of classes in this file mean.
$imports = [];
foreach (['db' => 'DB', 'schema' => 'Schema', 'config' => 'Config', 'hash' => 'Hash', 'log' => 'Log', 'crypt' => 'Crypt'] as $alias => $facade) {
    $imports[$alias] = 'Illuminate\Support\Facades\\'.$facade;
}
$imports += ['str' => 'Illuminate\Support\Str', 'arr' => 'Illuminate\Support\Arr'];
$namespace = '';
for ($i = 0, $depth = 0; isset($code[$i]); $i++) {
    $depth += ['{' => 1, '}' => -1][$code[$i][1]] ?? 0;
    if ($is($i, T_NAMESPACE)) { $namespace = $code[$i + 1][1] ?? ''; }
    if (! $is($i, T_USE) || $depth !== 0 || $at($i + 1) === '(') { continue; }
    $prefix = '';
    for ($i++; isset($code[$i]) && $code[$i][1] !== ';'; $i++) {
        if ($at($i + 1) === '{') { $prefix = trim($code[$i][1], '\\').'\\'; $i++; continue; }
        if (! $is($i, T_STRING)) { continue; }
        $name = $prefix.trim($code[$i][1], '\\');
        $parts = explode('\\', $name);
        $alias = $is($i + 1, T_AS) ? $code[$i += 2][1] : end($parts);
        $imports[strtolower($alias)] = $name;
    }
}
$meant = function (string $name) use ($imports, $namespace): string {
    if ($name[0] === '\\') { return substr($name, 1); }
    $parts = explode('\\', $name, 2);
    if (isset($imports[strtolower($parts[0])])) { return $imports[strtolower($parts[0])].(isset($parts[1]) ? '\\'.$parts[1] : ''); }
    return $namespace === '' ? $name : $namespace.'\\'.$name;
};
$tame_class = fn (string $name): bool => (bool) preg_match('/^(self|static|parent|stdClass|Closure|DateTime\w*|DateInterval|\w*Exception|Error|Throwable|ArrayObject|Carbon\\\\.+|Ramsey\\\\Uuid\\\\.+|App\\\\Enums\\\\.+|(.+\\\\)?Models\\\\.+|Illuminate\\\\Database\\\\.+|Illuminate\\\\Support\\\\(Str|Stringable|Arr|Carbon|Collection|Fluent|Facades\\\\(DB|Schema|Config|Hash|Crypt|Log)))$/i', $name);
$tame_helper = ['config', 'env', 'now', 'today', 'collect', 'str', 'value', 'tap', 'optional', 'blank', 'filled', 'data_get', 'data_set', 'head', 'last', 'class_basename', 'with', 'throw_if', 'throw_unless', 'database_path', 'base_path', 'app_path', 'storage_path'];
$tame_parts = ['core', 'standard', 'date', 'json', 'mbstring', 'ctype', 'pcre', 'hash', 'spl', 'random', 'iconv', 'intl', 'bcmath', 'gmp'];
$wild = '/^(f(open|write|puts|putcsv|truncate|lock)|file_put_contents|unlink|rmdir|mkdir|rename|copy|touch|tempnam|tmpfile|(sym)?link|l?ch(mod|own|grp)|move_uploaded_file|exec|shell_exec|system|passthru|popen|proc_\w+|p?fsockopen|mail|stream_\w+|error_log|putenv|ini_\w+|register_\w+|spl_autoload\w*|call_user_\w+|forward_static_\w+|func_overload|header\w*|set(raw)?cookie|syslog|openlog|dl|dns_\w+|gethostby\w+|http_\w+|opcache_\w+|apcu_\w+|chdir|chroot|ignore_user_abort|ob_\w+|create_function|assert|extract|parse_str)$/';
$wild_method = ['getpdo', 'getreadpdo', 'getrawpdo', 'getrawreadpdo', 'setpdo', 'setreadpdo', 'withoutpretending', 'pretend', 'extend', 'resolverfor', 'setconnectionresolver', 'dispatch', 'dispatchnow', 'dispatchsync', 'dispatchaftercommit', 'notify', 'sendnow', 'broadcast', 'seteventdispatcher', 'macro', 'mixin'];
$takes_a_name = ['array_map', 'array_walk', 'array_filter', 'array_reduce', 'usort', 'uasort', 'uksort', 'preg_replace_callback', 'iterator_apply', 'map', 'each', 'pipe'];
$more = '';
foreach ($code as $i => [$id, $text, $line]) {
    $low = strtolower($text);
    $before = [T_OBJECT_OPERATOR, T_DOUBLE_COLON, ...(defined('T_NULLSAFE_OBJECT_OPERATOR') ? [T_NULLSAFE_OBJECT_OPERATOR] : [])];
    if (in_array($id, [T_EVAL, T_INCLUDE, T_INCLUDE_ONCE, T_REQUIRE, T_REQUIRE_ONCE, T_EXIT, T_HALT_COMPILER], true) || $text === '`') {
        $more = $text === '`' ? 'a shell command' : "$low";
    } elseif (in_array($id, [T_VARIABLE, T_CONSTANT_ENCAPSED_STRING], true) && ($at($i + 1) === '(' || ($id === T_VARIABLE && $at($i + 1) === '::' && $at($i + 2) !== 'class'))) {
        $more = "whatever $text names";
    } elseif (in_array($text, [')', ']', '}'], true) && $at($i + 1) === '(' && ! ($text === ')' && $is($i + 1, T_FN))) {
        $more = 'what an expression names';
    } elseif ($id === T_CONSTANT_ENCAPSED_STRING && $at($i - 1) === '(' && in_array($at($i - 2), $takes_a_name, true)) {
        $more = "the function $text";
    } elseif ($id === T_STRING && $is($i - 1, ...$before)) {
        if ($at($i + 1) === '(' && in_array($low, $wild_method, true)) { $more = "$text()"; }
    } elseif ($id === T_STRING && $is($i - 1, T_FUNCTION, T_CONST, T_AS, T_NAMESPACE)) {
        continue;
    } elseif ($id === T_STRING && ($is($i + 1, T_DOUBLE_COLON) || $is($i - 1, T_NEW, T_EXTENDS))) {
        $name = $meant($text);
        if (! $tame_class($name) && $at($i + 2) !== 'class') { $more = $name; }
    } elseif ($id === T_STRING && $at($i + 1) === '(') {
        $name = ltrim($low, '\\');
        $internal = function_exists($name) ? strtolower((string) (new ReflectionFunction($name))->getExtensionName()) : '';
        $tame = $internal === '' ? in_array($name, $tame_helper, true) : in_array($internal, $tame_parts, true) && ! preg_match($wild, $name);
        if (! $tame) { $more = "$text()"; }
    }
    if ($more !== '') { $more = "it uses $more in line $line"; break; }
}
for ($i = 0, $depth = 0; isset($code[$i]) && $more === ''; $i++) {
    $depth += ['{' => 1, '}' => -1][$code[$i][1]] ?? 0;
    // What a trait does is in another file.
    if ($depth > 0 && $is($i, T_USE) && $at($i + 1) !== '(') { $more = "it uses the trait {$code[$i + 1][1]} in line {$code[$i][2]}"; }
}
$body = body_of($code, $request['method']);
$extends = array_filter(array_keys($code), fn (int $i): bool => $is($i, T_EXTENDS));
$plain = $extends !== [] && array_filter($extends, fn (int $i): bool => $meant($code[$i + 1][1] ?? '') !== 'Illuminate\Database\Migrations\Migration') === [];
if ($body === null && $plain && strpos($more, 'the trait') === false) { finish($answer + ['kind' => 'missing']); }
if ($body !== null && trim(implode('', $body), '; ') === '') { finish($answer + ['kind' => 'empty']); }
if ($more !== '') { finish($answer + ['kind' => 'untried', 'error' => $more]); }
"""

_RUN = r"""
class CanNotPretend extends \Exception {}
// Whatever the code dispatches, sends, caches or logs leads nowhere.
$app['config']->set([
    'queue.connections.ops_none' => ['driver' => 'null'], 'queue.default' => 'ops_none',
    'mail.mailers.ops_none' => ['transport' => 'array'], 'mail.default' => 'ops_none', 'mail.driver' => 'array',
    'cache.stores.ops_none' => ['driver' => 'array'], 'cache.default' => 'ops_none', 'session.driver' => 'array',
    'logging.channels.ops_none' => ['driver' => 'monolog', 'handler' => \Monolog\Handler\NullHandler::class], 'logging.default' => 'ops_none',
    'broadcasting.connections.ops_none' => ['driver' => 'null'], 'broadcasting.default' => 'ops_none',
]);
\Illuminate\Database\Eloquent\Model::unsetEventDispatcher();
$pretending = [];
$pretend = function ($connection) use (&$pretending) {
    if (! $connection instanceof \Illuminate\Database\Connection) { throw new CanNotPretend(get_class($connection).' can not pretend'); }
    (function () { $this->pretending = true; $this->loggingQueries = true; $this->queryLog = []; })->call($connection);
    $pretending[] = $connection;
};
class PretendingFactory extends \Illuminate\Database\Connectors\ConnectionFactory {
    public $real, $each;
    public function make(array $config, $name = null) {
        $made = $this->real->make($config, $name);
        ($this->each)($made);
        return $made;
    }
}
try {
    $database = $app['db'];
    if (! $database instanceof \Illuminate\Database\DatabaseManager) { throw new CanNotPretend(get_class($database).' can not pretend'); }
    $factory = new PretendingFactory($app);
    $factory->each = $pretend;
    (function () use ($factory) {
        $factory->real = $this->factory;
        $this->factory = $factory;
        foreach (array_keys($this->extensions) as $name) {
            // Its connections are made by the application or a package, and may know no pretending.
            $this->extensions[$name] = function () use ($name) { throw new CanNotPretend("connection $name is not one of Laravel's own, and can not pretend"); };
        }
    })->call($database);
    foreach ($database->getConnections() as $connection) { $pretend($connection); }
    $migrator = $app->make('migrator');
    $file = $request['file'];
    $migration = (function () use ($file) {
        if (method_exists($this, 'resolvePath')) { return $this->resolvePath($file); }
        require_once $file;
        return $this->resolve($this->getMigrationName($file));
    })->call($migrator);
    if (! method_exists($migration, $request['method'])) { finish($answer + ['kind' => 'missing']); }
    if ($migration->getConnection() !== null) { $database->setDefaultConnection($migration->getConnection()); }
    $own = $database->connection();
    $answer['ran'] = true;
    $migration->{$request['method']}();
    $sql = [];
    foreach ($pretending as $connection) {
        $mark = $connection === $own ? '' : '/* connection '.$connection->getName().' */ ';
        foreach (array_column($connection->getQueryLog(), 'query') as $query) { $sql[] = $mark.$query; }
    }
    finish($answer + ['kind' => $sql === [] && $request['method'] === 'down' ? 'empty' : 'ok', 'sql' => $sql]);
} catch (CanNotPretend $error) {
    finish($answer + ['kind' => 'untried', 'error' => $error->getMessage()]);
} catch (\Throwable $error) {
    finish($answer + ['kind' => 'error', 'error' => get_class($error).': '.$error->getMessage()]);
}
"""

_SCRIPT = probe.COMMON + _READ + probe.BOOT + _RUN


def attempt(
    commands: Commands, php: Sequence[str], file: str, method: str, seconds: float | None = None
) -> dict[str, Any]:
    """Try the up() or down() of a migration's file.

    Returns kind, sql, error and ran (whether any of its code was run). kind: ok, empty (it does nothing), missing (there is no such method), error (it threw),
    untried (it was not run, or not to its end: error says why). seconds: that are left for all; a busy machine has more
    for each.
    """
    settings = ["-d", f"disable_functions={_NO_PROGRAMS}", "-d", "allow_url_fopen=0", "-d", "allow_url_include=0"]
    limit = SECONDS * load.busy()
    limit = limit if seconds is None else min(seconds, limit)
    try:
        request = {"file": file, "method": method}
        answer = probe.run(commands, [*php, *settings], _SCRIPT, request, limit)
    except probe.NoAnswerInTime:
        return {
            "kind": "untried",
            "sql": [],
            "error": f"{method}() could not be tried within {limit:.0f} s",
            "ran": True,
        }
    except probe.ProbeFailed as error:
        return {"kind": "untried", "sql": [], "error": f"PHP ended while it was tried: {error}", "ran": True}
    if answer.get("boot_error"):
        why = commands.redact(
            f"the application does not boot in a process that can start no program: {answer['boot_error']}"
        )
        return {"kind": "untried", "sql": [], "error": why}
    return {
        "kind": str(answer.get("kind", "untried")),
        "sql": [commands.redact(str(query)) for query in answer.get("sql") or ()],
        "error": commands.redact(str(answer.get("error", ""))),
        "ran": bool(answer.get("ran")),
    }
