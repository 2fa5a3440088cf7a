"""What a participant kept, beside the proof: receipts, commitments, inclusions, leaves, keys."""

import pytest

from raffles.tests.fairness import scenarios
from raffles.tests.fairness.mutations import encode
from raffles.tests.fairness.proofs import judge

OPERATOR_ONLY = "VALID, randomness vouched for by the operator only"
ONE_PRIZE = [{"name": "pen", "amount": 1}]
NOT_READ = "whether the log holds another seal of this raffle was not checked"


@pytest.mark.parametrize("name", scenarios.SCENARIOS)
def test_what_was_kept(name: str) -> None:
    files, valid, says = scenarios.SCENARIOS[name]
    verdict = judge(encode(scenarios.PROOF), **files)
    if valid:
        assert verdict.words == OPERATOR_ONLY
        *_, last, remark = (step["computed"] for step in verdict.steps)
        assert (last, remark) == (says, NOT_READ)
    else:
        assert verdict.words == f"INVALID: {says}"


def test_every_part_of_a_receipt_is_signed() -> None:
    receipt = scenarios.receipt(scenarios.LEAVES[3])
    for name in ("leaf", "terms_hash", "signature"):
        for at in range(0, len(receipt[name]), 16):
            digit = "1" if receipt[name][at] != "1" else "2"
            text = receipt[name][:at] + digit + receipt[name][at + 1 :]
            files = {"receipt": receipt | {name: text}, "leaves": scenarios.ALL_LEAVES}
            words = judge(encode(scenarios.PROOF), **files).words
            assert words == "INVALID: the signature of the receipt is wrong"


def test_two_leaves_that_are_the_same_are_refused_although_they_make_the_root() -> None:
    leaves = [*scenarios.LEAVES[:16], scenarios.LEAVES[3]]
    proof = scenarios.proofs.draw(scenarios.TERMS | {"prizes": ONE_PRIZE}, leaves).proof
    hashes = b"".join(scenarios.proofs.leaf_hash(leaf) for leaf in leaves)
    words = judge(encode(proof), leaves=hashes).words
    assert words == "INVALID: a leaf occurs twice"


def test_another_ticket_under_the_number_of_a_receipt_is_refused() -> None:
    # The operator committed to two tickets of one number, and one of them won.
    terms = scenarios.TERMS | {"prizes": ONE_PRIZE, "alternates": 0, "max_wins_per_holder": 0}
    twins = [scenarios.LEAVES[1], scenarios.other_holder(scenarios.LEAVES[1])]
    proof = scenarios.proofs.draw(terms, twins).proof
    [winner] = proof["winners"]
    leaves = b"".join(map(scenarios.proofs.leaf_hash, twins))
    says = {
        leaf.hex() == winner["leaf"]: judge(
            encode(proof), receipt=scenarios.receipt(leaf, terms), leaves=leaves
        ).words
        for leaf in twins
    }
    assert says == {
        True: OPERATOR_ONLY,
        False: "INVALID: another ticket was drawn under the receipt's number",
    }
