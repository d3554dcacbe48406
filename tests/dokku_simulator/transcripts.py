"""Recorded input and output of a real Dokku, and how an answer of the simulator is held against it."""

from __future__ import annotations

import difflib
import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stand import Result, Stand
from waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
REFUSED = 99
# What changes nothing: where such a step is refused, the steps after it can still be compared.
READING = re.compile(
    r"dokku (--quiet |-+\w+|\S+:(report|list|info|get|export|show|keys|exists|locked|help|logs|output|inspect|links"
    r"|linked|app-links|show-config|validate-config|access-logs|error-logs|failed|active|nosuch)\b|(help|version|config|apps|logs|report|urls|releases)\b|$)"
    r"|docker (ps|inspect|image (ls|inspect))|curl|sh -c|ls|git (ls-remote|rev-parse)"
)
# Programs that only set a situation up or look at it from outside, and that are not the simulator's business.
OUTSIDE = {"ssh", "setpriv", "script", "timeout", "ls", "git"}


def folder() -> Path | None:
    """The folder of the recordings: beside the checkout, also when this is a further worktree of it."""
    common = subprocess.run(
        ["git", "rev-parse", "--git-common-dir"], cwd=ROOT, capture_output=True, text=True
    ).stdout.strip()
    checkout = (ROOT / common).resolve().parent if common else ROOT
    for place in (
        os.environ.get("DOKKU_TRANSCRIPTS", ""),
        ROOT.parent / "shared/dokku-transcripts",
        checkout.parent / "shared/dokku-transcripts",
    ):
        if place and Path(place).is_dir():
            return Path(place)
    return None


def steps(name: str) -> list[dict[str, Any]]:
    place = folder()
    return json.loads((place / f"{name}.json").read_text()) if place else []


def names() -> list[str]:
    place = folder()
    return sorted(path.stem for path in place.glob("[0-9]*.json")) if place else []


PATTERNS = {
    "CID": r"[0-9a-f]{9,64}",
    "IMG": r"[0-9a-f]{9,64}",
    "SHA": r"[0-9a-f]{40}",
    "GIT7": r"[0-9a-f]{7,12}",
    "BUILD": r"[0-9a-z]{14}",
    "EPOCH": r"\d{10,}",
    "N": r"\d+",
    "PID": r"\d+",
    "TIME": r"[^\s\"]+",
    "DURATION": r"[^\s\"]+",
    "RANDOM": r"\w+",
    "SECRET": r"[0-9a-f]{16}",
    "DIGEST": r"[0-9a-f]{64}",
}
TOKEN = re.compile(r"<(CID|IMG|SHA|GIT7|BUILD|EPOCH|N|PID|TIME|DURATION|RANDOM|SECRET|DIGEST)(:\d+)?>")


@dataclass
class Bindings:
    """The real id for each recorded one. The same has to stay the same through a whole transcript."""

    known: dict[str, str] = field(default_factory=dict)

    def match(self, recorded: str, actual: str) -> bool:
        pattern, tokens, end = "", [], 0
        for found in TOKEN.finditer(recorded):
            pattern += re.escape(recorded[end : found.start()])
            kind, number = found.groups()
            # A build's process id is text in the mask, and a number in truth.
            if kind == "PID" and recorded[found.start() - 1 : found.start()] == '"':
                pattern = pattern[:-1] + r'"?' + PATTERNS[kind] + r'"?'
                end = found.end() + 1
                continue
            pattern += f"({PATTERNS[kind]})" if number else PATTERNS[kind]
            if number:
                tokens.append(found.group())
            end = found.end()
        pattern += re.escape(recorded[end:])
        matched = re.fullmatch(pattern, actual)
        if not matched:
            return False
        fresh = dict(self.known)
        for token, value in zip(tokens, matched.groups(), strict=True):
            # An id is shown long or short.
            if fresh.setdefault(token, value)[:7] != value[:7]:
                return False
        self.known = fresh
        return True


def plain(text: str, app: str, listing: bool = False) -> str:
    """Without what is left to chance, or belongs to the builder, the git client, or another scenario."""
    lines = [re.sub(r"\s+", " ", line).rstrip() for line in text.split("\n")]
    kept: list[str] = []
    own = (
        {found for line in lines for found in re.findall(rf"Attempting to retire {re.escape(app)} image (\S+)", line)}
        if app
        else set()
    )
    for line in lines:
        if re.match(r"#\d+( |$)|From /tmp/dokku-| \+? ?\S+\.\.\.?\S+ ", line) or not line:
            continue
        retired = re.match(r" Attempting to retire (\S+) (container|image) (\S+)", line)
        if retired and retired[1] != app:
            continue
        if re.match(r"<CID:\d+>$", line) or (re.match(r"[0-9a-f]{64}$", line)):
            continue
        other = re.match(r" ! Image (\S+) still running", line)
        if other and own and other[1] not in own:
            continue
        # Without a registry each network says it in its own words.
        line = re.sub(r"(Error response from daemon: Get) .*", r"\1 ...", line)
        # What the plugin that recorded the triggers made Dokku say.
        if line.startswith(" ! Deprecated: please upgrade plugin"):
            continue
        # Engines word it differently.
        if line.startswith("time="):
            continue
        line = line.replace("failed to create task for container: ", "")
        line = re.sub(r"\b172\.17\.\d+\.\d+\b", "172.17.0.n", line)
        line = re.sub(r"restarted \d+ times", "restarted some times", line)
        if kept and kept[-1] == line and "fatal:" in line:
            continue
        # Of a container that crashes, the second check may find it up or down.
        if "Could not start due to" in text and re.search(
            r"(succeeded|Failure in) .*name='port listening check'|(succeeded|Failure in) name='port", line
        ):
            continue
        kept.append(line)
    if listing:
        shown = [re.sub(r"^<none>:<none> .*", "<none>:<none>", line) for line in kept]
        return "\n".join(sorted(line for line in shown if not line.startswith("local/demo:")))
    # Checks run side by side, a container's two streams come together by chance, and Go walks a map in any order.
    return "\n".join(unordered(kept))


# A container's two streams, as a log or a check shows them.
STREAMS = r"(?:.*app\[web\.1\]:\S* )?(?:boot version=|warn: demo line)|"
CHANCE = re.compile(STREAMS + r" (Running healthcheck|Healthcheck succeeded) |-----> Setting config var ")


def untimed(line: str) -> str:
    return re.sub(r"\S+ app\[", "app[", line)


def unordered(lines: list[str]) -> Iterator[str]:
    block: list[str] = []
    kind = ""
    inside = False
    for line in lines:
        if line.startswith("=====> End of "):
            inside = False
        now = "output" if inside else "chance" if CHANCE.match(line) else ""
        if now != kind:
            yield from sorted(set(block)) if kind == "output" else sorted(block, key=untimed)
            block = []
        kind = now
        if now:
            block.append(line)
        else:
            yield line
        if line.startswith("=====> Start of "):
            inside = True
    yield from sorted(block, key=untimed)


@dataclass
class Replay:
    """One transcript, step by step, on one server."""

    dokku: Stand
    bindings: Bindings = field(default_factory=Bindings)
    app: str = ""
    # From a change on that the simulator did not make, its state is another one, and what differs says nothing.
    lost: bool = False

    def run(self, step: dict[str, Any]) -> Result | None:
        argv = list(step["argv"])
        # What overlapped with other steps cannot be answered one after the other.
        if (
            argv[0] in OUTSIDE
            or step["rc"] == -9
            or "started_at" in step
            or step["stdin"] == "<binary>"
            or TOKEN.search(" ".join(argv))
            or "<KEY>" in (step["stdin"] or "")
        ):
            return None
        if argv[0] == "dokku":
            if argv[1:2] == ["apps:create"] and len(argv) > 2:
                self.app = argv[2]
            if argv[1:2] == ["git:from-image"]:
                for word in argv[2:]:
                    if re.fullmatch(r"local/demo:(\d|crash|hc-\w+|rel[-\w]*)", word):
                        self.dokku.load(word.partition(":")[2])
            stdin = step["stdin"]
            if stdin:
                stdin = TOKEN.sub(lambda found: self.bindings.known.get(found.group(), found.group()), stdin)
            return self.dokku.run(*argv[1:], stdin=stdin)
        if argv[0] == "curl":
            host = next((word for word in argv if word.startswith("Host: ")), "").removeprefix("Host: ")
            path = "/" + argv[-1].partition("//")[2].partition("/")[2]
            body = self.dokku.answer(host.partition(".")[0], path)
            return Result(0, f"{body}\n[http 200]\n", "") if body else None
        if re.search("/home/dokku|/var/lib/dokku|crontab", " ".join(argv)):
            return None
        environment = {**self.dokku.env, "PATH": f"{self.dokku.root}/bin:{self.dokku.env['PATH']}"}
        link = self.dokku.root / "bin/docker"
        if not link.exists():
            link.parent.mkdir(exist_ok=True)
            link.symlink_to(self.dokku.client)
        ran = subprocess.run(argv, capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL)
        return Result(ran.returncode, ran.stdout, ran.stderr)

    def verdict(self, step: dict[str, Any]) -> str:
        """equal, refused, outside, lost, or what differs."""
        found = self.compare(step)
        if found == "outside" and step["rc"] == -9 and "being checked" in step["note"]:
            self.kill_while_checked(step)
        elif found in ("refused", "outside") and not READING.match(" ".join(step["argv"])):
            self.lost = True
        return "lost" if self.lost and found not in ("equal", "refused", "outside") else found

    def kill_while_checked(self, step: dict[str, Any]) -> None:
        self.dokku.load(step["argv"][3].partition(":")[2])
        listed = ("container", "ls", "-q", "--filter", f"name={self.app}.web.1.upcoming")
        with self.dokku.held():
            process = self.dokku.start(*step["argv"][1:])
            wait_for("an upcoming container", lambda: self.dokku.docker(*listed))
            self.dokku.kill(process)

    def compare(self, step: dict[str, Any]) -> str:
        result = self.run(step)
        if result is None:
            return "outside"
        if result.rc == REFUSED and "dokku simulator: not implemented" in result.stderr:
            return "refused"
        if result.rc != step["rc"]:
            return f"rc {result.rc}, recorded {step['rc']}\n{result.stdout}{result.stderr}"
        listing = step["argv"][0] in ("sh", "docker")
        for stream in ("stdout", "stderr"):
            recorded = plain(step[stream], self.app, listing)
            actual = plain(getattr(result, stream), self.app, listing)
            if not self.bindings.match(recorded, actual):
                return "\n".join(
                    [
                        f"{stream}:",
                        *difflib.unified_diff(
                            recorded.split("\n"), actual.split("\n"), "recorded", "answered", "", "", 1, ""
                        ),
                    ]
                )
        return "equal"
