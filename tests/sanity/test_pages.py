"""Everything that the pages say can be typed exists, and so do the targets of their links."""

from __future__ import annotations

import ast
import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.ops.runbook.plugins.module_utils.console import procedures, systems
from ansible_collections.ops.runbook.plugins.plugin_utils import plain_yaml

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "runner/*.md", "roles/*/*.md", "molecule/*.md", "molecule/images/*/*.md")
    for path in ROOT.glob(pattern)
)
FOUND = {one.name: one for one in procedures.read(ROOT, plain_yaml.load)}
OPTIONS = {
    name
    for path in ROOT.glob("roles/*/meta/argument_specs.yml")
    for entry in plain_yaml.load(path.read_text())["argument_specs"].values()
    for name in entry.get("options", {})
}
CALL = re.compile(r"ansible-playbook\b[^\n`]*?(?:ops\.runbook\.|playbooks/)([a-z_]+)(?:\.yml)?([^\n`]*)")
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(#[^)\s]+)?\)")


def anchors(text: str) -> set[str]:
    """Headings as GitHub names them."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return {
        "#" + re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    wrong = []
    for path, anchor in LINK.findall(page.read_text()):
        to = (page.parent / path).resolve() if path else page
        if not to.exists() or anchor and to.suffix == ".md" and anchor not in anchors(to.read_text()):
            wrong.append(path + anchor)
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_procedure_and_every_input_that_is_typed_is_there(page: Path) -> None:
    wrong = []
    for name, rest in CALL.findall(page.read_text()):
        if name not in FOUND:
            wrong.append(name)
            continue
        known = {one.name for one in FOUND[name].inputs} | OPTIONS
        given = re.findall(r"-e \"?'?([a-z_]+)=", rest)
        wrong += [f"{name} -e {one}=" for one in given if one not in known and not one.startswith("ansible_")]
    assert wrong == []


@pytest.mark.parametrize("name", ["README", "reference/card"])
def test_every_word_that_looks_like_a_procedure_is_one(name: str) -> None:
    systems = {one.partition("_")[0] for one in FOUND}
    words = re.findall(r"`([a-z]+_[a-z_]+)(?: [^`]*)?`", (ROOT / f"docs/{name}.md").read_text())
    known = {*FOUND, *OPTIONS, *(one.name for found in FOUND.values() for one in found.inputs)}
    assert [word for word in words if word.partition("_")[0] in systems and word not in known] == []


def test_the_settings_of_awx_that_a_page_shows_are_settings() -> None:
    text = (ROOT / "docs/reference/awx.md").read_text()
    shown = {key for block in re.findall(r"^```yaml\n(.*?)^```", text, re.M | re.S) for key in keys(block)}
    assert shown - {"awx_"} <= OPTIONS


def test_the_inventory_of_the_first_ten_minutes_is_one_that_the_role_takes() -> None:
    (block,) = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs/adopt.md").read_text(), re.MULTILINE | re.DOTALL)
    given = {name: value for name, value in plain_yaml.load(block)["laravel"]["vars"].items() if name != "ansible_user"}
    specs = plain_yaml.load((ROOT / "roles/laravel/meta/argument_specs.yml").read_text())["argument_specs"]
    options = specs["status"]["options"]
    assert {name for name, option in options.items() if option.get("required")} <= {*given} <= {*options}


def keys(block: str) -> set[str]:
    found = plain_yaml.load(block)
    return {key for key in found if key.startswith("awx_")} if isinstance(found, dict) else set()


def test_a_page_names_each_schedule() -> None:
    calendar = [one for system in systems.read(ROOT, plain_yaml.load).values() for one in system.schedules]
    text = "\n".join(page.read_text() for page in (ROOT / "docs").rglob("*.md"))
    assert calendar
    for one in calendar:
        (line,) = re.findall(rf"^\| {one['name']} \|.*$", text, re.MULTILINE)
        assert f"`{one['procedure']}`" in line and f"{one['hour']:02}:00" in line


def test_the_page_about_reliability_is_as_its_run_writes_it() -> None:
    """But for the rows, which only a run knows."""
    (path,) = ROOT.glob("molecule/**/reliability.py")
    writer = runpy.run_path(str(path))
    sections = {title: key for key, title in writer["SECTIONS"].items()}
    text, rows, section = (ROOT / "docs/proof/reliability.md").read_text(), [], ""
    for line in text.splitlines():
        section = sections.get(line[3:], "") if line.startswith("## ") else section
        if section and line.startswith("| ") and not line.startswith("| fault |"):
            cells = [cell.replace("\\|", "|") for cell in re.split(r"(?<!\\) \| ", line[2:-2])]
            rows.append(writer["Row"](section, (len(rows), 0), *cells))
    assert len(rows) > 50 and writer["page"](rows) == text


def test_the_mutations_of_the_page_about_reliability_are_of_code_that_is_there() -> None:
    """`Guard.phase` is the method of a class, `lease.standing` the function of a file, `durable_file` a file."""
    files = list(ROOT.glob("plugins/**/*.py"))
    defined = re.findall(
        r"(?:def|class) (\w+)|^(\w+)\b.* = ", "".join(path.read_text() for path in files), re.MULTILINE
    )
    known = {name for names in defined for name in names} | {path.stem for path in files}
    table = [line for line in (ROOT / "docs/proof/reliability.md").read_text().splitlines() if line.endswith(" |")]
    named = {name for line in table for name in re.findall(r"[(, ]`([\w/.]+)`", line.rsplit(" | ", 1)[1])}
    assert len(named) > 10
    assert [
        name for name in named if not name.endswith(".yml") and not {*name.split("/")[-1].split(".")} <= known
    ] == []


def test_the_page_about_performance_has_the_texts_of_its_writer() -> None:
    path = ROOT / "tools/bench/report.py"
    (texts,) = (
        ast.literal_eval(node.value)
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "TEXTS"
    )
    page = (ROOT / "docs/proof/performance.md").read_text()
    assert texts and [name for name, text in texts.items() if text not in page] == []


def test_the_page_about_a_new_system_names_the_code_of_its_model() -> None:
    toy, page = ROOT / "tests/toy_system", (ROOT / "docs/develop/add-a-system.md").read_text()
    code = [path for path in [*toy.rglob("*.py"), *toy.glob("playbooks/*")] if path.stat().st_size]
    assert len(code) >= 4
    assert [path.name for path in code if f"[{path.relative_to(toy)}](" not in page] == []


def examples() -> dict[str, dict[str, Any]]:
    blocks = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs/reference/ci.md").read_text(), re.MULTILINE | re.DOTALL)
    github, gitlab = (plain_yaml.load(block) for block in blocks)
    return {
        "github": {"script": github["jobs"]["rollback"]["steps"][1]["run"], "via": github},
        "gitlab": {"script": "\n".join(gitlab["rollback"]["script"]), "via": gitlab},
    }


@pytest.mark.parametrize("page", ["docs/reference/ci.md", "runner/README.md"])
def test_no_line_leaves_its_inputs_to_the_next_run(page: str) -> None:
    """Behind the verb: ansible-runner forgets an option that stands before it."""
    calls = re.findall(r"ansible-runner (?:run|transmit) \S+ (\S+) ", (ROOT / page).read_text())
    assert calls and {*calls} == {"--omit-env-files"}
    assert "ansible-runner --" not in (ROOT / page).read_text()


@pytest.mark.parametrize("name", ["github", "gitlab"])
def test_the_script_of_an_example_gives_what_was_typed(name: str, tmp_path: Path) -> None:
    """By a shell, with a reason that has in it what a shell would take for its own."""
    reason = (
        "INC-421 'login' \"loop\" $(touch pwned) `touch pwned` {{ lookup('pipe', 'touch pwned') }} {{ $user->name }}"
    )
    stand_in = tmp_path / "bin/ansible-runner"
    stand_in.parent.mkdir()
    stand_in.write_text(
        f"#!{sys.executable}\nimport json, sys\nword = sys.argv[-1]\nassert word.startswith('-e @'), word\n"
        "print(json.dumps([sys.argv[1:], json.load(open(word[4:]))]))\n"
    )
    stand_in.chmod(0o755)
    ran = subprocess.run(
        ["bash", "-eu", "-c", examples()[name]["script"]],
        cwd=tmp_path,
        env={
            "PATH": f"{stand_in.parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "RUNNER_TEMP": str(tmp_path),
            "CI_PROJECT_DIR": str(tmp_path / "project"),
            "TO": "previous",
            "REASON": reason,
        },
        check=False,
        capture_output=True,
        text=True,
    )
    if "jq: command not found" in ran.stderr:
        pytest.skip("jq is not installed")
    assert ran.returncode == 0, ran.stderr
    words, inputs = json.loads(ran.stdout)
    assert inputs == {"to": {"__ansible_unsafe": "previous"}, "reason": {"__ansible_unsafe": reason}}
    assert words[:3] == ["run", "runner", "--omit-env-files"] and "playbooks/laravel_rollback.yml" in words
    assert not list(tmp_path.rglob("pwned"))


def test_the_workflow_leaves_no_right_and_no_token_on_a_machine_that_is_kept() -> None:
    workflow = examples()["github"]["via"]
    assert workflow["permissions"] == {"contents": "read"}
    (step,) = [one for one in workflow["jobs"]["rollback"]["steps"] if "uses" in one]
    assert re.fullmatch(r"actions/checkout@[0-9a-f]{40}", step["uses"])
    assert step["with"] == {"persist-credentials": False}


def test_every_page_that_a_file_names_is_there() -> None:
    """In messages, comments and the pages of roles, from the root of the repository."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    wrong = []
    for path in (ROOT / name for name in listed.split() if not name.startswith(("tests/unit/", "collections/"))):
        if path.suffix in {".py", ".yml", ".yaml", ".cfg", ".rst", ".md", ""} and path.is_file():
            for page in re.findall(r"(?<![\w/])docs/[\w./-]+\.md\b", path.read_text()):
                wrong += [f"{path.relative_to(ROOT)}: {page}"] if not (ROOT / page).is_file() else []
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_of_the_repository_that_a_page_names_is_there(page: Path) -> None:
    paths = re.findall(r"`((?:molecule|ops_runbook|playbooks|plugins|roles|tests|tools)/[\w./-]+)`", page.read_text())
    assert [path for path in paths if not (ROOT / path).exists()] == []


#: Runbooks, as the playbooks name them before a section.
RUNBOOKS = {name for one in FOUND.values() for name in re.findall(r"\b([a-z]+-[a-z]+) (?:\d|\")", one.section)}
OF_A_RUNBOOK = sorted(ROOT.glob("docs/systems/**/*.md")) + [
    ROOT / f"docs/{name}.md"
    for name in (
        "incidents",
        "reference/backups",
        "reference/host-setup",
        "reference/maintenance",
        "reference/checks-before-merge",
    )
]


def runbook_line(text: str) -> str:
    """The line below the title: the runbook and its sections that the page implements."""
    found = re.match(r"# [^\n]+\n\nRunbook: ([^\n]+\.)\n\n", text)
    return found[1] if found else ""


@pytest.mark.parametrize("page", OF_A_RUNBOOK, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_names_its_runbook_below_its_title(page: Path) -> None:
    named = set(re.findall(r"\b(?:[a-z]+-[a-z]+)\b(?=,? (?:\d|\"|all sections))", runbook_line(page.read_text())))
    assert named and named <= RUNBOOKS


def test_every_runbook_of_a_procedure_has_a_page() -> None:
    lines = " ".join(runbook_line(page.read_text()) for page in OF_A_RUNBOOK)
    assert RUNBOOKS and [name for name in sorted(RUNBOOKS) if name not in lines] == []


def test_the_index_leads_to_every_page() -> None:
    index = ROOT / "docs/README.md"
    linked = {(index.parent / path).resolve() for path, _anchor in LINK.findall(index.read_text()) if path}
    pages = {*ROOT.glob("docs/**/*.md"), ROOT / "CONTRIBUTING.md"} - {index}
    assert sorted(str(page.relative_to(ROOT)) for page in pages - linked) == []


def test_the_index_calls_a_page_by_its_title() -> None:
    index = ROOT / "docs/README.md"
    rows = re.findall(r"^\| \[([^\]]+)\]\(([^)#]+)\) \|", index.read_text(), re.MULTILINE)
    titles = [(name, (index.parent / path).read_text().partition("# ")[2].partition("\n")[0]) for name, path in rows]
    assert len(titles) > 20 and [one for one in titles if one[0] != one[1]] == []


# -- words and lines that hold for every page --------------------------------------------------------

#: Words that a reader stumbles over, and what is written instead.
STUMBLES = {
    r"\bsurely\b": "with certainty",
    r"\bthe way on\b": "what to type",
    r"\bmakes of it\b": "whether it fits",
    r"\bgoes? past staging\b": "skips staging",
    r"\b[Mm]end(s|ed|ing)?\b": "fix, repair",
    r"\b(himself|needs not be|belongs into)\b": "themselves, need not be, belongs in",
    r"\bno procedure yet\b": "a row of docs/reference/roadmap.md",
    r"ansible-playbook( -\S+( \S+)?)* playbooks/": "the full name, which everybody can type",
}


def stumbles(text: str) -> list[str]:
    return [f"{found.group()}: {instead}" for word, instead in STUMBLES.items() for found in re.finditer(word, text)]


#: Forms that hide who does what, in the sentences of a page; outputs of programs keep their words.
HIDING = {
    r"(?<![Tt]here )\b(is|are|was|were|be) no\b(?! longer)": "is not a, has no",
    r"\b[Ww]hat (is|are|was|were)\b[^.|:;]*\b(is|are) what\b": "the noun for it",
    r"\b(is|are|was|were|be) told\b": "knows, gets, reads",
    r"\bgo(es|ne|ing)? by\b": "follows",
    r"\bgo(es|ne|ing)? on with\b": "resumes, continues",
    r"\bstands? (in|on|at|beside|below|above|there|around|still|where)\b": "is in, is beside, is down",
    r"\b(has|have) the last word\b": "decides",
    r"\bin the midst\b": "during, in the middle",
    r"\bworth a word\b": "above which it warns",
    r"\bthose that there are\b": "the present ones",
    r"\bwhat (is|was) (known of|not well|there)\b": "the noun for it",
}


def sentences(text: str) -> str:
    """A page without its blocks of code, inline code and quotations, each paragraph and row on a line of its own."""
    text = re.sub(r"^```.*?^```|^ {4,}\S.*?$", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"`[^`]*`|\"[^\"\n]*\"", "`…`", text)
    return re.sub(r"(?<!\n)\n(?![\n|#])", " ", text)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_typed_is_on_one_line_of_a_page(path: Path) -> None:
    """Else it is not copied as a whole."""
    text = re.sub(r"^```.*?^```|^ {4,}\S.*?$", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    assert [line for line in text.splitlines() if line.count("`") % 2] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_sentences_of_a_page_say_who_does_what(path: Path) -> None:
    text = sentences(path.read_text())
    found = [(one.group(), instead) for form, instead in HIDING.items() for one in re.finditer(form, text)]
    assert found == []


def test_a_form_that_hides_is_found_in_a_sentence_and_not_in_an_output() -> None:
    text = sentences(
        "A lock\nis no lease. What is kept is what was there.\n\n    it is no lease\n\n`is no` and there is no lock."
    )
    assert [sum(bool(re.search(form, text)) for form in HIDING), len(re.findall("is no ", text))] == [3, 2]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_is_read_without_stumbling(path: Path) -> None:
    assert stumbles(path.read_text()) == []


def test_a_stumble_is_found() -> None:
    assert len(stumbles("Mend it, surely; there is no procedure yet.")) == 3
    assert stumbles("ansible-playbook -i x playbooks/laravel_status.yml") and not stumbles("recommended, amend")


def test_the_table_of_codes_has_every_code_of_the_guard_of_laravel_and_of_compose() -> None:
    pages = "".join((ROOT / f"docs/{name}.md").read_text() for name in ("reference/operations", "systems/compose"))
    codes = {
        code
        for package in ("guard", "console", "hotfix", "migrations", "laravel", "compose")
        for path in (ROOT / "plugins/module_utils" / package).rglob("*.py")
        for code in re.findall(r'\b(?:Refusal|Problem)\(\s*"([a-z_]+)"', path.read_text())
    }
    assert len(codes) > 40 and [code for code in sorted(codes) if f"`{code}`" not in pages] == []


def test_a_page_that_exports_the_inventory_exports_the_screen_too() -> None:
    """An installed collection has no ansible.cfg that would switch it on."""
    screen = "export ANSIBLE_STDOUT_CALLBACK=ops.runbook.operator"
    pages = [path for path in PAGES if "\n    export ANSIBLE_INVENTORY=" in path.read_text()]
    assert pages and [path.name for path in pages if screen not in path.read_text()] == []
    assert screen in (ROOT / "README.md").read_text()
