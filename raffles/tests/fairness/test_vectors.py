"""The published cases: files as a reader of another language was given them, and what is said."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from raffles.fairness import verify

Json = dict[str, Any]

CASES: dict[str, dict[str, Json]] = json.loads(
    Path(__file__).with_name("vectors").joinpath("draw-vectors.json").read_bytes()
)["cases"]
ALL = CASES["valid"] | CASES["tampered"]
ACCUSATIONS = (
    "two signed commitments for one draw",
    "other terms",
    "not in the committed tree",
    "the log holds another seal of this raffle",
)
BY_THE_COMMAND = [
    name for i, name in enumerate(ALL) if i % 12 == 0 or name.startswith(("raw-", "attack-"))
]


def write_files(case: Json, folder: Path) -> list[str]:
    """Write the files of a case and return the arguments that name them."""
    contents = {}
    for name, value in case.get("files", {}).items():
        if name == "leaves_hex":
            contents["leaves"] = bytes.fromhex(value)
        else:
            text = value if name in ("log", "witnesses") else json.dumps(value)
            contents[name] = text.encode()
    for name, text in case.get("raw", {}).items():
        as_hex = name.endswith("_hex")
        contents[name.removesuffix("_hex")] = bytes.fromhex(text) if as_hex else text.encode()
    arguments = []
    for name, content in contents.items():
        path = folder / name
        path.write_bytes(content)
        arguments += [str(path)] if name == "proof" else [f"--{name}", str(path)]
    return arguments


def check_answer(case: Json, status: int, last: str, said: str) -> None:
    expected = {1, 2} if case.get("either") else {case["exit"]}
    assert status in expected, said
    if status == 1:
        assert last.startswith("INVALID: ")
    elif status != 2:
        assert last == case["verdict"]
    if status == 1 and "accuses" in case:
        # The remark that the log was not read is none of the four.
        accused = [words for words in ACCUSATIONS if words in last]
        assert accused == ([case["accuses"]] if case["accuses"] else [])


@pytest.mark.parametrize("name", ALL)
def test_case(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = ALL[name]
    status = verify.main([*write_files(case, tmp_path), "--json"])
    out, err = capsys.readouterr()
    answer: Json = json.loads(out) if out else {"verdict": "", "exit": 2, "counted": []}
    assert answer["exit"] == status
    assert bool(err) is (status == 2)
    check_answer(case, status, answer["verdict"], out + err)
    if "counted" in case:
        counted = [[each["name"], each["seconds"]] for each in answer["counted"]]
        assert sorted(counted) == sorted(case["counted"])


@pytest.mark.parametrize("name", BY_THE_COMMAND)
def test_case_by_the_command(name: str, tmp_path: Path) -> None:
    case = ALL[name]
    done = subprocess.run(
        [sys.executable, "-I", "-S", verify.__file__, *write_files(case, tmp_path)],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    last = done.stdout.splitlines()[-1] if done.stdout else ""
    check_answer(case, done.returncode, last, done.stdout + done.stderr)
    assert "Traceback" not in done.stderr


def test_every_status_and_accusation_is_among_the_cases() -> None:
    assert {case["exit"] for case in ALL.values()} == {0, 1, 2, 3}
    assert {case.get("accuses") for case in ALL.values()} >= set(ACCUSATIONS)
    assert len(ALL) == len(CASES["valid"]) + len(CASES["tampered"]) == 668
