"""The published cases of raffle-draw-v2, as files that a verifier reads.

`draw-vectors.json` was made by an implementation that shares nothing with ours but the text of
the protocol. The drand rounds in it are real; every other key is worth nothing.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

Files = dict[str, bytes]

ACCUSATIONS = (
    "two signed commitments for one draw",
    "other terms",
    "not in the committed tree",
    "the log holds another seal of this raffle",
)
TEXTS = ("log", "witnesses")


class Case(NamedTuple):
    """Files by the names of a verifier's options, and what must be said of them."""

    name: str
    files: Files
    expected: dict[str, Any]


def _files_of(case: dict[str, Any]) -> Files:
    files = {}
    for name, value in case["files"].items():
        if name == "leaves_hex":
            files["leaves"] = bytes.fromhex(value)
        else:
            files[name] = (value if name in TEXTS else json.dumps(value)).encode()
    for name, text in case.get("raw", {}).items():
        is_hex = name.endswith("_hex")
        files[name.removesuffix("_hex")] = bytes.fromhex(text) if is_hex else text.encode()
    return files


def _read() -> list[Case]:
    path = Path(__file__).parent / "vectors" / "draw-vectors.json"
    groups = json.loads(path.read_text(encoding="utf-8"))["cases"]
    return [
        Case(name, _files_of(case), case)
        for group in groups.values()
        for name, case in group.items()
    ]


CASES = _read()


def faults_in(answer: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """Return what of an answer {verdict, exit, counted} is not as a case expects it."""
    verdict, faults = answer["verdict"], []
    exits = (1, 2) if expected.get("either") else (expected["exit"],)
    if answer["exit"] not in exits:
        faults.append(f"exit {answer['exit']}")
    is_right = verdict == expected["verdict"]
    if answer["exit"] == 1:
        is_right = verdict.startswith("INVALID: ")
    if not is_right and answer["exit"] != 2:
        faults.append(verdict)
    if "accuses" in expected:
        said = {words for words in ACCUSATIONS if words in verdict}
        if said != {expected["accuses"]} - {""}:
            faults.append(f"accuses: {verdict}")
    if "counted" in expected:
        counted = sorted([each["name"], each["seconds"]] for each in answer["counted"])
        if counted != sorted(expected["counted"]):
            faults.append(f"counted {counted}")
    return faults
