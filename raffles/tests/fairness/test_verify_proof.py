"""Whole proofs: the published vectors, the written limits, and what no proof may contain."""

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest

from raffles.fairness import verify
from raffles.tests.fairness import mutations, proofs, scenarios
from raffles.tests.fairness.proofs import Json, judge

VECTORS = json.loads(Path(__file__).with_name("vectors").joinpath("draw-vectors.json").read_text())
TAMPERED = {
    "drop-last-winner": "index 744 was drawn, the proof leaves it out",
    "other-index": "draw 0 is index 7, the proof says otherwise",
    "short-path": "an inclusion path is too short",
    "other-root": "the commitment does not have the commitment_hash",
    "extra-prize": "the commitment does not have the commitment_hash",
    "other-round": "the round of the beacon is not the committed one",
    "flipped-signature": "the beacon's signature is not a point of the curve",
    "forged-beacon": "the beacon's signature is not a point of the curve",
    "forged-torsion": "the beacon's signature is not in the subgroup of prime order",
    "forged-closed-after-the-round": "the round of the beacon is earlier than 30 s after the close",
    "swapped-winners": "draw 0 is index 7, the proof says otherwise",
    "float-count": "proof has a number with a fraction or an exponent",
    "drop-skip": "index 12 was drawn, the proof leaves it out",
}
OPERATOR_ONLY = "VALID, randomness vouched for by the operator only"


def words(proof: Json) -> str:
    return judge(mutations.encode(proof)).words


def changed(proof: Json, place: str, value: Any) -> Json:
    """A copy with the value at a place such as "winners.0.rank"."""
    proof = copy.deepcopy(proof)
    *outer, last = [int(key) if key.isdigit() else key for key in place.split(".")]
    within: Any = proof
    for key in outer:
        within = within[key]
    within[last] = value
    return proof


@pytest.mark.parametrize("name", VECTORS["valid"])
def test_valid_vector(name: str) -> None:
    assert words(VECTORS["valid"][name]) == (OPERATOR_ONLY if name == "system" else "VALID")


def test_every_tampered_vector_has_its_reason() -> None:
    verdicts = {name: words(proof) for name, proof in VECTORS["tampered"].items()}
    assert verdicts == {name: f"INVALID: {reason}" for name, reason in TAMPERED.items()}


def test_steps_of_a_beacons_draw() -> None:
    proof = VECTORS["valid"]["unicode"]
    assert judge(mutations.encode(proof)).steps == [
        {"name": "raffle", "computed": "“Fair”, b1d7670688364091bc0bba53a82247d1, 63 tickets"},
        {"name": "draw number", "computed": "1: no earlier one"},
        {
            "name": "commitment",
            "computed": f"{proof['commitment_hash']}, closed 2023-08-23 14:13:20 UTC",
        },
        {
            "name": "randomness",
            "computed": "beacon round 123 of 2023-08-23 15:15:33 UTC, signature good",
        },
        {"name": "seed", "computed": proof["seed"]},
        {"name": "draw", "computed": "7 winners and alternates, 0 skipped"},
        {"name": "tickets", "computed": f"7 inclusion paths lead to {proof['commitment']['root']}"},
    ]


@pytest.mark.parametrize(("text", "expected"), scenarios.TEXTS, ids=range(len(scenarios.TEXTS)))
def test_text_in_place_of_a_proof(text: bytes, expected: str) -> None:
    assert judge(text).words == expected


@pytest.mark.parametrize("seed", range(200))
def test_proof_made_the_slow_way_is_valid(seed: int) -> None:
    assert words(proofs.make_random(random.Random(seed)).proof) == OPERATOR_ONLY


def test_no_mutated_proof_is_believed() -> None:
    assert list(mutations.believed(2_000, seed=20_000, drand_share=0.02)) == []


@pytest.mark.parametrize("mutation", mutations.MUTATIONS)
def test_every_mutation_changes_the_bytes(mutation: Any) -> None:
    for seed in range(50):
        proof = scenarios.PROOF
        mutated = mutation(random.Random(seed), copy.deepcopy(proof))
        assert mutated != mutations.encode(proof)


# --- Limits -------------------------------------------------------------------------------


def test_earlier_draw_is_told() -> None:
    terms = proofs.make_terms()
    proof = proofs.draw(terms, proofs.make_leaves(terms, 3), draw_no=2, prev="1" * 64).proof
    verdict = judge(mutations.encode(proof))
    assert verdict.words == OPERATOR_ONLY
    assert verdict.steps[1] == {
        "name": "draw number",
        "computed": "2: an earlier draw of this raffle was voided",
    }


@pytest.mark.parametrize(("draw_no", "prev"), [(1, "1" * 64), (2, "0" * 64)])
def test_draw_number_and_predecessor_agree(draw_no: int, prev: str) -> None:
    terms = proofs.make_terms()
    proof = proofs.draw(terms, proofs.make_leaves(terms, 3), draw_no=draw_no, prev=prev).proof
    assert words(proof) == "INVALID: draw_no and prev contradict each other"


@pytest.mark.parametrize(("before", "verdict"), [(30, "VALID"), (29, None)])
def test_round_is_thirty_seconds_after_the_close(before: int, verdict: str | None) -> None:
    terms = proofs.make_terms("drand")
    closed_at = verify.time_of_round(42) - before
    leaves = proofs.make_leaves(terms, 3)
    proof = proofs.draw(terms, leaves, beacon_round=42, closed_at=closed_at).proof
    early = "INVALID: the round of the beacon is earlier than 30 s after the close"
    assert words(proof) == (verdict or early)


def test_empty_pool_is_a_draw_without_winners() -> None:
    proof = proofs.draw(proofs.make_terms(), []).proof
    assert words(proof) == OPERATOR_ONLY
    assert proof["winners"] == []


def test_more_tickets_than_the_raffle_has() -> None:
    terms = proofs.make_terms(capacity=3)
    proof = proofs.draw(terms, proofs.make_leaves(terms | {"capacity": 4}, 4)).proof
    assert words(proof) == "INVALID: more tickets are committed than the raffle has"


def test_number_above_the_capacity() -> None:
    terms = proofs.make_terms(capacity=4)
    leaves = proofs.make_leaves(terms | {"capacity": 5}, 4)
    winner = proofs.draw(terms, leaves).proof["winners"]
    [index] = [entry["index"] for entry in winner if entry["ticket_number"] == 5]
    assert (
        words(proofs.draw(terms, leaves).proof)
        == f"INVALID: the leaf of index {index} is not of this raffle and number"
    )


def test_one_number_twice_in_the_pool() -> None:
    terms = proofs.make_terms(capacity=2)
    leaf = proofs.make_leaves(terms, 1)[0]
    assert words(proofs.draw(terms, [leaf, leaf]).proof) == "INVALID: a ticket number occurs twice"


def test_leaf_of_another_raffle_in_the_pool() -> None:
    terms = proofs.make_terms(capacity=1)
    leaves = proofs.make_leaves(terms | {"raffle_id": "f" * 32}, 1)
    assert (
        words(proofs.draw(terms, leaves).proof)
        == "INVALID: the leaf of index 0 is not of this raffle and number"
    )


def test_other_randomness_with_everything_made_to_fit_needs_the_beacon() -> None:
    terms = proofs.make_terms("drand")
    proof = proofs.draw(terms, proofs.make_leaves(terms, 3), beacon_round=42).proof
    forged = proofs.draw(terms, proofs.make_leaves(terms, 3), beacon_round=123).proof
    forged["entropy"]["round"] = 42
    forged["commitment"] = proof["commitment"]
    forged["commitment_hash"] = proof["commitment_hash"]
    assert words(forged) == "INVALID: the signature is not the beacon's for round 42"


def test_randomness_is_computed_from_the_signature() -> None:
    terms = proofs.make_terms("drand")
    proof = proofs.draw(terms, proofs.make_leaves(terms, 3)).proof
    assert (
        words(changed(proof, "entropy.randomness", "0" * 64))
        == "INVALID: the randomness is not the hash of the beacon's signature"
    )


def test_beacon_is_not_replaced_by_the_operator() -> None:
    terms = proofs.make_terms("drand")
    proof = proofs.draw(terms, proofs.make_leaves(terms, 3)).proof
    forged = changed(proof, "entropy", {"source": "system", "randomness": "0" * 64})
    assert words(forged).startswith("INVALID: proof.entropy is not an object with exactly the keys")


def test_other_chain_is_refused() -> None:
    terms = proofs.make_terms("drand")
    terms["entropy"]["chain"] = "0" * 64
    proof = proofs.draw(terms, proofs.make_leaves(terms, 3)).proof
    assert words(proof) == f'INVALID: proof.commitment.terms.entropy.chain is not "{verify.CHAIN}"'


def test_huge_claims_cost_no_more_than_the_proof_is_long() -> None:
    terms = proofs.make_terms(
        capacity=2**53 - 1,
        prizes=[{"name": "pen", "amount": 2**53 - 1}] * 3,
        alternates=2**53 - 1,
    )
    proof = proofs.draw(terms, [], tickets=2**53 - 1, root="0" * 64).proof
    assert words(proof).endswith("was drawn, the proof leaves it out")


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        (
            "winners.0.rank",
            True,
            "proof.winners[0].rank is not an integer from 1 to 90071992547409",
        ),
        (
            "winners.0.index",
            "1",
            "proof.winners[0].index is not an integer from 0 to 90071992547409",
        ),
        ("winners.0.prize", 1, "proof.winners[0].prize is not text or null"),
        ("winners.0.prize", "pen", "draw 0 is index 1, the proof says otherwise"),
        ("winners.0.leaf", "", "proof.winners[0].leaf is not 112 lowercase hex digits"),
        ("winners.0.path", {}, "proof.winners[0].path is not a list"),
        ("winners.0.path", [None], "proof.winners[0].path[0] is not 64 lowercase hex digits"),
        ("winners.0", None, "proof.winners[0] is not an object with exactly the keys rank, prize"),
        ("skipped", None, "proof.skipped is not a list"),
        ("seed", "g" * 64, "proof.seed is not 64 lowercase hex digits"),
        ("seed", "0" * 64, "the seed does not follow from the commitment and the randomness"),
        ("commitment.v", "raffle-draw-v2", 'proof.commitment.v is not "raffle-draw-v1"'),
        ("commitment.round", 1, "proof.commitment is not an object with exactly the keys v, terms"),
        ("commitment.terms.name", "\ud800", "proof.commitment.terms.name is not text"),
        ("commitment.terms.prizes", [], "the commitment does not have the commitment_hash"),
        ("commitment.closed_at", 253402300800, "proof.commitment.closed_at is not an integer from"),
    ],
)
def test_member_out_of_shape(place: str, value: Any, reason: str) -> None:
    text = json.dumps(changed(scenarios.PROOF, place, value)).encode()
    assert judge(text).words.startswith(f"INVALID: {reason}")


def test_names_reach_the_terminal_as_letters_only() -> None:
    terms = proofs.make_terms(name="a\u001b[2J\u202eb\u00a0c\u200bd “Ω” 🎉 e")
    proof = proofs.draw(terms, proofs.make_leaves(terms, 1)).proof
    first = judge(mutations.encode(proof)).steps[0]["computed"]
    assert first.startswith("“a?[2J?b?c?d “Ω” 🎉 e”, ")
