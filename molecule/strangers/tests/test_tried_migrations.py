"""Migrations that a plan tries; trying one changes nothing, by the real PHP and framework of a host."""

from __future__ import annotations

import json
import subprocess
import textwrap
from collections.abc import Iterator
from typing import Any

import module_driver
import pytest
from lab import APP, Lab

PLACE = "/tmp/migrations-to-try"

HEAD = """
    <?php
    use Illuminate\\Database\\Migrations\\Migration;
    use Illuminate\\Database\\Schema\\Blueprint;
    use Illuminate\\Support\\Facades\\{DB, Schema};
"""


def migration(body: str, down: str = "Schema::drop('x');", more: str = "", head: str = "") -> str:
    undo = f"public function down(): void {{ {down} }}" if down != "-" else ""
    return (
        textwrap.dedent(HEAD).lstrip()
        + head
        + f"\nreturn new class extends Migration {{ {more} public function up(): void {{ {body} }} {undo} }};\n"
    )


#: name: file, method, kind, and a word of its SQL or of why it was not tried.
FILES: dict[str, tuple[str, str, str, str]] = {
    "a table": (
        migration("Schema::create('x', function (Blueprint $table) { $table->id(); });"),
        "up",
        "ok",
        "create table",
    ),
    "its way down": (migration("Schema::drop('y');"), "down", "ok", "drop table"),
    "a model": (
        migration("\\App\\Models\\Order::query()->where('id', 1)->update(['note' => 1]);"),
        "up",
        "ok",
        "update",
    ),
    "rows": (migration("DB::table('orders')->delete();"), "up", "ok", "delete from"),
    "another connection": (
        migration("DB::connection('second')->table('orders')->delete();"),
        "up",
        "ok",
        "/* connection second */ delete from",
    ),
    "a connection that it makes itself": (
        migration(
            "config(['database.connections.made' => config('database.connections.sqlite')]);"
            "DB::purge('made'); DB::connection('made')->statement('drop table orders');"
        ),
        "up",
        "ok",
        "/* connection made */ drop table orders",
    ),
    "a schema on another connection": (
        migration("Schema::connection('second')->drop('orders');"),
        "up",
        "ok",
        "/* connection second */ drop table",
    ),
    "a connection of its own": (
        migration("Schema::drop('orders');", more="protected $connection = 'second';"),
        "up",
        "ok",
        "drop table",
    ),
    "a connection of the application's own making": (
        migration("DB::connection('strange')->table('orders')->delete();"),
        "up",
        "untried",
        "is not one of Laravel's own",
    ),
    "nothing": (migration("", down=" /* nothing */ ; "), "down", "empty", ""),
    "no way down": (migration("Schema::drop('x');", down="-"), "down", "missing", ""),
    "a down() that asks and does nothing": (
        migration("", down="if (false) { DB::table('x')->delete(); }"),
        "down",
        "empty",
        "",
    ),
    "an error": (migration("throw new \\RuntimeException('no rates');"), "up", "error", "RuntimeException: no rates"),
    "the end of PHP": (migration("$x = str_repeat('x', 900 * 1024 * 1024);"), "up", "untried", "PHP ended"),
    "too slow": (migration("sleep(75);"), "up", "untried", "could not be tried within 3 s"),
    "storage": (
        migration("Storage::disk('local')->put('x', 'y');", head="use Illuminate\\Support\\Facades\\Storage;"),
        "up",
        "untried",
        "Facades\\Storage in line 6",
    ),
    "a facade under another name": (
        migration("Web::get('http://127.0.0.1');", head="use Illuminate\\Support\\Facades\\Http as Web;"),
        "up",
        "untried",
        "Facades\\Http",
    ),
    "a facade by its full name": (migration("\\Artisan::call('db:seed');"), "up", "untried", "Artisan"),
    "redis": (migration("\\Illuminate\\Support\\Facades\\Redis::flushall();"), "up", "untried", "Redis"),
    "the container": (migration("app('files')->delete('x');"), "up", "untried", "app()"),
    "a file": (migration("unlink('/tmp/migrations-to-try/bait');"), "up", "untried", "unlink() in line"),
    "a program": (migration("shell_exec('touch /tmp/migrations-to-try/made');"), "up", "untried", "shell_exec()"),
    "a backtick": (migration("`touch /tmp/migrations-to-try/made`;"), "up", "untried", "a shell command"),
    "a function by its name": (
        migration("array_map('unlink', glob('/tmp/migrations-to-try/*'));"),
        "up",
        "untried",
        "the function 'unlink'",
    ),
    "a name in a variable": (migration("$f = 'unlink'; $f('/tmp/migrations-to-try/bait');"), "up", "untried", "$f"),
    "other code": (migration("require '/tmp/migrations-to-try/other.php';"), "up", "untried", "require in line"),
    "a service of the application": (
        migration("\\App\\Services\\Rates::load();"),
        "up",
        "untried",
        "App\\Services\\Rates",
    ),
    "the connection below the connection": (
        migration("DB::connection()->getPdo()->exec('drop table orders');"),
        "up",
        "untried",
        "getPdo()",
    ),
    "a database of PHP": (migration("(new \\PDO('sqlite::memory:'))->exec('select 1');"), "up", "untried", "PDO"),
    "code outside of the class": (
        "<?php unlink('/tmp/migrations-to-try/bait');" + migration("DB::table('x')->delete();")[5:],
        "up",
        "untried",
        "unlink()",
    ),
    "a trait": (migration("$this->go();", more="use \\App\\Goes;"), "up", "untried", "the trait \\App\\Goes"),
    "words in a text and in a comment": (
        migration("/* exec('x') */ DB::table('orders')->insert(['note' => 'Storage::put', 'link' => 'unlink']);"),
        "up",
        "ok",
        "insert into",
    ),
    "no PHP": ("no PHP at all", "up", "error", ""),
    "half a file": (HEAD.strip() + "return new class extends Migration {", "up", "missing", ""),
}

ASK = """
import json, sys
sys.path.insert(0, "/opt/ops-runbook")
from ansible_collections.ops.runbook.plugins.module_utils.host.command import Commands
from ansible_collections.ops.runbook.plugins.module_utils.laravel.migrations import trial
commands = Commands("{app}")
# A busy machine may need more to boot PHP than a plan would wait.
trial.SECONDS = 300
print(json.dumps({{name: trial.attempt(commands, ["php"], file, method, seconds)
                  for name, file, method, seconds in json.load(sys.stdin)}}))
"""

SECOND = """
<?php return (function () {
    $config = require __DIR__.'/database.first.php';
    $file = '/tmp/migrations-to-try/second.sqlite';
    $config['connections']['second'] = ['driver' => 'sqlite', 'database' => $file, 'prefix' => ''];
    $config['connections']['strange'] = ['driver' => 'strange'];
    return $config;
})();
"""

MODEL = """<?php
namespace App\\Models;
class Order extends \\Illuminate\\Database\\Eloquent\\Model {}
"""

PROVIDER = """
        \\Illuminate\\Support\\Facades\\DB::extend('strange', fn ($config, $name) =>
            new \\Illuminate\\Database\\SQLiteConnection(
                new \\PDO('sqlite:/tmp/migrations-to-try/strange.sqlite'), '', '', $config));
"""


@pytest.fixture(scope="module")
def tried(lab: Lab) -> Iterator[dict[str, dict[str, Any]]]:
    """The result of trying each file, with everything that could be changed as it was before."""
    lab.reset()
    module_driver.install(lab)
    lab.deploy(
        f"rm -rf {PLACE} && mkdir {PLACE} && cd {PLACE} && echo bait > bait && echo '<?php touch(1);' > other.php"
    )
    for name in ("second", "strange"):
        lab.deploy(f"sqlite3 {PLACE}/{name}.sqlite 'create table orders (id integer); insert into orders values (1)'")
    write(lab, f"{APP}/config/database.new.php", SECOND.strip())
    lab.deploy(f"cd {APP}/config && mv database.php database.first.php && mv database.new.php database.php")
    provider = f"{APP}/app/Providers/AppServiceProvider.php"
    source = lab.deploy(f"cat {provider}")
    write(lab, provider, source.replace("Builder::useNative", PROVIDER + "        Builder::useNative"))
    lab.deploy(f"mkdir -p {APP}/app/Models")
    write(lab, f"{APP}/app/Models/Order.php", MODEL)
    # Without the cached configuration, which has no such connection.
    lab.deploy(f"rm -f {APP}/bootstrap/cache/config.php")
    asked = []
    for number, (name, (text, method, _, _)) in enumerate(FILES.items()):
        path = f"{PLACE}/2026_05_01_{number:06}_case.php"
        write(lab, path, text)
        asked.append((name, path, method, 3 if name == "too slow" else 300))
    write(lab, f"{PLACE}/asked.json", json.dumps(asked))
    write(lab, f"{PLACE}/ask.py", ASK.format(app=APP))
    before = state(lab)
    answer = json.loads(lab.deploy(f"cd {APP} && python3 {PLACE}/ask.py < {PLACE}/asked.json"))
    after = state(lab)
    yield {**answer, "state": {"before": before, "after": after}}
    lab.root(f"rm -rf {PLACE}")
    lab.reset()


def write(lab: Lab, path: str, text: str) -> None:
    subprocess.run(
        ["docker", "exec", "-i", "-u", "deploy", lab.name, "tee", path],
        input=text.encode(),
        check=True,
        stdout=subprocess.DEVNULL,
    )


def state(lab: Lab) -> str:
    """Every row of both databases, and every file that a migration could have touched."""
    dumps = "; ".join(f"sqlite3 {PLACE}/{name}.sqlite .dump" for name in ("second", "strange"))
    return lab.deploy(
        f"{dumps}; sqlite3 /var/lib/vertex/database.sqlite .dump; ls {PLACE}; cat {PLACE}/bait; "
        f"find {APP}/storage/app {APP}/bootstrap -type f | sort | xargs sha256sum"
    )


@pytest.mark.parametrize("name", FILES)
def test_a_migration_is_tried_or_named_as_not_tried(tried: dict[str, dict[str, Any]], name: str) -> None:
    _, _, kind, word = FILES[name]
    found = tried[name]
    assert found["kind"] == kind, found
    assert word in (" ".join(found["sql"]) or found["error"]), found


def test_trying_changes_no_row_and_no_file(tried: dict[str, dict[str, Any]]) -> None:
    assert tried["state"]["before"] == tried["state"]["after"]
    assert "INSERT INTO orders VALUES(1);" in tried["state"]["after"]
