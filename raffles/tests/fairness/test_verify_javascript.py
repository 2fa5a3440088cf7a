"""What only verify.js answers, in node; `test_verify_parity.py` asks it all published cases."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from raffles.tests.fairness import in_node
from raffles.tests.fairness.draw_vectors import CASES

pytestmark = pytest.mark.skipif(
    in_node.NODE is None, reason="node is not installed; verify.js needs one"
)
BY_NAME = {case.name: case for case in CASES}


@pytest.fixture(scope="module")
def ask() -> Iterator[in_node.Ask]:
    with in_node.asking() as ask:
        yield ask


@pytest.fixture
def judge(ask: in_node.Ask) -> in_node.Judge:
    return in_node.judging(ask)


def test_the_answer_names_the_winners_of_a_proof_that_holds(judge: in_node.Judge) -> None:
    files = BY_NAME["all-files"].files
    given = json.loads(files["proof"])["winners"]
    kept = ("rank", "prize", "index", "ticket_number")
    assert judge(files)["winners"] == [{key: winner[key] for key in kept} for winner in given]
    assert judge(BY_NAME["seal-by-another-key"].files)["winners"] == []


# --- Have I won? --------------------------------------------------------------------------


def outcome(ask: in_node.Ask, case: str, index: int, **changed: str) -> dict[str, Any]:
    """Return what a page says of the ticket at an index, from seal, inclusion and round alone."""
    files = BY_NAME[case].files
    proof = json.loads(files["proof"])
    entries = {entry["index"]: entry for entry in proof["winners"] + proof["skipped"]}
    inclusion = json.loads(files["inclusion"])
    if index != inclusion["index"]:
        entry = entries[index]
        leaf_hash = hashlib.sha256(b"\0" + bytes.fromhex(entry["leaf"])).hexdigest()
        inclusion |= {"index": index, "leaf_hash": leaf_hash, "path": entry["path"]}
    request = {
        "call": "outcomeOf",
        "commitment": files["commitment"].decode(),
        "inclusion": json.dumps(inclusion),
        "signature": proof["entropy"]["signature"],
    }
    return ask(request | changed)


def test_each_winner_knows_before_anybody_says_so(ask: in_node.Ask) -> None:
    for winner in json.loads(BY_NAME["all-files"].files["proof"])["winners"]:
        assert outcome(ask, "all-files", winner["index"]) == {
            "draw": winner["draw"],
            "rank": winner["rank"],
            "prize": winner["prize"],
            "isCertain": True,
        }
    kept = json.loads(BY_NAME["all-files"].files["inclusion"])["index"]
    assert outcome(ask, "all-files", kept)["rank"] is None


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"signature": "00"}, "signature is not 96 lowercase hex digits"),
        (
            {
                "signature": "95a9f9f5b231b7714de1553105d8ffdf3dcda24cfdb1e689319bccf79a9c8ce4"
                "30a91b811fbfaf763900bc998b5d686a"
            },
            "the signature is not the beacon's for round 1000",
        ),
        ({"inclusion": "{}"}, None),
        ({"commitment": "null"}, "the terms name no known source of randomness"),
    ],
)
def test_what_does_not_fit_says_nothing_of_winning(
    ask: in_node.Ask, changed: dict[str, str], reason: str | None
) -> None:
    refused = outcome(ask, "all-files", 1, **changed)["refused"]
    assert refused == (reason or refused)
    assert refused.startswith("inclusion is not an object") is (reason is None)
