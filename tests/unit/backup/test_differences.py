"""Changes that a restore would make, shown without a value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ops.runbook.plugins.module_utils.backup import differences

CONFIGS = st.dictionaries(st.sampled_from(["A", "B", "GIT_REV", "DOKKU_X", "DATABASE_URL"]), st.sampled_from("xyz"))


@given(CONFIGS, CONFIGS)
def test_kept_keys_are_as_they_are_now_and_all_others_as_in_the_backup(
    present: dict[str, str], backup: dict[str, str]
) -> None:
    merged = differences.merged_config(present, backup, differences.kept_keys(present, []))
    for key in {*present, *backup}:
        source = present if key == "GIT_REV" or key.startswith("DOKKU_") else backup
        assert merged.get(key) == source.get(key)


@pytest.mark.parametrize("scheme", ["mysql", "mysql2"])
def test_the_address_of_a_service_is_of_this_host(scheme: str) -> None:
    present = {"DATABASE_URL": f"{scheme}://u:new@h:3306/d?charset=utf8", "OTHER": "x"}
    kept = differences.kept_keys(present, ["mysql://u:new@h:3306/d", ""])
    assert kept == ["DATABASE_URL"]
    merged = differences.merged_config(present, {"DATABASE_URL": "mysql://u:old@h:3306/d", "OTHER": "y"}, kept)
    assert merged == {"DATABASE_URL": present["DATABASE_URL"], "OTHER": "y"}


@given(CONFIGS, CONFIGS)
def test_changes_name_keys_and_never_values(present: dict[str, str], wanted: dict[str, str]) -> None:
    lines = differences.config_changes(present, wanted)
    assert bool(lines) == (present != wanted)
    assert all(
        line.split()[0] in {*present, *wanted} and line.split()[-1] in ("removed", "added", "changes") for line in lines
    )


def test_tables_now_and_in_the_backup() -> None:
    lines = differences.table_changes("db", {"rows": {"a": 5, "gone": 1}}, {"rows": {"a": 3, "new": 2}})
    assert lines == [
        "db.a: 5 rows now, 3 in the backup (2 fewer than now)",
        "db.gone: 1 rows now; the backup does not know it, and it is removed",
        "db.new: not there now; 2 rows in the backup",
    ]
    assert differences.table_changes("c", {"keys": {"db0": [1, 2]}}, {"keys": {}}) == [
        "c.db0: 2 keys now, 0 in the backup"
    ]
