"""Whole proofs: the order of the checks, the written limits, and what no proof may contain."""

import copy
import functools
import io
import json
import random
from typing import Any

import pytest

from raffles.fairness import verify
from raffles.tests.fairness import campaign, mutations, proofs, scenarios
from raffles.tests.fairness.proofs import Json, judge

OPERATOR_ONLY = "VALID, randomness vouched for by the operator only"
TERMS = proofs.make_terms(
    "drand", max_wins_per_holder=1, cosigners=proofs.named("one", "two", "three")
)
WITNESSED, LEAVES = proofs.draw(TERMS, proofs.make_leaves(TERMS, 17, holders=6))
STATEMENTS = proofs.witness(WITNESSED, {"one": 40, "two": 5})


@pytest.fixture
def quick_beacon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cache pairings: each takes a tenth of a second, and tests repeat them."""
    monkeypatch.setattr(verify, "check_beacon", functools.cache(verify.check_beacon))
    is_good = functools.lru_cache(4096)(verify.signature_is_good)
    monkeypatch.setattr(verify, "signature_is_good", is_good)


def words(proof: Json, **files: Any) -> str:
    return judge(mutations.encode(proof), **files).words


def changed(proof: Json, place: str, value: Any) -> Json:
    """Return a copy with the value at a place such as "winners.0.rank"."""
    proof = copy.deepcopy(proof)
    *outer, last = [int(key) if key.isdigit() else key for key in place.split(".")]
    within: Any = proof
    for key in outer:
        within = within[key]
    within[last] = value
    return proof


def flipped(text: str) -> str:
    return ("1" if text[0] == "0" else "0") + text[1:]


@pytest.mark.parametrize(("text", "expected"), scenarios.TEXTS, ids=range(len(scenarios.TEXTS)))
def test_text_in_place_of_a_proof(text: bytes, expected: str) -> None:
    assert judge(text).words == expected


class Trickle(io.BytesIO):
    """A file that is read three bytes at a time, through the middle of letters and numbers."""

    def read(self, _size: int | None = -1) -> bytes:
        return super().read(3)


def test_file_is_read_the_same_in_whatever_pieces_it_comes() -> None:
    proof = made(2, name="Lãva “Ω” 🎉", prizes=[{"name": "🎉", "amount": 2}])
    data = json.dumps(proof, ensure_ascii=False, indent=1).encode()
    read = verify.read_json(Trickle(data), "proof", ("winners", "skipped"))
    assert type(read["winners"]) is verify.Entries
    assert [list(read["winners"]) for _ in range(2)] == [proof["winners"]] * 2
    assert len(read["winners"]) == 2
    whole = read | {"winners": list(read["winners"]), "skipped": list(read["skipped"])}
    assert whole == proof
    assert verify.verify(read, {}).words == OPERATOR_ONLY


SHORT = [(text, expected) for text, expected in scenarios.TEXTS if len(text) < 200]


@pytest.mark.parametrize(("text", "expected"), SHORT, ids=range(len(SHORT)))
def test_text_in_pieces_in_place_of_a_proof(text: bytes, expected: str) -> None:
    try:
        read = verify.read_json(Trickle(text), "proof", ("winners", "skipped"))
        words = f"INVALID: {verify.verify(read, {}).words}"
    except verify.Unreadable:
        words = "UNREADABLE"
    except verify.Invalid as reason:
        words = f"INVALID: {reason}"
    assert words == expected


@pytest.mark.parametrize("seed", range(200))
def test_proof_made_the_slow_way_is_valid(seed: int) -> None:
    assert words(proofs.make_random(random.Random(seed)).proof) == OPERATOR_ONLY


@pytest.mark.parametrize("seed", range(20))
def test_witnesses_that_are_in_time_are_counted(seed: int, quick_beacon: None) -> None:
    proof = proofs.make_random(random.Random(seed), "drand").proof
    terms, closed_at = proof["commitment"]["terms"], proof["commitment"]["closed_at"]
    published = proofs.time_of(proof["commitment"]["round"])
    assert published - closed_at < 61  # so that no answer of 3 to 60 s before is too early
    named = len(terms["cosigners"])
    verdict = judge(mutations.encode(proof))
    assert all(seconds >= 5 for _, seconds in verdict.counted)
    k = len(verdict.counted)
    assert verdict.words == (
        "VALID, not witnessed"
        if not named
        else f"VALID, witnessed before the randomness by {k} of {named}"
        if 2 * k > named
        else f"NOT AS PROMISED: the winners follow, but only {k} of {named} witnesses saw "
        "the seal in time"
    )


# --- Order --------------------------------------------------------------------------------

TOO_LARGE = 21  # the capacity is 20
BROKEN: list[tuple[str, Any, str]] = [
    ("winners.0.rank", "1", "proof.winners[0].rank is not an integer from 1 to 9007199254740991"),
    ("commitment.terms.capacity", 16, "more tickets are committed than the raffle has"),
    ("commitment.closed_at", 1, "the pool was closed before its time"),
    (
        "commitment_hash",
        flipped(WITNESSED["commitment_hash"]),
        "the commitment does not have the commitment_hash",
    ),
    ("seal.signature", "0" * 128, "the signature of the seal is wrong"),
    ("entropy.round", 42, "the round of the beacon is not the committed one"),
    (
        "entropy.signature",
        proofs.SIGNATURES[42],
        "the signature is not the beacon's for round 1000",
    ),
    (
        "entropy.randomness",
        "0" * 64,
        "the randomness is not the hash of the beacon's signature",
    ),
    ("seed", "0" * 64, "the seed does not follow from the commitment and the randomness"),
    ("winners.0.draw", 99, "draw 0 is index 1, the proof says otherwise"),
    ("winners.0.ticket_number", TOO_LARGE, "a ticket number is beyond the capacity"),
    ("winners.1.path", [], "a path is too short"),
    ("log.checkpoints.0.checkpoint", "", "checkpoint 1 is not a signed note"),
]


@pytest.mark.parametrize("first", range(len(BROKEN)))
def test_first_check_that_fails_gives_the_reason(first: int, quick_beacon: None) -> None:
    proof = WITNESSED
    for place, value, _ in BROKEN[first:]:
        proof = changed(proof, place, value)
    drawn = WITNESSED["winners"][0]["index"]
    reason = BROKEN[first][2].replace("index 1", f"index {drawn}")
    files = {"keys": None, "log": b"null", "receipt": None}
    assert words(proof, **files) == f"INVALID: {reason}"


def test_files_come_after_the_proof_and_in_their_order(quick_beacon: None) -> None:
    broken: dict[str, tuple[Any, str]] = {
        "keys": ({"keys": []}, "the key of the seal is not among the keys you hold"),
        "commitment": (None, "the terms name no known source of randomness"),
        "receipt": (None, "receipt is not an object with exactly the keys leaf, terms_hash, "),
        "inclusion": (None, "inclusion is not an object with exactly the keys commitment_hash"),
        "leaves": (b"", "the leaves do not make the committed tree"),
        "log": (b"null", "line 1 of the log is not a statement"),
    }
    while broken:
        files = {name: value for name, (value, _) in broken.items()}
        first = next(iter(broken))
        assert words(WITNESSED, **files).startswith(f"INVALID: {broken.pop(first)[1]}")


def test_account_of_a_witnessed_draw(quick_beacon: None) -> None:
    verdict = judge(mutations.encode(WITNESSED))
    assert verdict.words == "VALID, witnessed before the randomness by 2 of 3"
    assert verdict.counted == [("one", 40), ("two", 5)]
    assert [step["name"] for step in verdict.steps] == [
        "raffle",
        "close",
        "commitment",
        "seal",
        "randomness",
        "seed",
        "draw",
        "tickets",
        "log",
        "witness",
        "witness",
        "witness",
        "",
        "",
    ]
    assert verdict.steps[4]["computed"] == (
        "beacon round 1000 of 2023-08-23 15:59:24 UTC, signature good"
    )
    assert verdict.steps[11]["computed"] == (
        f'"three" {proofs.public_key("three")[:16]}, no answer (as the operator named it)'
    )


# --- Mutations ----------------------------------------------------------------------------


def test_no_mutated_proof_is_believed(quick_beacon: None) -> None:
    assert list(campaign.believed(2_000, seed=20_000, drand_share=0.2)) == []


def nothing_checked(*_: Any) -> verify.Step:
    return verify.Step("", "")


def time_as_written(_text: str, signature: bytes, _key: bytes) -> int:
    return int.from_bytes(signature[:8], "big")


@pytest.mark.parametrize(
    ("check", "left_out"),
    [
        ("check_signature", nothing_checked),
        ("check_draw", nothing_checked),
        ("check_tickets", nothing_checked),
        ("time_of_cosignature", time_as_written),
    ],
)
def test_a_check_that_is_left_out_is_seen(
    check: str, left_out: Any, quick_beacon: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, check, left_out)
    assert any(campaign.believed(20_000, seed=1, drand_share=0.2))


@pytest.mark.parametrize("mutation", mutations.MUTATIONS)
def test_every_mutation_changes_the_bytes(mutation: Any) -> None:
    for seed in range(50):
        for proof in (scenarios.PROOF, WITNESSED):
            mutated = mutation(random.Random(seed), copy.deepcopy(proof))
            assert mutated != mutations.encode(proof)


def other_values(value: Any) -> list[Any]:
    """Return values of the same kind that are not the value."""
    if type(value) is int:
        return [value + 1, max(value - 1, 0) if value else 2, 7 if value != 7 else 8]
    if type(value) is str and mutations.is_hex(value):
        return [flipped(value), value[:-1] + ("1" if value[-1] == "0" else "0")]
    if type(value) is str:
        return [f"{value}x", value[1:]]
    if type(value) is list:
        return [value[1:], value + value[:1]] if value else []
    return []


def test_no_other_value_of_one_member_is_believed(quick_beacon: None) -> None:
    places = list(mutations.slots(WITNESSED))
    assert len(places) > 140
    encoded = mutations.encode(WITNESSED)
    for within, key in places:
        honest = within[key]
        for value in other_values(honest):
            within[key] = value
            data = mutations.encode(WITNESSED)
            within[key] = honest
            assert campaign.deceives({"proof": encoded}, {"proof": data}) is None, (key, value)


def test_only_what_the_log_shows_may_be_less(quick_beacon: None) -> None:
    proof = copy.deepcopy(WITNESSED)
    del proof["log"]
    few = "NOT AS PROMISED: the winners follow, but only {} of 3 witnesses saw the seal in time"
    assert words(proof) == few.format(0)
    note = WITNESSED["log"]["checkpoints"][0]["checkpoint"]
    less = changed(WITNESSED, "log.checkpoints.0.checkpoint", note[: note.rindex("—")])
    assert words(less) == few.format(1)


# --- Section 3: bounds and times ----------------------------------------------------------


def made(leaves: int = 3, source: str = "system", **terms: Any) -> Json:
    """Return a proof that is right in everything but what its terms say."""
    given = proofs.make_terms(source, **terms)
    return proofs.draw(given, proofs.make_leaves(given, leaves)).proof


COSIGNERS = proofs.named("one", "two")
KEY = "1" * 64


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        (
            {"capacity": 10**7, "prizes": [{"name": "pen", "amount": 10**5}] * 2},
            "the prizes are more than 100000",
        ),
        (
            {"prizes": [{"name": "pen", "amount": 21}]},
            "the prizes are more than the raffle has tickets",
        ),
        ({"opens_at": 1692806304}, "opens_at is not before closes_at"),
        ({"opens_at": 1692806305}, "opens_at is not before closes_at"),
        (
            {"cosigners": COSIGNERS},
            "witnesses are named, but the randomness is the operator's",
        ),
        (
            {"authorities": [{"name": "tsa", "keys": [KEY]}]},
            "witnesses are named, but the randomness is the operator's",
        ),
    ],
)
def test_terms_out_of_bounds(terms: Json, reason: str) -> None:
    assert words(made(**terms)) == f"INVALID: {reason}"


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        (
            {"cosigners": [COSIGNERS[0], COSIGNERS[1] | {"name": "one"}]},
            "two cosigners have one name",
        ),
        (
            {"authorities": [{"name": "tsa", "keys": [KEY]}, {"name": "tsa", "keys": ["2" * 64]}]},
            "two authorities have one name",
        ),
        ({"cosigners": [COSIGNERS[0], COSIGNERS[0] | {"name": "two"}]}, "a key is named twice"),
        ({"authorities": [{"name": "tsa", "keys": [KEY, KEY]}]}, "a key is named twice"),
        (
            {
                "cosigners": COSIGNERS,
                "authorities": [{"name": "tsa", "keys": [COSIGNERS[0]["key"]]}],
            },
            "a key is named twice",
        ),
        ({"cosigners": proofs.named("operator")}, "a cosigner has the key of the seal"),
    ],
)
def test_witnesses_out_of_bounds(terms: Json, reason: str) -> None:
    assert words(made(source="drand", **terms)) == f"INVALID: {reason}"


def test_a_name_may_stand_in_both_lists(quick_beacon: None) -> None:
    proof = made(source="drand", cosigners=COSIGNERS, authorities=[{"name": "one", "keys": [KEY]}])
    assert words(proof).endswith("only 0 of 2 witnesses saw the seal in time")


@pytest.mark.parametrize(("seconds", "late"), [(180, ""), (181, ", late: 181 s after closes_at")])
def test_lateness_is_told_and_is_no_fault(seconds: int, late: str) -> None:
    terms = proofs.make_terms()
    closed_at = terms["closes_at"] + seconds
    proof = proofs.draw(terms, proofs.make_leaves(terms, 3), closed_at=closed_at).proof
    verdict = judge(mutations.encode(proof))
    assert verdict.words == OPERATOR_ONLY
    assert verdict.steps[1]["computed"].partition(" UTC")[2] == late


def test_close_before_its_time() -> None:
    terms = proofs.make_terms()
    closed_at = terms["closes_at"] - 1
    proof = proofs.draw(terms, proofs.make_leaves(terms, 3), closed_at=closed_at).proof
    assert words(proof) == "INVALID: the pool was closed before its time"


@pytest.mark.parametrize(
    ("tickets", "verdict"),
    [
        (20, OPERATOR_ONLY),
        (19, "INVALID: the pool was closed with tickets left and no closing time"),
    ],
)
def test_without_closing_time_only_sold_out(tickets: int, verdict: str) -> None:
    assert words(made(tickets, closes_at=0)) == verdict


@pytest.mark.parametrize("change", [-1, 1])
def test_round_is_not_chosen(change: int) -> None:
    terms = proofs.make_terms("drand")
    leaves = proofs.make_leaves(terms, 3)
    proof = proofs.draw(terms, leaves, round=1000 + change).proof
    assert words(proof) == "INVALID: the round is not the one that follows from the times"


# --- Sections 4 to 7 of the order ---------------------------------------------------------


def test_other_randomness_with_everything_made_to_fit_needs_the_beacon() -> None:
    terms = proofs.make_terms("drand", beacon_round=42)
    leaves = proofs.make_leaves(terms, 3)
    proof = proofs.draw(terms, leaves, beacon_round=42).proof
    forged = proofs.draw(terms, leaves, beacon_round=123, round=42).proof
    forged["entropy"]["round"] = 42
    assert forged["commitment"] == proof["commitment"]
    assert words(forged) == "INVALID: the signature is not the beacon's for round 42"


def test_beacon_is_not_replaced_by_the_operator() -> None:
    entropy = {"source": "system", "randomness": "0" * 64}
    forged = changed(WITNESSED, "entropy", entropy)
    assert words(forged).startswith("INVALID: proof.entropy is not an object with exactly the keys")


def test_other_chain_is_refused() -> None:
    terms = proofs.make_terms("drand")
    terms["entropy"]["chain"] = "0" * 64
    proof = proofs.draw(terms, proofs.make_leaves(terms, 3)).proof
    assert words(proof) == f'INVALID: proof.commitment.terms.entropy.chain is not "{verify.CHAIN}"'


def test_number_above_the_capacity() -> None:
    terms = proofs.make_terms(capacity=4, prizes=[{"name": "pen", "amount": 4}])
    leaves = proofs.make_leaves(terms | {"capacity": 5}, 4)
    assert words(proofs.draw(terms, leaves).proof) == (
        "INVALID: a ticket number is beyond the capacity"
    )


def test_one_number_twice_among_winners_and_skipped() -> None:
    terms = proofs.make_terms(prizes=[{"name": "pen", "amount": 1}], max_wins_per_holder=1)
    [leaf] = proofs.make_leaves(terms, 1)
    twin = leaf[:40] + bytes(16)
    proof = proofs.draw(terms, [leaf, twin]).proof
    assert (len(proof["winners"]), len(proof["skipped"])) == (1, 1)
    assert words(proof) == "INVALID: a ticket number occurs twice"


def test_leaf_of_another_raffle_in_the_pool() -> None:
    terms = proofs.make_terms(prizes=[{"name": "pen", "amount": 1}])
    leaves = proofs.make_leaves(terms | {"raffle_id": "f" * 32}, 1)
    assert (
        words(proofs.draw(terms, leaves).proof)
        == "INVALID: the leaf of index 0 is not of this raffle and number"
    )


@pytest.mark.parametrize("limit", [0, 10**6])
def test_huge_claims_cost_no_more_than_the_proof_is_long(limit: int) -> None:
    terms = proofs.make_terms(
        capacity=10**7, prizes=[{"name": "pen", "amount": 10**5}], max_wins_per_holder=limit
    )
    proof = proofs.draw(terms, proofs.make_leaves(terms, 1), tickets=10**7).proof
    proof["winners"] = []
    assert words(proof).endswith("was drawn, the proof leaves it out")


def test_more_tickets_than_the_raffle_has() -> None:
    terms = proofs.make_terms(capacity=3)
    proof = proofs.draw(terms, proofs.make_leaves(terms | {"capacity": 9}, 4)).proof
    assert words(proof) == "INVALID: more tickets are committed than the raffle has"


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        ("winners.0.rank", True, "proof.winners[0].rank is not an integer from 1 to 90071992"),
        ("winners.0.index", "1", "proof.winners[0].index is not an integer from 0 to 90071992"),
        ("winners.0.ticket_number", 0, "proof.winners[0].ticket_number is not an integer from 1"),
        ("winners.0.prize", 1, "proof.winners[0].prize is not a prize of the terms or null"),
        ("winners.0.prize", "pen", "draw 0 is index 0, the proof says otherwise"),
        ("winners.0.leaf", "", "proof.winners[0].leaf is not 112 lowercase hex digits"),
        ("winners.0.path", {}, "proof.winners[0].path is not a list"),
        ("winners.0.path", [None], "proof.winners[0].path[0] is not 64 lowercase hex digits"),
        ("winners.0", None, "proof.winners[0] is not an object with exactly the keys rank, prize"),
        ("skipped", None, "proof.skipped is not a list"),
        ("seed", "g" * 64, "proof.seed is not 64 lowercase hex digits"),
        ("seed", "0" * 65, "proof.seed is not 64 lowercase hex digits"),
        ("seal.public_key", "0" * 64, "proof.seal.public_key is not a public key of 64 lower"),
        ("seal", None, "proof.seal is not an object with exactly the keys public_key, signature"),
        ("commitment.v", "raffle-draw-v1", 'proof.commitment.v is not "raffle-draw-v2"'),
        ("commitment.round", 1, "proof.commitment is not an object with exactly the keys v, terms"),
        ("commitment.tickets", 0, "proof.commitment.tickets is not an integer from 1 to 10000000"),
        ("commitment.closed_at", 253402300800, "proof.commitment.closed_at is not an integer from"),
        ("log", {"n": 1, "checkpoints": []}, "proof is not an object with exactly the keys"),
    ],
)
def test_member_out_of_shape(place: str, value: Any, reason: str) -> None:
    text = json.dumps(changed_or_new(scenarios.PROOF, place, value)).encode()
    assert judge(text).words.startswith(f"INVALID: {reason}")


def changed_or_new(proof: Json, place: str, value: Any) -> Json:
    return {**proof, place: value} if place == "log" else changed(proof, place, value)


TEXT = "text of 1 to 200 characters without control characters"


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        *[
            ("name", text, f"name is not {TEXT}")
            for text in ("", "a" * 201, "\ud800", "\ufffe", "\ufdd0", "\U0001ffff", "a\nb", "\x9f")
        ],
        *[
            ("name", f"a{mark}b", f"name is not {TEXT}")
            for mark in "\0\x1f\x7f\x80\u2028\u2029\u202a\u202e\u2066\u2069"
        ],
        ("operator", "Draws.example", "operator is not 1 to 200 of a-z 0-9 . - / : _"),
        ("operator", "", "operator is not 1 to 200 of a-z 0-9 . - / : _"),
        ("capacity", 10**7 + 1, "capacity is not an integer from 1 to 10000000"),
        ("entry", "ip", "entry is not address, username, email, invitation, list or partner"),
        ("tickets_per_holder", 10**6 + 1, "tickets_per_holder is not an integer from 0 to 1000000"),
        ("prizes", [], "prizes is not a list of 1 to 1000"),
        ("alternates", 1001, "alternates is not an integer from 0 to 1000"),
        ("claim.days", 367, "claim.days is not an integer from 0 to 366"),
        ("claim.promotes_alternates", 2, "claim.promotes_alternates is not an integer from 0 to 1"),
        ("rules_hash", "0" * 63, "rules_hash is not 64 lowercase hex digits or empty"),
        ("cosigners", proofs.named(*map(str, range(17))), "cosigners is not a list of 0 to 16"),
        (
            "cosigners",
            [{"name": "a+b", "key": COSIGNERS[0]["key"]}],
            "cosigners[0].name is not a name of 1 to 200 visible ASCII characters without +",
        ),
        (
            "cosigners",
            [{"name": "a", "key": scenarios.SMALL_ORDER}],
            "cosigners[0].key is not a public key of 64 lowercase hex digits, not of small order",
        ),
        ("authorities", [{"name": "a", "keys": []}], "authorities[0].keys is not a list of 1 to 8"),
    ],
)
def test_terms_out_of_shape(place: str, value: Any, reason: str) -> None:
    text = json.dumps(changed(scenarios.PROOF, f"commitment.terms.{place}", value)).encode()
    assert judge(text).words == f"INVALID: proof.commitment.terms.{reason}"


@pytest.mark.parametrize("name", ["a" * 200, "🎉" * 200, "\u00a0", "\u2065", "\ufffd", "-"])
def test_names_at_the_edges_of_text(name: str) -> None:
    assert words(made(name=name)) == OPERATOR_ONLY


def test_names_reach_the_terminal_as_letters_in_quotes_that_they_cannot_leave() -> None:
    proof = made(1, name='a\u00a0b\u200bc "d\\ “Ω” 🎉')
    first = judge(mutations.encode(proof)).steps[0]["computed"]
    assert first.startswith('"a?b?c \\"d\\\\ “Ω” 🎉", ')
