"""The whole story on a real host in a container: good releases, a broken one, a wrong one, and the way back.

`--down` removes the host. Everything it does is an ordinary command, and is shown as it would be typed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from rich.console import Console

ROOT = Path(__file__).resolve().parents[2]
HEALTH = "http://127.0.0.1:8081/api/v1/health"
ORDERS = "http://127.0.0.1:8081/api/v1/orders"
console = Console(highlight=False, soft_wrap=True)


def ansible(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_STDOUT_CALLBACK": "ops.runbook.operator",
    }
    return subprocess.run(
        ["ansible-playbook", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def lab(playbook: str, title: str) -> float:
    """Run a playbook of the lab; its seconds."""
    started = time.monotonic()
    with console.status(title):
        done = ansible(["-i", "inventories/demo", f"molecule/shared/hosts/{playbook}.yml"])
    seconds = time.monotonic() - started
    if done.returncode:
        console.print(done.stdout + done.stderr, markup=False)
        sys.exit(f"{title}: failed")
    console.print(f"{title}: {seconds:.0f} s")
    return seconds


def answer(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return str(json.dumps(json.load(response)))
    except OSError as error:
        return str(error)


class Story:
    """Tells the chapters, and remembers how long each took."""

    def __init__(self) -> None:
        self.chapters: list[tuple[str, float]] = []

    def chapter(self, title: str, procedure: str, *options: str, green: bool = True) -> None:
        """Run one procedure, show what it says, and stop the demo if it ends otherwise than told."""
        quoted = [f'"{option}"' if " " in option else option for option in options]
        typed = " ".join(["ansible-playbook", f"playbooks/{procedure}.yml", *quoted])
        console.print(f"\n[bold]{len(self.chapters) + 1}. {title}[/bold]")
        console.print(f"   $ {typed}", markup=False)
        started = time.monotonic()
        with console.status("running"):
            done = ansible([f"playbooks/{procedure}.yml", *options])
        seconds = time.monotonic() - started
        for line in done.stdout.splitlines():
            console.print(f"   {line}", markup=False)
        colour = "green" if done.returncode == 0 else "red"
        console.print(f"   [{colour}]ended with {done.returncode}[/{colour}] after {seconds:.1f} s")
        if (done.returncode == 0) is not green:
            console.print(done.stdout + done.stderr, markup=False)
            sys.exit(f"chapter '{title}' did not end as it should")
        self.chapters.append((title, seconds))

    def look(self, url: str) -> None:
        console.print(f"   $ curl {url}", markup=False)
        console.print(f"   {answer(url)}", markup=False)


def tell() -> None:
    console.print(
        "[bold]ops.runbook: a Laravel service on a real host[/bold] (systemd, nginx, php-fpm, a queue worker)"
    )
    ready = lab("create", "make the host") + lab("prepare", "prepare the host")
    story = Story()
    story.chapter("Take over the deployment that is there", "laravel_adopt")
    story.chapter("Deploy a good release", "laravel_deploy", "-e", "to=v1.1.0")
    story.look(HEALTH)
    story.chapter(
        "Deploy a broken one: it goes back by itself",
        "laravel_deploy",
        *("-e", "to=v1.4.0", "-e", "laravel_health_deadline=3"),
        green=False,
    )
    story.look(HEALTH)
    story.chapter("Deploy one that is healthy, but wrong", "laravel_deploy", "-e", "to=v1.7.0")
    story.look(ORDERS)
    story.chapter("See what a rollback would do; nothing is changed", "laravel_rollback", "--check")
    story.chapter("Roll back", "laravel_rollback", "-e", "reason='INC-421 totals count twice'")
    story.look(ORDERS)
    story.chapter("See how the service is", "laravel_status")
    story.chapter("See what was done", "operation_history")
    console.print("\n[bold]What happened[/bold]")
    console.print(f"{ready:6.1f} s  the host was made and prepared")
    for title, seconds in story.chapters:
        console.print(f"{seconds:6.1f} s  {title}")
    console.print(
        "\nThe host stays up. Try it by hand:\n"
        "  source .venv/bin/activate\n"
        "  ansible-playbook playbooks/laravel_deploy.yml -e to=v1.2.0\n"
        "  ansible-playbook playbooks/laravel_rollback.yml              # refuses: migrations; says what to type\n"
        "  ansible-playbook playbooks/laravel_rollback.yml -e migrations=down --check\n"
        f"  curl {HEALTH}\n"
        "  docker exec -it -u deploy laravel1 bash\n"
        "Remove it: make demo-down",
        markup=False,
    )


if __name__ == "__main__":
    if "--down" in sys.argv:
        lab("destroy", "remove the host")
    else:
        tell()
