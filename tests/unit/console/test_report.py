# Copyright: (c) 2026, ops.runbook contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of an operation at 3 a.m.: host, result, cause, and what to type next."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.console.report import (
    notes,
    plan_lines,
    refusal_lines,
    seconds_of,
    summary_lines,
    trouble_lines,
)

OLD, NEW = {"id": "a" * 40, "name": "v1.4.0"}, {"id": "b" * 40, "name": "v1.5.0"}
OLD_TEXT, NEW_TEXT = f"v1.4.0 ({'a' * 10})", f"v1.5.0 ({'b' * 10})"


def plan(**more: Any) -> dict[str, Any]:
    steps = [{"id": "code", "title": "git reset --hard"}, {"id": "reload_php", "title": "reload php8.3-fpm"}]
    return {
        "procedure": "rollback",
        "from": NEW,
        "to": OLD,
        "chosen": "previous: the newest good release",
        "proven": "commit, present on this host",
        "steps": steps,
        "undo": [{"id": "code", "title": "git reset --hard to v1.5.0"}],
        "migrations": None,
        **more,
    }


def planned(**more: Any) -> dict[str, Any]:
    return {"operation": "op-1", "direction": "forward", "opened": True, "refusal": None, "plan": plan(**more)}


def refused(code: str = "lease_held", **ways: str) -> dict[str, Any]:
    return {
        "operation": "op-1",
        "plan": None,
        "refusal": {
            "code": code,
            "text": "somebody is at work",
            "details": ["since 03:00"],
            "ways": [{"input": way.replace("__", "="), "effect": effect} for way, effect in ways.items()],
        },
    }


def closed(outcome: str = "succeeded", **more: Any) -> dict[str, Any]:
    record = {
        "id": "op-1",
        "outcome": outcome,
        "from": NEW,
        "to": OLD,
        "left": OLD if outcome == "succeeded" else NEW,
        "steps": [{"step": "code", "seconds": 1.25}, {"step": "reload_php", "seconds": 0.5}],
        "health": [{"name": "up", "request_id": "req-1"}, {"name": "api", "request_id": "req-2"}, {"name": "tcp"}],
    }
    return {"outcome": outcome, "error": "status 500", "settled": True, "record": record, "planned": planned(), **more}


def untouched(why: str = "web1 failed: status 500", **more: Any) -> dict[str, Any]:
    record = {"id": "op-1", "outcome": "refused", "from": NEW, "to": OLD, "left": NEW, "steps": [], "health": []}
    return {"outcome": "refused", "record": record, "planned": planned(), "untouched": why, **more}


def text(lines: list[str]) -> str:
    return "\n".join(lines)


# -- the plan --------------------------------------------------------------------------------------


def test_a_plan_shows_what_how_and_why() -> None:
    said = planned(also=[["vendor", ["from a tree that is kept"]]], warnings=["v1.4.0 was condemned by operation op-0"])
    assert plan_lines({"web1": said}) == [
        "host  from                 to                   plan",
        f"web1  {NEW_TEXT}  {OLD_TEXT}  2 steps",
        "",
        "rollback, operation op-1",
        "chosen    previous: the newest good release",
        "proven    commit, present on this host",
        "vendor    from a tree that is kept",
        "steps     1. git reset --hard",
        "          2. reload php8.3-fpm",
        "WARNING   v1.4.0 was condemned by operation op-0",
    ]


def test_hosts_with_the_same_plan_are_shown_together_and_others_apart() -> None:
    same = text(plan_lines({"web1": planned(), "web2": planned()}))
    assert same.count("chosen ") == 1 and "on web1" not in same
    differ = text(plan_lines({"web1": planned(), "web2": planned(also=[["vendor", ["made anew"]]]), "web3": planned()}))
    assert "on web1, web3:" in differ and "on web2:" in differ and differ.count("chosen ") == 2


MIGRATIONS: dict[str, Any] = {"mode": "refuse", "verdict": "same", "ahead": [], "behind": [], "run": [], "down": []}
SQL = {"m1": ["alter table `t` drop `note`"]}
DATABASE: dict[str, tuple[dict[str, Any], list[str]]] = {
    "the same": ({}, ["database  the database is where the target expects it"]),
    "kept ahead": (
        {"verdict": "ahead", "ahead": ["m1"], "mode": "keep"},
        ["database  the database has 1 that the target does not know; kept as it is"],
    ),
    "skipped": (
        {"verdict": "behind", "behind": ["m1"], "mode": "skip"},
        ["database  the target brings 1 that the database does not have; none is run"],
    ),
    "run": (
        {"verdict": "behind", "behind": ["m1"], "run": ["m1"], "mode": "run", "sql": {"m1": ["create table x"]}},
        [
            "database  the target brings 1 that the database does not have; they are run:",
            "          m1",
            "            create table x",
        ],
    ),
    "down, with what that destroys": (
        {"verdict": "ahead", "ahead": ["m1"], "down": ["m1"], "sql": SQL, "losses": ["column t.note (7 rows)"]},
        [
            "database  the database has 1 that the target does not know; they are undone before the switch:",
            "          m1",
            "            alter table `t` drop `note`",
            "DESTROYS  column t.note (7 rows)",
        ],
    ),
    "down, which destroys nothing": (
        {"verdict": "ahead", "ahead": ["m1"], "down": ["m1"], "sql": {}, "losses": []},
        [
            "database  the database has 1 that the target does not know; they are undone before the switch:",
            "          m1",
            "DESTROYS  no table and no column",
        ],
    ),
    "unknown": (
        {"verdict": "unknown", "mode": "keep"},
        ["database  where the database stands can't be told; kept as it is"],
    ),
    "diverged": (
        {"verdict": "diverged", "ahead": ["m1"], "behind": ["m2"], "mode": "keep"},
        ["database  1 unknown to the target, 1 missing; kept as it is"],
    ),
}


@pytest.mark.parametrize("name", DATABASE)
def test_the_plan_says_what_happens_to_the_database(name: str) -> None:
    migrations, expected = DATABASE[name]
    lines = plan_lines({"web1": planned(migrations={**MIGRATIONS, **migrations})})
    start = next(index for index, line in enumerate(lines) if line.startswith("database"))
    assert lines[start : start + len(expected)] == expected


def test_a_continued_plan_shows_what_remains_in_its_direction() -> None:
    forward = text(plan_lines({"web1": planned(remaining=["reload_php"])}))
    assert "1 steps remain" in forward and "1. reload php8.3-fpm" in forward and "--hard" not in forward
    back = {**planned(remaining=["code"]), "direction": "back"}
    assert "1. git reset --hard to v1.5.0" in text(plan_lines({"web1": back}))


def test_nothing_to_do_is_said() -> None:
    assert "nothing to do: it is there already" in text(plan_lines({"web1": planned(steps=[])}))


def test_a_refused_host_is_not_in_the_plan() -> None:
    assert "web2" not in text(plan_lines({"web1": planned(), "web2": refused()}))


# -- refusals --------------------------------------------------------------------------------------


def test_a_refusal_shows_host_code_reason_details_and_inputs() -> None:
    results = {"web1": planned(), "web2": refused(lock_wait__300="waits", lock_takeover__op_1="takes it")}
    assert refusal_lines(results) == [
        "REFUSED on web2 (lease_held): somebody is at work",
        "  since 03:00",
        "  To go on, give one of:",
        "    -e lock_wait=300       waits",
        "    -e lock_takeover=op_1  takes it",
        "Nothing was changed, nor on web1.",
    ]


TYPED = {
    "migrations=keep": "-e migrations=keep",
    "lock_takeover=op-1 interrupted=resume": "-e lock_takeover=op-1 -e interrupted=resume",
    "to=<commit, tag or branch>": "-e 'to=<commit, tag or branch>'",
    "laravel_deploy with to=abc": "ansible-playbook ops.runbook.laravel_deploy -e to=abc",
    "laravel_adopt set_aside_ledger=true": "ansible-playbook ops.runbook.laravel_adopt -e set_aside_ledger=true",
    "laravel_adopt": "ansible-playbook ops.runbook.laravel_adopt",
    "the same command again": "the same command again",
    "laravel_shared=.env,storage": "-e laravel_shared=.env,storage",
    "(leave `interrupted` out)": "(leave `interrupted` out)",
    "sudo install -d -o deploy -m 0700 /var/lib/x": "sudo install -d -o deploy -m 0700 /var/lib/x",
    "echo 'deploy ALL=(root) NOPASSWD: x' | sudo tee y": "echo 'deploy ALL=(root) NOPASSWD: x' | sudo tee y",
    "-u deploy": "-u deploy",
}


@pytest.mark.parametrize("way", TYPED)
def test_an_input_is_shown_as_it_is_typed(way: str) -> None:
    result = refused()
    result["refusal"]["ways"] = [{"input": way, "effect": "helps"}]
    assert f"    {TYPED[way]}  helps" in refusal_lines({"web1": result})


def test_only_the_interrupted_host_is_named_in_the_next_command() -> None:
    nothing = {
        "refusal": {
            "code": "nothing_interrupted",
            "text": "no operation on this host is unfinished",
            "ways": [{"input": "the same command without it", "effect": "starts a new operation"}],
            "details": [],
        }
    }
    lines = refusal_lines({"web1": nothing, "web2": {**planned(), "continues": True}})
    assert "    -e target=web2  with the same inputs: only where something is unfinished" in lines
    assert "    the same command without it  starts a new operation" not in lines
    # Where nothing is unfinished anywhere, there is no such host.
    assert "    the same command without it  starts a new operation" in refusal_lines(
        {"web1": nothing, "web2": nothing}
    )


def test_a_host_that_cannot_be_reached_or_crashed_is_named() -> None:
    lines = refusal_lines({"web1": {"unreachable": True, "msg": "timed out"}, "web2": {"failed": True, "msg": "boom"}})
    assert lines == [
        "REFUSED on web1: it can't be reached: timed out",
        "REFUSED on web2: boom",
        "Nothing was changed.",
    ]


@pytest.mark.parametrize(
    "more",
    [
        # It never came to its migrations.
        {"error": "step 'images': no space left"},
        # Whatever it began, the database had none of them.
        {"error": "step 'migrate': x. Of m1 the database has none now", "notes": {"undo_migrations": {"undone": []}}},
    ],
)
def test_no_migration_is_said_to_be_left_that_is_not_there(more: dict[str, Any]) -> None:
    record = {
        "outcome": "reverted",
        "migrations": {"run": ["m1"]},
        "steps": [{"step": "images", "seconds": 0.0}],
        **more,
    }
    assert "m1" not in text(notes({"web1": {"record": record}}))


def test_a_run_that_finished_no_step_has_no_seconds() -> None:
    assert seconds_of({"record": {"steps": []}}) == "-"
    assert seconds_of({"record": {"steps": [{"step": "images", "seconds": 0.04}]}}) == "0.0"


def test_a_long_title_stands_apart_from_what_it_titles() -> None:
    also = [["config", ["one"]], ["configuration", ["A changes", "B is added"]]]
    lines = plan_lines({"web1": planned(also=also)})
    start = lines.index("config    one")
    assert lines[start + 1 : start + 3] == ["configuration  A changes", f"{'':<15}B is added"]


# -- the end ---------------------------------------------------------------------------------------


def test_a_summary_shows_each_host_with_its_request_ids() -> None:
    lost = {"unreachable": True, "planned": planned()}
    assert summary_lines({"web1": closed(), "web2": lost, "web3": {}, "web4": untouched()}) == [
        "host  from                 to                   outcome      seconds  request id",
        f"web1  {NEW_TEXT}  {OLD_TEXT}  succeeded    1.8      req-1, req-2",
        f"web2  {NEW_TEXT}  {OLD_TEXT}  unreachable  -        -",
        "web3  -                    -                    unknown      -        -",
        f"web4  {NEW_TEXT}  {OLD_TEXT}  untouched    -        -",
        "recorded as operation op-1",
    ]


NOTES: dict[str, tuple[dict[str, Any], str]] = {
    "a reverted deploy": (
        {"outcome": "reverted", "migrations": {"run": ["m1"]}, "steps": [{"step": "migrate", "seconds": 1.0}]},
        "going back undid no migration; those of this deploy: m1",
    ),
    "a reverted deploy that undid its migrations": (
        {"outcome": "reverted", "migrations": {"run": ["m1"]}, "notes": {"undo_migrations": {"undone": ["m1"]}}},
        "going back undid, from the new image: m1",
    ),
    "a reverted deploy that left them": (
        {"outcome": "reverted", "notes": {"undo_migrations": {"left": ["m1"], "why": "it has rows"}}},
        "going back left these migrations in the database: m1: it has rows",
    ),
    "a database ahead": ({"migrations": {"mode": "keep", "ahead": ["m2", "m1"]}}, "stays ahead by: m2, m1"),
    "images that migrated by themselves": (
        {"notes": {"schema": {"by_itself": ["0002"], "before": ["0001"], "heads": ["0002"]}}},
        "WARNING   the images of this release migrated the database when they started: 0002. This operation ran no",
    ),
    "images that moved the database to what they do not know": (
        {"notes": {"schema": {"by_itself": [], "before": ["0001"], "heads": []}}},
        "moved the database when they started. This operation ran no migration, and the database is at no migration",
    ),
    "what a person still has to do": ({"notes": {"forget_env": {"left_to_do": ["revoke it"]}}}, "to do     revoke it"),
    "saved changes": ({"notes": {"save_changes": {"saved": "/var/x"}}}, "discarded changes are in /var/x"),
    "a damaged ledger": ({"notes": {"set_aside_ledger": {"kept": "/var/y"}}}, "the damaged ledger is kept as /var/y"),
    "an adoption": ({"notes": {"adopt": "going back will need Composer"}}, "going back will need Composer"),
}


@pytest.mark.parametrize("name", NOTES)
def test_a_summary_says_what_needs_a_word(name: str) -> None:
    more, expected = NOTES[name]
    result = closed()
    result["record"].update(more)
    assert expected in text(summary_lines({"web1": result}))


def test_notes_of_steps_that_say_nothing_are_left_out() -> None:
    result = closed()
    result["record"]["notes"] = {"vendor": "kept tree"}
    assert "kept tree" not in text(summary_lines({"web1": result}))


MENDED = "  To go on: repair what is named above, then the same command again."
AGAIN = [
    "  To go on, one of:",
    "    ansible-playbook ops.runbook.x_rollback -e target=web1 -e to=aaaaaaaaaa"
    f"  verifies {OLD_TEXT} again, once that is repaired",
]
BACK = [f"    ansible-playbook ops.runbook.x_deploy -e target=web1 -e to=bbbbbbbbbb    goes back to {NEW_TEXT}"]
BEFORE = [f"    ansible-playbook ops.runbook.x_rollback -e target=web1{' ' * 19}goes back to the release before it"]
TROUBLE: dict[str, tuple[dict[str, Any], list[str]]] = {
    "succeeded": (closed(), []),
    "unchanged": (closed("unchanged"), []),
    "reverted": (closed("reverted"), ["web1: reverted: status 500", f"  web1 runs {NEW_TEXT} again, verified."]),
    "reverted to nothing": (
        {**closed("reverted"), "record": {**closed("reverted")["record"], "from": None}},
        ["web1: reverted: status 500", "  web1 is as it was before, verified."],
    ),
    "failed with nothing recorded, as a rollback to what is live and not well": (
        closed("failed", record={"id": "op-1", "outcome": "failed", "from": None, "to": None}),
        ["web1: failed: status 500", f"  web1 is at {OLD_TEXT}, and not well.", *AGAIN, *BACK],
    ),
    "failed with nothing known": (
        closed("failed", record={}, planned={"plan": {}}),
        ["web1: failed: status 500", "  web1 is not well.", MENDED],
    ),
    "failed and held": (
        closed("failed", record={**closed("failed")["record"], "left": OLD}),
        ["web1: failed: status 500", f"  web1 is at {OLD_TEXT}, and not well.", *AGAIN, *BACK],
    ),
    "failed where it came from": (
        closed("failed", record={**closed("failed")["record"], "left": OLD}, planned=planned(**{"from": OLD})),
        ["web1: failed: status 500", f"  web1 is at {OLD_TEXT}, and not well.", *AGAIN, *BEFORE],
    ),
    "an adoption failed": (
        closed("failed", planned=planned(procedure="adopt", anew="deploy -e to=bbbbbbbbbb")),
        [
            "web1: failed: status 500",
            f"  web1 is at {NEW_TEXT}, and not well.",
            "  To go on, one of:",
            "    ansible-playbook ops.runbook.x_deploy -e target=web1 -e to=bbbbbbbbbb"
            f"  brings {NEW_TEXT} up again; then the same command",
            "  Or repair what is named above, then the same command again.",
        ],
    ),
    "a procedure of another system failed, which has a line of its own": (
        closed("failed", planned=planned(procedure="polish", anew="rollback -e to=v3 -e x=1")),
        [
            "web1: failed: status 500",
            f"  web1 is at {NEW_TEXT}, and not well.",
            "  To go on, one of:",
            "    ansible-playbook ops.runbook.x_rollback -e target=web1 -e to=v3 -e x=1"
            f"  brings {NEW_TEXT} up again; then the same command",
            "  Or repair what is named above, then the same command again.",
        ],
    ),
    "another procedure failed": (
        closed("failed", planned=planned(procedure="rotate_secrets")),
        ["web1: failed: status 500", f"  web1 is at {NEW_TEXT}, and not well.", MENDED],
    ),
    "between two releases": (
        closed("failed", settled=False),
        [
            "web1: failed: status 500",
            "  The host is between two releases. The same command again says what can be done:",
            "  -e interrupted=resume goes on, -e interrupted=undo goes back.",
        ],
    ),
    "never begun, since another failed": (
        untouched("web9 failed: status 500"),
        [
            "web1: untouched: web9 failed: status 500",
            f"  Nothing was changed there; {NEW_TEXT} runs as before.",
        ],
    ),
    "never begun, and its lease could not be given back": (
        {"unreachable": True, "msg": "timed out", "untouched": "web9 failed", "planned": planned(), "lease_ends": "T"},
        [
            "web1: untouched: web9 failed",
            f"  Nothing was changed there; {NEW_TEXT} runs as before.",
            "  The lease could not be given back: timed out. It ends by itself at about T.",
        ],
    ),
    "cut off before it changed anything": (
        closed("interrupted", error="it ended before it changed anything"),
        [
            "web1: interrupted: it ended before it changed anything",
            "  Nothing was changed on it. The same command again continues, or says what can be done.",
        ],
    ),
    "lost midway": (
        {"unreachable": True, "msg": "timed out", "planned": planned(), "lease_ends": "2026-11-21 03:30 UTC"},
        [
            "web1: unreachable: timed out",
            f"  It was at {NEW_TEXT}, on its way to {OLD_TEXT}. It may have gone on by itself.",
            "  Its lease ends by itself at about 2026-11-21 03:30 UTC.",
            "  Before the same command again, look: ansible-playbook ops.runbook.operation_history -e target=web1",
        ],
    ),
    "unreachable": (
        {"unreachable": True, "msg": "timed out"},
        [
            "web1: unreachable: timed out",
            "  It may have gone on by itself.",
            "  Before the same command again, look: ansible-playbook ops.runbook.operation_history -e target=web1",
        ],
    ),
    "no answer": (
        {},
        [
            "web1: unknown: the host did not answer",
            "  It may have gone on by itself.",
            "  Before the same command again, look: ansible-playbook ops.runbook.operation_history -e target=web1",
        ],
    ),
    "not recorded": (
        {"failed": True, "msg": "operation op-1 could not be recorded: disk full"},
        [
            "web1: unknown: operation op-1 could not be recorded: disk full",
            "  It may have gone on by itself.",
            "  Before the same command again, look: ansible-playbook ops.runbook.operation_history -e target=web1",
        ],
    ),
}


@pytest.mark.parametrize("name", TROUBLE)
def test_trouble(name: str) -> None:
    result, expected = TROUBLE[name]
    assert trouble_lines({"web1": result}, "ops.runbook.x") == expected


@pytest.mark.parametrize("name", TROUBLE)
def test_a_red_run_names_something_to_type(name: str) -> None:
    """Nothing is to be done only where the host is as it was, and verified."""
    result, _ = TROUBLE[name]
    lines = trouble_lines({"web1": result}, "ops.runbook.x")
    if lines and result.get("outcome") != "reverted" and "untouched" not in result:
        assert re.search("ansible-playbook ops|-e [a-z_]+=|he same command again", text(lines)), lines


def test_a_run_is_green_only_if_every_host_is() -> None:
    assert trouble_lines({"web1": closed(), "web2": closed("unchanged")}) == []
    assert trouble_lines({"web1": closed(), "web2": closed("reverted")})
    assert trouble_lines({"web1": closed(), "web2": {"outcome": "something new"}})


def test_common_facts_of_hosts_are_shown_once() -> None:
    lines = trouble_lines({"web1": closed("reverted"), "web2": untouched(), "web3": untouched()}, "x.laravel")
    assert lines == [
        "web1: reverted: status 500",
        f"  web1 runs {NEW_TEXT} again, verified.",
        "web2, web3: untouched: web1 failed: status 500",
        f"  Nothing was changed there; {NEW_TEXT} runs as before.",
    ]


def test_of_several_hosts_the_one_that_needs_a_word_is_named_in_what_to_type() -> None:
    lines = text(trouble_lines({"web1": closed(), "web2": closed("failed", settled=False), "web3": {}}))
    assert "  -e target=web2 -e interrupted=resume goes on, -e target=web2 -e interrupted=undo goes back." in lines
    assert "look: ansible-playbook ops.runbook.operation_history -e target=web3" in lines


def test_hosts_that_failed_alike_are_brought_on_by_one_line() -> None:
    failed = closed("failed", record={**closed("failed")["record"], "left": OLD})
    lines = trouble_lines({"web1": failed, "web2": failed}, "ops.runbook.x")[-3:]
    assert [line.split("  ")[2] for line in lines[1:]] == [
        "ansible-playbook ops.runbook.x_rollback -e target=web1,web2 -e to=aaaaaaaaaa",
        "ansible-playbook ops.runbook.x_deploy -e target=web1,web2 -e to=bbbbbbbbbb",
    ]
    assert lines[0] == "  To go on, one of:"


def test_a_release_that_fails_again_can_be_left_for_the_one_before_it() -> None:
    failed = closed("failed", planned={**planned(), "plan": {"procedure": "deploy", "from": NEW, "to": NEW}})
    failed["record"].update({"from": NEW, "to": NEW, "left": NEW})
    again = "    ansible-playbook ops.runbook.x_deploy -e target=web1 -e to=bbbbbbbbbb"
    before = "    ansible-playbook ops.runbook.x_rollback -e target=web1"
    assert trouble_lines({"web1": failed}, "ops.runbook.x")[-3:] == [
        "  To go on, one of:",
        f"{again}  verifies {NEW_TEXT} again, once that is repaired",
        f"{before.ljust(len(again))}  goes back to the release before it",
    ]


def test_a_mix_of_releases_is_loud_and_says_what_to_type() -> None:
    results = {"web1": closed(), "web2": closed("reverted"), "web3": untouched(), "web4": {}}
    command = "    ansible-playbook ops.runbook.laravel_"
    assert trouble_lines(results, "ops.runbook.laravel")[-9:] == [
        "THE HOSTS ARE ON DIFFERENT RELEASES:",
        f"  {OLD_TEXT}  web1",
        f"  {NEW_TEXT}  web2, web3",
        "  not known            web4",
        "  To bring them together, one of:",
        f"{command}rollback -e target=web1,web2,web3,web4 -e to=aaaaaaaaaa",
        f"      all of them to {OLD_TEXT}",
        f"{command}deploy -e target=web1,web2,web3,web4 -e to=bbbbbbbbbb",
        f"      all of them to {NEW_TEXT}",
    ]
    assert "THE HOSTS" not in text(summary_lines(results))


def test_a_mix_that_is_not_known_is_not_claimed() -> None:
    lines = trouble_lines({"web1": closed(), "web2": {}})
    assert "THE HOSTS MAY BE ON DIFFERENT RELEASES:" in lines
    assert "  not known            web2" in lines


def test_after_a_deploy_the_way_on_is_a_deploy_and_the_way_back_a_rollback() -> None:
    going = {**planned(), "plan": plan(**{"procedure": "deploy", "from": OLD, "to": NEW})}
    record = {"id": "op-1", "outcome": "succeeded", "from": OLD, "to": NEW, "left": NEW}
    results = {"web1": closed(record=record, planned=going), "web2": untouched(planned=going)}
    lines = text(trouble_lines(results, "x.laravel"))
    assert "x.laravel_deploy -e target=web1,web2 -e to=bbbbbbbbbb" in lines
    assert "x.laravel_rollback -e target=web1,web2 -e to=aaaaaaaaaa" in lines


def test_a_mix_is_said_even_where_every_host_is_well() -> None:
    other = closed()
    other["record"]["left"] = NEW
    results = {"web1": closed(), "web2": other}
    assert trouble_lines(results) == []
    assert "THE HOSTS ARE ON DIFFERENT RELEASES" in text(summary_lines(results))


def test_the_plan_says_once_which_host_migrates_for_all() -> None:
    runs = planned(migrations={**MIGRATIONS, "verdict": "behind", "behind": ["m1"], "run": ["m1"], "sql": {}})
    line = "migrations: once, on web1, for all of these hosts"
    both = {"web1": runs, "web2": planned()}
    assert text(plan_lines(both, "first")).count(line) == 1
    assert line not in text(plan_lines(both, "each"))
    assert line not in text(plan_lines({"web1": runs}, "first"))
    assert line not in text(plan_lines({"web1": planned(), "web2": planned()}, "first"))


def test_a_refusal_about_all_hosts_is_shown_for_all() -> None:
    together: dict[str, Any] = {
        "code": "hosts_diverged",
        "text": "they differ",
        "details": ["web1  is at v1"],
        "ways": [{"input": "to=abc", "effect": "both"}, {"input": "-l web1", "effect": "alone"}],
    }
    assert refusal_lines({"web1": planned(), "web2": planned()}, together) == [
        "REFUSED on web1, web2 (hosts_diverged): they differ",
        "  web1  is at v1",
        "  To go on, give one of:",
        "    -e to=abc  both",
        "    -l web1    alone",
        "Nothing was changed.",
    ]


WAYS = {
    "code": "x",
    "text": "no",
    "details": [],
    "ways": [
        {"input": "migrations=keep", "effect": "keeps them"},
        {"input": "to=<commit or tag>", "effect": "names the release"},
        {"input": "laravel_adopt", "effect": "records the present state"},
    ],
}


def test_a_way_is_written_for_what_is_typed() -> None:
    by_ansible = refusal_lines({"web1": {"refusal": WAYS}})
    assert "    -e migrations=keep" in by_ansible[2]
    assert "    ansible-playbook ops.runbook.laravel_adopt" in by_ansible[4]
    by_command = refusal_lines({"web1": {"refusal": WAYS}}, None, True)
    assert [line.split("  ")[2].strip() for line in by_command[2:5]] == [
        "migrations=keep",
        "'to=<commit or tag>'",
        "ops-runbook run laravel_adopt",
    ]


@pytest.mark.parametrize("text", ["it is full. Nothing was changed.", "no release. Nothing was contacted."])
def test_unchanged_things_are_named_once(text: str) -> None:
    said = refusal_lines({"web1": {"refusal": {"code": "x", "text": text, "ways": []}}})
    assert " ".join(said).count("Nothing was") == 1
    together = refusal_lines({"web1": {}}, {"code": "x", "text": text, "ways": []})
    assert " ".join(together).count("Nothing was") == 1


LEFT = {
    "none": ("step 'migrate' failed: boom. In the database now: none of them", []),
    "one of two": ("step 'migrate' failed. In the database now: one", ["in the database: one"]),
    "not known": ("step 'migrate' failed: gone", ["can't be told: one, two"]),
    "all ran": ("health: status 500", ["those of this deploy: one, two"]),
}


@pytest.mark.parametrize(("error", "says"), LEFT.values(), ids=LEFT)
def test_the_report_names_migrations_that_the_way_back_left(error: str, says: list[str]) -> None:
    record = {"outcome": "reverted", "error": error, "migrations": {"run": ["one", "two"]}}
    said = notes({"web1": {"record": record}})
    assert len(said) == len(says) and all(text in line for text, line in zip(says, said)), said
