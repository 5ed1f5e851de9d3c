"""The workflow only names scripts that anybody can run, and nothing that can change behind its back."""

import hashlib
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # comes with distributed

from priot_hil.harness.paths import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))
SCRIPTS = sorted(path for path in (ROOT / ".ci").iterdir() if path.is_file())
INSTALL = ROOT / ".ci" / "install-renode"
# Variables that only a runner of GitHub sets: nobody else has these.
PROGRAMS = ("bash", "tar", "gzip")
needs_programs = pytest.mark.skipif(
    not all(map(shutil.which, PROGRAMS)), reason=f"not all of {', '.join(PROGRAMS)} are on the PATH"
)
RUNNERS_ONLY = re.compile(r"\b(GITHUB|RUNNER)_[A-Z]+")


def read(path: Path) -> dict[Any, Any]:
    """A workflow; YAML takes its key `on` for a truth value."""
    workflow: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {"on" if key is True else key: value for key, value in workflow.items()}


def steps(workflow: dict[Any, Any]) -> Iterator[dict[str, Any]]:
    """All steps of all jobs."""
    for job in workflow["jobs"].values():
        yield from job["steps"]


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.name)
def path(request: pytest.FixtureRequest) -> Path:
    """Each workflow that there is."""
    return Path(request.param)


def test_there_is_a_workflow() -> None:
    """The tests below look at each."""
    assert [each.name for each in WORKFLOWS] == ["ci.yml"]


def test_it_runs_weekly_and_by_hand(path: Path) -> None:
    """Beside each change."""
    events = read(path)["on"]
    assert set(events) == {"push", "pull_request", "schedule", "workflow_dispatch"}
    (when,) = events["schedule"]
    minute, hour, *day, weekday = when["cron"].split()
    assert (day, len(weekday)) == (["*", "*"], 1)
    assert minute.isdigit()
    assert hour.isdigit()


def test_it_may_only_read(path: Path) -> None:
    """Neither the workflow nor a job asks for more, and the checkout leaves no token behind."""
    workflow = read(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert not any("permissions" in job or "secrets" in job for job in workflow["jobs"].values())
    assert "secrets." not in path.read_text(encoding="utf-8")
    for step in steps(workflow):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_actions_are_pinned_by_commit(path: Path) -> None:
    """A tag can be moved; the version stands behind the commit, the same for the same commit."""
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if re.search(r"\buses:", line)]
    found = [re.fullmatch(r"(?:- )?uses: ([\w-]+/[\w-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)", line) for line in lines]
    assert all(found), lines
    pins = {(pin[1], pin[2], pin[3]) for pin in found if pin}
    assert len(lines) == sum("uses" in step for step in steps(read(path)))
    assert len(pins) == len({action for action, _, _ in pins}), "one action, one version"
    assert len(pins) >= 4


def test_actions_run_on_a_node_that_is_there(path: Path) -> None:
    """Those before these versions run on Node 20 or older."""
    first = {"actions/checkout": 5, "actions/setup-python": 6, "actions/cache": 5, "actions/upload-artifact": 6}
    for action, version in re.findall(r"uses: (\S+)@[0-9a-f]+ # v(\d+)", path.read_text(encoding="utf-8")):
        assert int(version) >= first[action]


def test_steps_are_scripts(path: Path) -> None:
    """Each is one script of `.ci`, with nothing that the runner alone could fill in."""
    run = [step["run"] for step in steps(read(path)) if "run" in step]
    assert run
    for command in run:
        assert re.fullmatch(r"\.ci/[a-z-]+", command), command
        assert ROOT / command in SCRIPTS


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_run_anywhere(script: Path) -> None:
    """Executable, strict, and without the runner's own variables."""
    text = script.read_text(encoding="utf-8")
    assert text.startswith("#!/usr/bin/env bash\n# ")
    assert os.access(script, os.X_OK)
    assert "\nset -euo pipefail\n" in text
    assert not RUNNERS_ONLY.search(text)


@needs_programs
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_correct_as_bash(script: Path) -> None:
    """As far as it can be said without running them."""
    subprocess.run(["bash", "-n", script], check=True)


def test_scripts_name_tests_and_tasks_that_there_are() -> None:
    """What the documents' commands are held to as well: `test_documents.py`."""
    for script in SCRIPTS:
        for word in re.findall(r"\btests/[\w./]+", script.read_text(encoding="utf-8")):
            assert (ROOT / word).exists(), f"{script.name}: {word}"


def test_renode_s_jobs_leave_out_what_is_exhaustive() -> None:
    """The equivalence suite as it is chosen by default, and all of Renode's own tests, which are slow."""
    commands = [line for line in (ROOT / ".ci" / "renode").read_text().splitlines() if line.startswith("./run")]
    suite, own = commands
    assert suite.startswith("./run pytest --device=renode tests/equivalence ")
    assert " -m " not in suite
    assert own.startswith("./run pytest -m slow tests/harness/test_renode.py ")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A release in miniature: one folder, in it a program that says its version."""
    program = tmp_path / "release" / "renode"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho a version\n")
    program.chmod(0o755)
    path = tmp_path / "archive.tar.gz"
    with tarfile.open(path, "w:gz") as made:
        made.add(program.parent, "renode_1.16.1-dotnet_portable")
    return path


def install(folder: Path, archive: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the script; no program is on the PATH that could fetch anything."""
    commands = folder.parent / "commands"
    commands.mkdir(exist_ok=True)
    (commands / "curl").write_text("#!/bin/sh\nexit 22\n")
    (commands / "curl").chmod(0o755)
    environment = {"PATH": f"{commands}:{os.environ['PATH']}", "RENODE_ARCHIVE": str(archive), **variables}
    return subprocess.run([INSTALL, folder], env=environment, capture_output=True, text=True, check=False)


@needs_programs
def test_the_right_archive_is_unpacked(archive: Path, tmp_path: Path) -> None:
    """Into the folder of one's choice, a name with a space too; the second time it is there."""
    folder = tmp_path / "my tools" / "renode"
    folder.mkdir(parents=True)
    right = hashlib.sha256(archive.read_bytes()).hexdigest()
    for known in (right, "0" * 64):
        said = install(folder, archive, RENODE_SHA256=known)
        assert (said.returncode, said.stdout) == (0, "a version\n"), said.stderr
        assert [each.name for each in folder.iterdir()] == ["renode"]


@needs_programs
@pytest.mark.parametrize("is_file", [False, True])
def test_nothing_else_is_replaced(archive: Path, tmp_path: Path, is_file: bool) -> None:
    """A folder of something else, or a file, stays as it is."""
    folder = tmp_path / "mine"
    if is_file:
        folder.write_text("mine")
    else:
        (folder / "more").mkdir(parents=True)
    said = install(folder, archive, RENODE_SHA256=hashlib.sha256(archive.read_bytes()).hexdigest())
    assert said.returncode == 2
    assert said.stderr == (
        f"error: {folder}: expected a new or an empty folder, or one with Renode in it, got something else; "
        "name another one.\n"
    )
    assert folder.read_text() == "mine" if is_file else (folder / "more").is_dir()


@needs_programs
@pytest.mark.parametrize("variables", [{}, {"RENODE_SHA256": ""}, {"RENODE_SHA256": "0" * 64}], ids=["", "none", "0"])
def test_another_archive_is_refused(archive: Path, tmp_path: Path, variables: dict[str, str]) -> None:
    """Where its sum is another, or none is given: one sentence, status 2, and nothing is unpacked."""
    folder = tmp_path / "renode"
    said = install(folder, archive, **variables)
    assert said.returncode == 2
    got = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert re.fullmatch(rf"error: {archive}: expected the SHA-256 .*, got {got}; it is not Renode .*\n", said.stderr)
    assert not folder.exists()


def test_the_sum_is_a_sum_and_the_version_is_the_tested_one() -> None:
    """Of the release that `harness/renode` is tested with."""
    from priot_hil.harness.renode import TESTED_VERSION

    text = INSTALL.read_text(encoding="utf-8")
    assert re.search(r"^expected=\$\{RENODE_SHA256-[0-9a-f]{64}\}$", text, re.MULTILINE)
    assert re.search(rf"^version={re.escape(TESTED_VERSION)}$", text, re.MULTILINE)


@needs_programs
def test_what_cannot_be_fetched_leaves_nothing(tmp_path: Path) -> None:
    """The status is not 0, and no archive is there that a cache would keep."""
    assert install(tmp_path / "renode", tmp_path / "none.tar.gz").returncode != 0
    assert not (tmp_path / "none.tar.gz").exists()
    assert not (tmp_path / "renode").exists()
