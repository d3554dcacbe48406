"""Values are made as the recipe says, recognised without being kept, and their age is what the ledger proves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.compose.secrets import value as secret_value

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("recipe", "length"), [("hex:32", 64), ("urlsafe:48", 64), ("base64:32", 44), ("alnum:40", 40), ("hex", 64)]
)
def test_a_value_is_made(recipe: str, length: int) -> None:
    one, other = secret_value.generate(recipe), secret_value.generate(recipe)
    assert len(one) == length and one != other


@pytest.mark.parametrize("recipe", ["hex:8", "hex:many", "rot13:32", "", "hex:-32"])
def test_a_recipe_that_is_none_is_refused(recipe: str) -> None:
    with pytest.raises(secret_value.BadRecipe):
        secret_value.generate(recipe)


@pytest.mark.parametrize(
    ("key", "declared", "recipe"),
    [
        ("SECRET_KEY", "", "urlsafe:48"),
        ("JWT_SECRET", "", "urlsafe:48"),
        ("OPENAI_API_KEY", "", ""),
        ("SESSION_API_KEY", "", ""),
        ("DB_PASSWORD", "", ""),
        ("OPENAI_API_KEY", "hex:32", "hex:32"),
    ],
)
def test_a_value_that_an_outside_service_issues_is_not_generated(key: str, declared: str, recipe: str) -> None:
    assert secret_value.recipe_for(key, declared) == recipe


@settings(max_examples=15, deadline=None)
@given(st.text(max_size=20), st.text(max_size=20))
def test_a_fingerprint_fits_its_value_only(one: str, other: str) -> None:
    known = secret_value.fingerprint(one)
    assert secret_value.matches(one, known)
    assert secret_value.matches(other, known) is (one == other)
    assert secret_value.fingerprint(one) != known
    assert len(one) < 4 or one not in known


@pytest.mark.parametrize("known", ["", "x", "a:b:c:d", "md5:1:00:00"])
def test_a_fingerprint_of_another_kind_fits_nothing(known: str) -> None:
    assert not secret_value.matches("x", known)


def record(number: int, outcome: str = "succeeded", **keys: str) -> dict[str, Any]:
    note = {"write_env": {"keys": keys}}
    return {"id": f"op{number}", "outcome": outcome, "finished": f"2026-11-{number:02}T10:00:00.000Z", "notes": note}


def test_the_last_good_rotation_counts() -> None:
    records = [record(1, A="a1", B="b1"), {"id": "deploy", "outcome": "succeeded"}, record(2, A="a2")]
    records += [record(3, "reverted", A="a3", B="b3"), record(4, "failed", B="b4")]
    assert secret_value.rotations(records, "write_env") == {
        "A": ("2026-11-02T10:00:00.000Z", "a2", "op2"),
        "B": ("2026-11-01T10:00:00.000Z", "b1", "op1"),
    }


KNOWN = secret_value.fingerprint("value")


@pytest.mark.parametrize(
    ("value", "last", "days", "overdue", "said"),
    [
        ("value", ("2026-11-01T10:00:00.000Z", KNOWN, "op1"), 20, False, "20 days, since 2026-11-01 (op1)"),
        ("value", ("2026-08-01T10:00:00.000Z", KNOWN, "op1"), 112, True, "22 more than 90"),
        ("other", ("2026-11-01T10:00:00.000Z", KNOWN, "op1"), None, True, "changed by hand since 2026-11-01"),
        ("value", None, None, True, "unknown"),
        (None, ("2026-11-01T10:00:00.000Z", KNOWN, "op1"), None, True, "changed by hand"),
    ],
)
def test_an_age(
    value: str | None, last: tuple[str, str, str] | None, days: int | None, overdue: bool, said: str
) -> None:
    found = secret_value.age("A", value, last, NOW, 90)
    assert (found.days, found.overdue) == (days, overdue)
    assert said in found.text


@pytest.mark.parametrize("rounds", ["20000000", "9" * 400, "0", "-5", "x", "२००"])
def test_a_ledger_does_not_say_how_long_a_comparison_takes(monkeypatch: pytest.MonkeyPatch, rounds: str) -> None:
    counted: list[int] = []
    monkeypatch.setattr(secret_value.hashlib, "pbkdf2_hmac", lambda *given: counted.append(given[3]) or b"")
    assert not secret_value.matches("value", f"pbkdf2-sha256:{rounds}:00:00")
    assert counted == []
    monkeypatch.undo()
    assert secret_value.matches("value", secret_value.fingerprint("value"))
