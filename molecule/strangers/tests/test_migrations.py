"""Migrations where other people have them: sub folders, modules, packages, pruned ones, slow ones, and no boot.

The releases are made at run time, in the host's own repository.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator

import pytest
from lab import APP, OWN, Lab

TENANT, MODULE, SHOP = (
    "2024_01_02_000000_create_tenants",
    "2024_01_03_000000_create_parts",
    "2024_02_01_000000_create_shop",
)
PARTS2, BILL, SLOW = (
    "2024_03_01_000000_add_size_to_parts",
    "2024_04_01_000000_create_bills",
    "2024_05_01_000000_hash_rows",
)
ELSEWHERE, WRITES = "2024_06_01_000000_clean_second", "2024_06_01_000001_write_proof"
SECOND = "/tmp/second.sqlite"
GONE = "2019_01_01_000000_pruned"

PROVIDER = """<?php
namespace App\\Providers;
use Illuminate\\Database\\Schema\\Builder;
use Illuminate\\Support\\ServiceProvider;
class AppServiceProvider extends ServiceProvider {
    public function boot(): void {
        Builder::useNativeSchemaOperationsIfPossible();
        $this->loadMigrationsFrom([database_path('migrations/shop'), base_path('modules/parts/migrations')]);
    }
}
"""

PACKAGE = """<?php
namespace Vertex\\Greeter;
class BillProvider extends \\Illuminate\\Support\\ServiceProvider {
    public function boot(): void { $this->loadMigrationsFrom(__DIR__.'/../migrations'); }
}
"""


def table(name: str) -> str:
    up = f"Schema::create('{name}', function (Blueprint $table) {{ $table->id(); $table->timestamps(); }});"
    return migration(up, f"Schema::drop('{name}');")


def migration(up: str, down: str) -> str:
    return f"""<?php
use Illuminate\\Database\\Migrations\\Migration;
use Illuminate\\Database\\Schema\\Blueprint;
use Illuminate\\Support\\Facades\\DB;
use Illuminate\\Support\\Facades\\Schema;
return new class extends Migration {{
    public function up(): void {{ {up} }}
    public function down(): void {{ {down} }}
}};
"""


WORK = "/tmp/strange-releases"


def put(lab: Lab, path: str, text: str) -> None:
    lab.deploy(f"mkdir -p $(dirname {path})")
    command = ["docker", "exec", "-i", "-u", "deploy", lab.name, "tee", path]
    subprocess.run(command, input=text.encode(), check=True, stdout=subprocess.DEVNULL)


def release(lab: Lab, tag: str, parent: str, files: dict[str, str], number: int) -> None:
    """A commit on top of another one, with a tag, in the repository that the host fetches from."""
    lab.deploy(f"cd {WORK} && git checkout -q --detach {parent}")
    for path, text in files.items():
        put(lab, f"{WORK}/{path}", text)
    version = f"<?php namespace App; final class Version {{ public const NUMBER = '9.{number}.0'; }}"
    source = lab.deploy(f"cd {WORK} && cat app/Version.php")
    put(lab, f"{WORK}/app/Version.php", source if "NUMBER" not in source else version)
    put(lab, f"{WORK}/RELEASE", tag)
    lab.deploy(
        f"cd {WORK} && git add -A && git -c user.name=x -c user.email=x@example.com commit -qm {tag} && git tag {tag} "
        f"&& git push -q origin {tag}"
    )


def locked(lab: Lab, parent: str, version: str, provider: bool) -> dict[str, str]:
    """composer.lock and the package of the sample service in another version; provider: it brings a migration."""
    lab.deploy(f"cd {WORK} && git checkout -q --detach {parent}")
    lock = json.loads(lab.deploy(f"cat {WORK}/composer.lock"))
    package = json.loads(lab.deploy(f"cat {WORK}/packages/greeter/composer.json"))
    for each in (lock["packages"][0], package):
        each["version"] = version
        if provider:
            each["extra"] = {"laravel": {"providers": ["Vertex\\Greeter\\BillProvider"]}}
    lock["packages"][0]["dist"]["reference"] = version.replace(".", "").rjust(40, "0")
    files = {
        "composer.lock": json.dumps(lock, indent=4),
        "packages/greeter/composer.json": json.dumps(package, indent=4),
    }
    if provider:
        files |= {
            "packages/greeter/src/BillProvider.php": PACKAGE,
            f"packages/greeter/migrations/{BILL}.php": table("bills"),
        }
    return files


@pytest.fixture(scope="module")
def made() -> Iterator[Lab]:
    """The host with all releases in its repository: modules, then more of them, a package, another version of it."""
    lab = Lab(OWN)
    lab.reset()
    lab.root(f"rm -rf /srv/lab/state-* {WORK}")
    lab.deploy(f"git clone -q /srv/git/vertex-laravel-api.git {WORK}")
    release(
        lab,
        "r1",
        "v1.0.0",
        {
            "app/Providers/AppServiceProvider.php": PROVIDER,
            f"database/migrations/tenant/{TENANT}.php": table("tenants"),
            f"modules/parts/migrations/{MODULE}.php": table("parts"),
            "database/migrations/shop/.gitkeep": "",
        },
        1,
    )
    added = migration(
        "Schema::table('parts', function (Blueprint $table) { $table->integer('size')->default(0); });",
        "Schema::table('parts', function (Blueprint $table) { $table->dropColumn('size'); });",
    )
    more = {f"database/migrations/shop/{SHOP}.php": table("shop"), f"modules/parts/migrations/{PARTS2}.php": added}
    release(lab, "r2", "r1", more, 2)
    release(lab, "r3", "r2", locked(lab, "r2", "1.3.0", provider=True), 3)
    release(lab, "r4", "r3", locked(lab, "r3", "1.4.0", provider=True), 4)
    slow = migration("sleep(3600);", "")
    elsewhere = migration(
        f"config(['database.connections.second' => ['driver' => 'sqlite', 'database' => '{SECOND}', 'prefix' => '']]);"
        "DB::connection('second')->table('orders')->delete();",
        "",
    )
    writes = migration("\\Illuminate\\Support\\Facades\\Storage::put('proof.txt', 'x');", "")
    more = {f"database/migrations/{ELSEWHERE}.php": elsewhere, f"database/migrations/{WRITES}.php": writes}
    release(lab, "r5", "r2", {f"database/migrations/{SLOW}.php": slow}, 5)
    release(lab, "r6", "r2", more, 6)
    # What the tests begin with is the repository with all of them.
    lab.root("rm -rf /srv/lab/initial/git && cp -a /srv/git /srv/lab/initial/git")
    yield lab
    lab.root(
        "cd /srv/lab/initial/git/vertex-laravel-api.git && "
        "git -c safe.directory='*' tag -d r1 r2 r3 r4 r5 r6;"
        f" chown -R deploy:deploy /srv/lab/initial/git; rm -rf {WORK} /srv/lab/state-*"
    )
    lab.reset()


def pending(lab: Lab) -> str:
    return lab.deploy(f"cd {lab.app} && php artisan migrate:status --pending --no-ansi | grep Pending; true")


@pytest.mark.parametrize("strategy", ["in_place", "releases"])
def test_migrations_of_sub_folders_and_modules_are_those_that_the_migrator_finds(made: Lab, strategy: str) -> None:
    """A folder that the migrator does not look into is not run and refuses nothing; those that it does are all run."""
    lab = Lab(made.name, strategy)
    lab.at("v1.0.0", "r1")
    # The plan of r1 ran what is in the module, which only its own provider names, and not the folder of the tenants.
    assert MODULE in lab.migrations()
    assert TENANT not in lab.migrations()
    deploy = lab.play("laravel_deploy", to="r2")
    assert deploy.green, deploy.text
    assert TENANT not in deploy.text
    assert {SHOP, PARTS2} <= set(lab.migrations())
    assert not pending(lab)
    refused = lab.play("laravel_rollback")
    assert "migrations_ahead" in refused.text and "the database has 2 migrations that r1" in refused.text, refused.text
    assert "migrations_behind" not in refused.text
    down = lab.play("laravel_rollback", migrations="down")
    assert down.green, down.text
    assert not {SHOP, PARTS2} & set(lab.migrations())
    assert "size" not in lab.columns("parts")
    assert "shop" not in lab.sql("select name from sqlite_master").split()
    # And forward again, over a database that another release has been ahead with.
    again = lab.play("laravel_deploy", to="r2")
    assert again.green, again.text
    kept = lab.play("laravel_rollback", migrations="keep")
    assert kept.green, kept.text
    forward = lab.play("laravel_deploy", to="r2")
    assert forward.green, forward.text


def test_a_package_that_a_release_brings_has_its_migrations_run(made: Lab) -> None:
    made.at("v1.0.0", "r1", "r2")
    plan = made.play("laravel_deploy", "--check", to="r3")
    assert "none known to be pending" in plan.text or f"{BILL}" in plan.text, plan.text
    deploy = made.play("laravel_deploy", to="r3")
    assert deploy.green, deploy.text
    assert BILL in made.migrations()
    assert not pending(made)
    # An application with such a package may have another composer.lock without a refusal.
    other = made.play("laravel_deploy", to="r4")
    assert other.green, other.text
    # The package is in both, so that nothing is ahead.
    back = made.play("laravel_rollback")
    assert back.green, back.text
    # r2 has no such package: what the database has of it is undone by the path that the migrator names.
    down = made.play("laravel_rollback", to="r2", migrations="down")
    assert down.green, down.text
    assert BILL not in made.migrations()


def test_rows_that_no_release_knows_are_named_and_refuse_nothing(made: Lab) -> None:
    made.at("v1.0.0", "r1", "r2")
    made.sql(f"insert into migrations (migration, batch) values ('{GONE}', 1)")
    deploy = made.play("laravel_deploy", to="v1.0.0", migrations="keep")
    assert deploy.green, deploy.text
    deploy = made.play("laravel_deploy", to="r2")
    assert deploy.green, deploy.text
    assert GONE in deploy.text
    down = made.play("laravel_rollback", to="r1", migrations="down")
    assert down.green, down.text
    assert GONE in made.migrations()
    assert SHOP not in made.migrations()


def test_a_release_that_does_not_boot_is_left_over_a_migration_of_a_package_that_both_have(made: Lab) -> None:
    made.at("v1.0.0", "r1", "r2", "r3")
    made.deploy(
        f"cd {APP} && echo '<?php syntax error' > bootstrap/app.php"
        " && git -c user.name=x -c user.email=x@example.com commit -qam broken"
    )
    run = made.play("laravel_rollback", to="r3")
    assert "migrations_ahead" not in run.text
    assert run.green, run.text
    assert BILL in made.migrations()


def test_a_slow_migration_is_named_and_is_no_boot_error(made: Lab) -> None:
    made.at("v1.0.0", "r1", "r2")
    run = made.play("laravel_deploy", "--check", to="r5")
    assert run.green, run.text
    assert f"migration {SLOW} was not tried" in run.text
    assert re.search(r"could not be tried within \d+ s", run.text), run.text
    assert "does not boot" not in run.text


def test_a_check_carries_out_nothing_of_the_migrations_of_the_release_that_is_asked_for(made: Lab) -> None:
    made.at("v1.0.0", "r1", "r2")
    made.deploy(f"rm -f {SECOND}; sqlite3 {SECOND} 'create table orders (id integer); insert into orders values (1)'")
    run = made.play("laravel_deploy", "--check", to="r6")
    assert run.green, run.text
    assert made.deploy(f"sqlite3 {SECOND} 'select count(*) from orders'") == "1"
    assert made.root(f"find {APP}/storage -name proof.txt") == ""
    assert "/* connection second */ delete from" in run.text
    assert f"migration {WRITES} was not tried" in run.text
    assert "Facades\\\\Storage in line" in run.text or "Facades\\Storage in line" in run.text
    assert f"up() of {ELSEWHERE}: without their queries" in run.text


def test_a_package_migration_left_pending_is_not_green_and_the_same_line_runs_it(made: Lab) -> None:
    made.at("v1.0.0", "r1", "r2", "r3")
    made.sql(f"delete from migrations where migration = '{BILL}'; drop table bills")
    run = made.play("laravel_deploy", to="r3")
    assert run.green, run.text
    assert BILL in made.migrations()
    assert not pending(made)
