"""A way back is never worse than the fault: on stacks as other people have them.

A worker that somebody has stopped, an image that was built on the host, a one-shot that migrates, an entrypoint that
migrates, a container of another compose file, a file that was repaired by hand.
"""

from __future__ import annotations

import json
import re

import pytest
from compose_lab import COMPOSE, PROJECT, REGISTRY, RELEASES, ComposeLab, tag
from lab import Run

BACKEND = f"{REGISTRY}/acme/shop-backend"
UP = f"cd {PROJECT} && docker compose --progress quiet -f {COMPOSE}"
# A gate that only the release before passes.
ONLY_GOOD = {
    "compose_health": [
        {"name": "health", "url": "http://127.0.0.1/api/v1/health", "json": {"version": RELEASES["good"].version}}
    ],
}
MIGRATE = f"""
  migrate:
    image: {BACKEND}:sha-c0ffee1
    <<: *application
    restart: "no"
    command: [alembic, upgrade, heads]
"""
AWAITS = """
    depends_on:
      db: {condition: service_healthy}
      migrate: {condition: service_completed_successfully}
"""
ITSELF = """
    entrypoint: [sh, -c, "alembic upgrade heads && exec \\"$$0\\" \\"$$@\\""]
    command: [python3, -m, uvicorn, "main:app", --host, 0.0.0.0, --port, "8000"]
"""


# Visitors write into the new column at once.
FILLS = """
create function fill() returns event_trigger language plpgsql as $$ begin
  if exists (select 1 from information_schema.columns where table_name = 'orders' and column_name = 'note') then
    update orders set note = 'kept' where id = (select min(id) from orders);
  end if;
end $$;
create event trigger fill on ddl_command_end when tag in ('ALTER TABLE') execute function fill();
"""


def edit(lab: ComposeLab, script: str) -> None:
    """Change the compose file with Python, as its owner."""
    lines = f"path = {COMPOSE!r}\ntext = open(path).read()\n{script}\nopen(path, 'w').write(text)\n"
    lab.deploy(f"python3 - <<'END'\n{lines}END")


def add_to_backend(lab: ComposeLab, lines: str, services: str = "") -> None:
    edit(
        lab,
        f"body = '    <<: *application\\n    healthcheck: &quick'\n"
        f"assert body in text\n"
        f"text = text.replace(body, '    <<: *application' + {lines!r} + '    healthcheck: &quick')\n"
        f"text = text.replace('\\nvolumes:\\n', {services!r} + '\\nvolumes:\\n')",
    )


def migrates_itself(lab: ComposeLab, lines: str) -> None:
    """Its backend runs Alembic before the server: on a busy machine that is long for the first health checks."""
    add_to_backend(lab, lines)
    edit(lab, "assert 'start_period: 15s' in text\ntext = text.replace('start_period: 15s', 'start_period: 90s')")


WELL = """
for try in $(seq 600); do
  docker ps --filter health=healthy --format '{{.Names}}' | grep -c -E '^shop-(backend|worker)-1$' | grep -q 2 && exit
  sleep 1
done
exit 1
"""


def bring_up(lab: ComposeLab) -> None:
    """Bring the file's services up, healthy: on a busy machine the first checks come too early for `up --wait`."""
    lab.deploy(f"{UP} up -d")
    lab.root(WELL)


def adopt(lab: ComposeLab, **inputs: object) -> Run:
    run = lab.play("compose_adopt", **inputs)
    assert run.green, run.text
    return run


def serves(lab: ComposeLab, name: str, schema: str = "0001") -> None:
    assert (lab.version(), lab.schema()) == (RELEASES[name].version, schema)
    assert lab.get("/api/v1/orders") == (200, {"count": 3, "total": 1000})


def state(lab: ComposeLab, service: str) -> str:
    return lab.root(f"docker inspect --format '{{{{.State.Status}}}}' shop-{service}-1", check=False)


@pytest.fixture(autouse=True)
def clean(lab: ComposeLab) -> None:
    lab.at("good")


def test_a_worker_that_was_stopped_does_not_take_the_site_with_it(lab: ComposeLab) -> None:
    lab.root("docker stop shop-worker-1")
    planned = lab.play("compose_deploy", "--check", to=tag("unhealthy"))
    assert re.search(
        r"worker does not run now \(exited, exit code \d+\): this deploy starts it, and going back", planned.text
    )
    run = lab.play("compose_deploy", to=tag("unhealthy"))
    assert lab.outcomes()[-1] == ("deploy", "reverted"), run.text
    serves(lab, "good")
    assert lab.running()["backend"] == lab.digest("backend", "good")
    assert state(lab, "worker") != "running", "who stopped it finds it stopped"


def test_an_image_that_was_built_on_the_host_comes_back(lab: ComposeLab) -> None:
    lab.root(f"docker commit shop-backend-1 {BACKEND}:built")
    edit(lab, f"text = text.replace('{BACKEND}:sha-c0ffee1', '{BACKEND}:built')")
    bring_up(lab)
    built = lab.root("docker inspect --format '{{.Image}}' shop-backend-1")
    before = lab.file()
    run = lab.play("compose_deploy", to=tag("unhealthy"))
    assert lab.outcomes()[-1] == ("deploy", "reverted"), run.text
    assert "as it was before, verified" in run.text
    serves(lab, "good")
    assert lab.root("docker inspect --format '{{.Image}}' shop-backend-1") == built
    assert (lab.file(), state(lab, "worker")) == (before, "running")


def test_a_one_shot_of_the_release_is_adopted_deployed_and_gone_back_from(lab: ComposeLab) -> None:
    add_to_backend(lab, AWAITS, MIGRATE)
    bring_up(lab)
    images = {"backend": BACKEND, "worker": f"{REGISTRY}/acme/shop-worker", "migrate": BACKEND}
    adopt(lab, compose_images=images)
    run = lab.play("compose_deploy", to=tag("additive"), compose_images=images)
    assert run.green, run.text
    serves(lab, "additive", "0002")
    ran = lab.root("docker inspect --format '{{.Config.Image}} {{.State.ExitCode}}' shop-migrate-1")
    assert ran == f"{BACKEND}:{tag('additive')}@{lab.digest('backend', 'additive')} 0"
    broken = lab.play("compose_deploy", to=tag("unhealthy"), migrations="keep", compose_images=images)
    assert not broken.green
    assert lab.outcomes()[-1][1] in ("reverted", "refused"), broken.text
    serves(lab, "additive", "0002")


def test_a_one_shot_that_compose_images_does_not_name_is_named_before_it_breaks_the_deploy(lab: ComposeLab) -> None:
    add_to_backend(lab, AWAITS, MIGRATE)
    bring_up(lab)
    adopt(lab)
    before = lab.containers()
    run = lab.play("compose_deploy", to=tag("additive"))
    assert not run.green
    assert "images_incomplete" in run.text, run.text
    assert re.search(rf"migrate \(docker-compose.prod.yml, line \d+\) uses {BACKEND}:sha-c0ffee1", run.text), run.text
    assert lab.containers() == before
    serves(lab, "good")
    # The way that is named can be typed as it stands.
    named = re.search(r"-e '+(\{\"compose_images\".*?\}\})'", run.text)
    assert named, run.text
    again = lab.play("compose_deploy", to=tag("additive"), **json.loads(named[1]))
    assert again.green, again.text
    serves(lab, "additive", "0002")


def test_a_release_that_migrates_itself_is_gone_back_from(lab: ComposeLab) -> None:
    migrates_itself(lab, ITSELF)
    bring_up(lab)
    adopt(lab)
    run = lab.play("compose_deploy", to=tag("additive"), **ONLY_GOOD)
    assert lab.outcomes()[-1] == ("deploy", "reverted"), run.text
    assert "these images migrate by themselves" in run.text
    serves(lab, "good", "0001")
    # What the images ran by themselves is found by the database's position.
    run = lab.play("compose_deploy", to=tag("additive"), migrations="skip", **ONLY_GOOD)
    assert lab.outcomes()[-1] == ("deploy", "reverted"), run.text
    serves(lab, "good", "0001")


def test_a_release_that_migrates_itself_unforeseen_is_gone_back_from(lab: ComposeLab) -> None:
    """Nothing that is started names the program: that the database has moved is seen in the database alone."""
    migrates_itself(lab, ITSELF.replace("alembic", "$$(printf alem)bic"))
    bring_up(lab)
    adopt(lab)
    run = lab.play("compose_deploy", to=tag("additive"), migrations="skip", **ONLY_GOOD)
    assert "migrate by themselves" not in run.text
    assert lab.outcomes()[-1] == ("deploy", "reverted"), run.text
    assert "going back undid, from the new image: 0002" in run.text, run.text
    serves(lab, "good", "0001")


def test_a_good_release_that_migrated_itself_unforeseen_is_noted_and_asked_about(lab: ComposeLab) -> None:
    migrates_itself(lab, ITSELF.replace("alembic", "$$(printf alem)bic"))
    bring_up(lab)
    adopt(lab)
    run = lab.play("compose_deploy", to=tag("additive"), migrations="skip")
    assert run.green, run.text
    serves(lab, "additive", "0002")
    assert lab.ledger()[-1]["notes"]["schema"] == {"by_itself": ["0002"], "before": ["0001"], "heads": ["0002"]}
    said = "WARNING   the images of this release migrated the database when they started: 0002. This operation ran no"
    assert said in run.text, run.text
    # A way back looks at the database itself.
    back = lab.play("compose_rollback")
    assert not back.green and "migrations_ahead" in back.text, back.text
    assert "0002" in back.text.partition("migrations_ahead")[2]
    serves(lab, "additive", "0002")
    down = lab.play("compose_rollback", migrations="down")
    assert down.green, down.text
    serves(lab, "good", "0001")


def test_a_way_back_that_would_lose_data_asks(lab: ComposeLab) -> None:
    migrates_itself(lab, ITSELF)
    bring_up(lab)
    adopt(lab)
    lab.sql(FILLS)
    asked = lab.play("compose_deploy", to=tag("additive"), **ONLY_GOOD)
    assert not asked.green
    assert lab.outcomes()[-1] == ("deploy", "failed"), asked.text
    assert "column orders.note (1 rows)" in asked.text, asked.text
    assert "interrupted=undo migrations=down" in asked.text
    serves(lab, "additive", "0002")
    back = lab.play("compose_deploy", to=tag("additive"), interrupted="undo", migrations="down", **ONLY_GOOD)
    assert back.green, back.text
    serves(lab, "good", "0001")


def test_a_container_of_another_file_of_the_project_is_named_and_stays(lab: ComposeLab) -> None:
    body = f"services:\\n  reports:\\n    image: {REGISTRY}/acme/proxy:1.26\\n    command: [sleep, infinity]\\n"
    lab.deploy(f"cd {PROJECT} && printf '{body}' > reports.yaml && docker compose -f reports.yaml -p shop up -d")
    try:
        run = lab.play("compose_deploy", to=tag("good2"))
        assert run.green, run.text
        assert "shop-reports-1 is a container of this project" in run.text, run.text
        assert state(lab, "reports") == "running"
    finally:
        lab.root("docker rm --force shop-reports-1")


def test_a_file_that_was_repaired_by_hand_does_not_lock_the_service(lab: ComposeLab) -> None:
    held = lab.play("compose_deploy", to=tag("unhealthy"), on_unhealthy="hold", compose_health_deadline=1)
    assert not held.green
    edit(lab, "text = text.replace('# The shop in production.', '# Repaired. The shop in production.')")
    stopped = lab.play("compose_deploy", to=tag("unhealthy"), interrupted="undo")
    assert not stopped.green
    line = re.search(r"type `(cp [^`]+)` on the host", stopped.text)
    assert line, stopped.text
    repaired = lab.file()
    accepted = lab.play("compose_deploy", to=tag("good2"), interrupted="accept")
    assert accepted.green, accepted.text
    assert lab.version() == RELEASES["good2"].version
    assert "# Repaired." in repaired and "# Repaired." in lab.file()


def test_the_copy_that_is_named_opens_the_way_back(lab: ComposeLab) -> None:
    before = lab.file()
    lab.play("compose_deploy", to=tag("unhealthy"), on_unhealthy="hold", compose_health_deadline=1)
    edit(lab, "text = text.replace('# The shop in production.', '# Repaired. The shop in production.')")
    stopped = lab.play("compose_deploy", to=tag("unhealthy"), interrupted="undo")
    line = re.search(r"type `(cp [^`]+)` on the host", stopped.text)
    assert line, stopped.text
    lab.deploy(line[1])
    back = lab.play("compose_deploy", to=tag("unhealthy"), interrupted="undo")
    assert back.green, back.text
    serves(lab, "good")
    assert lab.file() == before


def test_a_database_that_was_stopped_cleanly_is_the_first_cause(lab: ComposeLab) -> None:
    edit(
        lab,
        "before, _, after = text.partition('  db:\\n')\n"
        "text = before + '  db:\\n' + after.replace('    restart: unless-stopped\\n', '', 1)",
    )
    bring_up(lab)
    lab.root("docker stop shop-db-1")
    run = lab.play("compose_diagnose")
    assert not run.green
    assert f"BAD: {lab.name}: health answers 503: db is not running: exit code 0" in run.text, run.text
