"""What a participant kept, beside the proof: receipts, commitments, inclusions, leaves, keys."""

import io
from typing import Any

import pytest

from raffles.fairness import verify
from raffles.tests.fairness import scenarios
from raffles.tests.fairness.mutations import encode
from raffles.tests.fairness.proofs import judge

OPERATOR_ONLY = "VALID, randomness vouched for by the operator only"


@pytest.mark.parametrize("name", scenarios.SCENARIOS)
def test_what_was_kept(name: str) -> None:
    files, valid, says = scenarios.SCENARIOS[name]
    kept: dict[str, Any] = dict(files)
    if "leaves" in kept:
        kept["leaves"] = io.BytesIO(kept["leaves"])
    verdict = judge(encode(scenarios.PROOF), **kept)
    if valid:
        assert verdict.words == OPERATOR_ONLY
        assert verdict.steps[-1]["computed"].endswith(says)
    else:
        assert verdict.words == f"INVALID: {says}"


def test_every_part_of_a_receipt_is_signed() -> None:
    receipt = scenarios.receipt(scenarios.LEAVES[3])
    for name in ("leaf", "terms_hash", "signature"):
        for at in range(0, len(receipt[name]), 16):
            digit = "1" if receipt[name][at] != "1" else "2"
            text = receipt[name][:at] + digit + receipt[name][at + 1 :]
            with pytest.raises(verify.Invalid, match="the signature of the receipt is wrong"):
                verify.check_receipt(receipt | {name: text}, scenarios.PROOF, scenarios.KEYS)
