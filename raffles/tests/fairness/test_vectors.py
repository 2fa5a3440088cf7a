"""The published cases: files as a reader of another language was given them, and what is said."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from raffles.fairness import verify
from raffles.tests.fairness.draw_vectors import ACCUSATIONS, CASES, Case, Files, faults_in

# Every case is judged by the command's own function; as a process, one of each kind of answer.
BY_THE_COMMAND = [
    *{(case.expected["exit"], case.expected.get("accuses")): case for case in CASES}.values(),
    *(case for case in CASES if case.name.startswith("raw-")),
]


def write_files(files: Files, folder: Path) -> list[str]:
    """Writes the files and returns the arguments that name them."""
    arguments = []
    for name, content in files.items():
        path = folder / name
        path.write_bytes(content)
        arguments += [str(path)] if name == "proof" else [f"--{name}", str(path)]
    return arguments


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = verify.main([*write_files(case.files, tmp_path), "--json"])
    out, err = capsys.readouterr()
    answer = json.loads(out) if out else {"verdict": "", "exit": 2, "counted": []}
    assert answer["exit"] == status
    assert bool(err) is (status == 2)
    assert faults_in(answer, case.expected) == []


@pytest.mark.parametrize("case", BY_THE_COMMAND, ids=lambda case: case.name)
def test_case_by_the_command(case: Case, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", verify.__file__, *write_files(case.files, tmp_path)],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    answer = {"exit": done.returncode, "verdict": ["", *done.stdout.splitlines()][-1]}
    expected = {name: value for name, value in case.expected.items() if name != "counted"}
    assert faults_in(answer, expected) == [], done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_every_status_and_accusation_is_among_the_cases() -> None:
    assert {case.expected["exit"] for case in CASES} == {0, 1, 2, 3}
    assert {case.expected.get("accuses") for case in CASES} >= set(ACCUSATIONS)
    assert len({case.name for case in CASES}) == len(CASES) == 668
