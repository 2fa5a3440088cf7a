"""verify.py as a participant runs it: one file, an empty folder, no installed package."""

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from raffles.fairness import verify
from raffles.tests.fairness import scenarios
from raffles.tests.fairness.mutations import encode

SCRIPT = Path(verify.__file__)
OPERATOR_ONLY = "VALID, randomness vouched for by the operator only"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the script and one of each file, valid together."""
    shutil.copy(SCRIPT, tmp_path / "verify.py")
    files = {
        "proof": encode(scenarios.PROOF),
        "receipt": encode(scenarios.MINE),
        "commitment": encode(scenarios.seal()),
        "inclusion": encode(scenarios.inclusion(1)),
        "keys": encode(scenarios.KEYS),
        "leaves": scenarios.ALL_LEAVES,
        "tampered": encode(scenarios.PROOF | {"seed": "0" * 64}),
        "html": b"<!doctype html>",
        "latin": b'"\xe4"',
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-S", "verify.py", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def test_valid_proof_with_all_that_was_kept(folder: Path) -> None:
    options = ["receipt", "commitment", "inclusion", "leaves", "keys"]
    done = run(folder, "proof", *(part for name in options for part in (f"--{name}", name)))
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[-1] == OPERATOR_ONLY
    assert [line.split("  ")[0] for line in lines[:-1]] == [
        "raffle",
        "draw number",
        "commitment",
        "randomness",
        "seed",
        "draw",
        "tickets",
        "seal",
        "receipt",
        "inclusion",
        "leaves",
    ]
    assert "wins “telescope”, signature good" in lines[8]


def test_tampered_proof_exits_1_with_the_reason_last(folder: Path) -> None:
    done = run(folder, "tampered")
    assert (done.returncode, done.stderr) == (1, "")
    reason = "INVALID: the seed does not follow from the commitment and the randomness"
    assert done.stdout.splitlines()[-1] == reason


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("missing", "proof cannot be read: [Errno 2] No such file or directory: 'missing'"),
        (".", "proof cannot be read: [Errno 21] Is a directory: '.'"),
        ("html", "proof is not JSON"),
        ("latin", "proof cannot be read: 'utf-8' codec can't decode"),
    ],
)
def test_file_that_cannot_be_read_exits_2(folder: Path, name: str, sentence: str) -> None:
    done = run(folder, name)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(sentence)


@pytest.mark.parametrize("option", ["receipt", "commitment", "inclusion", "leaves", "keys"])
def test_missing_file_beside_the_proof_exits_2(folder: Path, option: str) -> None:
    done = run(folder, "proof", f"--{option}", "missing")
    assert (done.returncode, done.stdout) == (2, "")
    assert "No such file or directory: 'missing'" in done.stderr


def test_unknown_option_exits_2(folder: Path) -> None:
    assert run(folder, "proof", "--fetch").returncode == 2


def test_json_is_one_object(folder: Path) -> None:
    good, bad = (run(folder, name, "--json") for name in ("proof", "tampered"))
    answer = json.loads(good.stdout)
    assert (good.returncode, bad.returncode) == (0, 1)
    assert (answer["verdict"], answer["valid"], len(answer["steps"])) == (OPERATOR_ONLY, True, 7)
    assert answer["steps"][4] == {"name": "seed", "computed": scenarios.PROOF["seed"]}
    assert json.loads(bad.stdout)["valid"] is False


def test_console_without_the_letters_of_a_name_is_no_reason_to_fail(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "utf8=0", "-S", "verify.py", "proof"],
        cwd=folder,
        env={"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0
    assert done.stdout.splitlines()[0].startswith(b"raffle       ?Fair?, ")


def test_script_runs_on_python_3_9_and_imports_the_standard_library_only() -> None:
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 9))
    imported = {
        name
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or "."]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert {name.split(".")[0] for name in imported} <= sys.stdlib_module_names
    assert "__future__" in imported
