"""What participants keep beside a proof, good and bad, with what is said about it."""

from typing import Any, NamedTuple

from raffles.fairness.receipts import Signer
from raffles.tests.fairness import proofs
from raffles.tests.fairness.proofs import OPERATOR, Json, digest, public_key

ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493
SIGNER = Signer([digest(b"key of", OPERATOR.encode())])
STRANGER = Signer([digest(b"key of", b"stranger")])

# Index 0 wins the telescope, 9 is the first alternate, 6 is skipped, 3 is not drawn.
TERMS = proofs.make_terms(max_wins_per_holder=1)
PROOF, LEAVES = proofs.draw(TERMS, proofs.make_leaves(TERMS, 17, holders=6))
COMMITMENT: Json = PROOF["commitment"]
LEAF_HASHES = [proofs.leaf_hash(leaf) for leaf in LEAVES]
CLOSED_AT: int = COMMITMENT["closed_at"]
DIFFERENT = "these two files are of different signers; nothing is shown about the operator"


class Scenario(NamedTuple):
    """Files by the names of the options of `verify`; leaves, log and witnesses as bytes.

    `says` is the last step of a valid verdict but for the remark on the log, or the reason of
    an invalid one.
    """

    files: Json
    valid: bool
    says: str


def terms_hash(terms: Json) -> bytes:
    return digest(b"raffle-draw-v2/terms\0", proofs.dump(terms))


def receipt(leaf: bytes, terms: Json = TERMS, signer: Signer = SIGNER, **changes: Any) -> Json:
    at = changes.pop("at", CLOSED_AT - 100)
    return {**signer.receipt(leaf, terms_hash(terms), at), **changes}


def kept(commitment: Json = COMMITMENT, signer: Signer = SIGNER, **changes: Any) -> Json:
    commitment_hash = proofs.hash_of(commitment)
    seal = signer.seal(commitment_hash)
    hashed = {"commitment": commitment, "commitment_hash": commitment_hash.hex()}
    return {**hashed, **seal, **changes}


def held(*signers: Signer, since: int = 0, until: int = 0) -> Json:
    times = {"algorithm": "Ed25519", "since": since, "until": until}
    return {"keys": [{"public_key": signer.public_key, **times} for signer in signers]}


def inclusion(index: int, /, **changes: Any) -> Json:
    return {
        "commitment_hash": PROOF["commitment_hash"],
        "index": index,
        "tickets": 17,
        "root": COMMITMENT["root"],
        "leaf_hash": LEAF_HASHES[index].hex(),
        "path": [node.hex() for node in proofs.audit_path(index, LEAF_HASHES)],
    } | changes


def add_order(signature: str) -> str:
    """Return the same signature once more, as lax verifiers take it: S + L in place of S."""
    s = int.from_bytes(bytes.fromhex(signature[64:]), "little")
    return signature[:64] + (s + ED25519_ORDER).to_bytes(32, "little").hex()


def other_holder(leaf: bytes) -> bytes:
    return leaf[:24] + bytes(16) + leaf[40:]


def numbered(leaf: bytes, number: int) -> bytes:
    return leaf[:16] + number.to_bytes(8, "big") + leaf[24:]


MINE = receipt(LEAVES[1])
KEYS = held(SIGNER, STRANGER)
ALL_LEAVES = b"".join(LEAF_HASHES)
WITHOUT_MINE = b"".join(LEAF_HASHES[:1] + LEAF_HASHES[2:])
OTHER_TERMS = TERMS | {"name": "Fairer"}
OTHER_RAFFLE = TERMS | {"raffle_id": "f" * 32}
SMALL_ORDER = "01" + "00" * 31

GOOD: dict[str, tuple[Json, str]] = {
    "nothing": ({}, "the signer was not checked against keys you hold"),
    "keys": ({"keys": KEYS}, "the key of the seal is among the keys you hold"),
    "keys since that second": (
        {"keys": held(SIGNER, since=CLOSED_AT, until=CLOSED_AT + 1)},
        "the key of the seal is among the keys you hold",
    ),
    "winner": (
        {"receipt": MINE, "keys": KEYS, "inclusion": inclusion(1)},
        'ticket 19, rank 2, wins "pen"',
    ),
    "winner by leaves": (
        {"receipt": MINE, "leaves": ALL_LEAVES},
        'ticket 19, rank 2, wins "pen"',
    ),
    "receipt by another key that is held": (
        {
            "receipt": receipt(LEAVES[1], signer=STRANGER),
            "keys": KEYS,
            "inclusion": inclusion(1),
        },
        'ticket 19, rank 2, wins "pen"',
    ),
    "alternate": (
        {"receipt": receipt(LEAVES[9]), "leaves": ALL_LEAVES},
        "ticket 11, rank 4, an alternate",
    ),
    "skipped": (
        {"receipt": receipt(LEAVES[6]), "leaves": ALL_LEAVES},
        "ticket 14, skipped, its holder has as many ranks as the terms allow",
    ),
    "not drawn, taken in the second of the close": (
        {"receipt": receipt(LEAVES[3], at=CLOSED_AT), "inclusion": inclusion(3)},
        "ticket 17, not drawn",
    ),
    "inclusion alone": (
        {"inclusion": inclusion(16)},
        "a ticket has index 16 in the committed tree",
    ),
    "leaves": ({"leaves": ALL_LEAVES}, f"17 leaves make the root {COMMITMENT['root']}"),
    "kept commitment": (
        {"commitment": kept(), "keys": KEYS},
        "the commitment you kept is the drawn one",
    ),
    "kept commitment by another key that is held": (
        {"commitment": kept(signer=STRANGER), "keys": KEYS},
        "the commitment you kept is the drawn one",
    ),
}

BAD: dict[str, tuple[Json, str]] = {
    "null for keys": (
        {"keys": None},
        "keys is not an object with exactly the keys keys",
    ),
    "null for a receipt": (
        {"receipt": None, "leaves": ALL_LEAVES},
        (
            "receipt is not an object with exactly the keys "
            "leaf, terms_hash, issued_at, public_key, signature"
        ),
    ),
    "null for a commitment": (
        {"commitment": None},
        "the terms name no known source of randomness",
    ),
    "null for an inclusion": (
        {"inclusion": None},
        (
            "inclusion is not an object with exactly the keys "
            "commitment_hash, index, tickets, root, leaf_hash, path"
        ),
    ),
    "no key": ({"keys": {"keys": []}}, "the key of the seal is not among the keys you hold"),
    "other key": ({"keys": held(STRANGER)}, "the key of the seal is not among the keys you hold"),
    "key a second too young": (
        {"keys": held(SIGNER, since=CLOSED_AT + 1)},
        "the key of the seal was not valid at the time of the seal",
    ),
    "key that ended in that second": (
        {"keys": held(SIGNER, until=CLOSED_AT)},
        "the key of the seal was not valid at the time of the seal",
    ),
    "key of small order": (
        {"keys": {"keys": [KEYS["keys"][0] | {"public_key": SMALL_ORDER}]}},
        (
            "keys.keys[0].public_key is not a public key of 64 lowercase hex digits, "
            "not of small order"
        ),
    ),
    "other algorithm": (
        {"keys": {"keys": [KEYS["keys"][0] | {"algorithm": "RSA"}]}},
        'keys.keys[0].algorithm is not "Ed25519"',
    ),
    "receipt alone": ({"receipt": MINE}, "a receipt needs the inclusion or the leaves"),
    "receipt of another raffle": (
        {"receipt": receipt(bytes(16) + LEAVES[1][16:]), "leaves": ALL_LEAVES},
        "the file is of another raffle",
    ),
    "receipt of another raffle for other terms": (
        {"receipt": receipt(bytes(16) + LEAVES[1][16:], OTHER_RAFFLE), "leaves": ALL_LEAVES},
        "the file is of another raffle",
    ),
    "other terms": (
        {"receipt": receipt(LEAVES[1], OTHER_TERMS), "leaves": ALL_LEAVES},
        "the receipt was given for other terms",
    ),
    "other terms by another key that is held": (
        {
            "receipt": receipt(LEAVES[1], OTHER_TERMS, STRANGER),
            "inclusion": inclusion(1),
            "keys": KEYS,
        },
        "the receipt was given for other terms",
    ),
    "other terms by an outsider": (
        {"receipt": receipt(LEAVES[1], OTHER_TERMS, STRANGER), "inclusion": inclusion(1)},
        DIFFERENT,
    ),
    "other terms by an outsider, keys held": (
        {
            "receipt": receipt(LEAVES[1], OTHER_TERMS, STRANGER),
            "inclusion": inclusion(1),
            "keys": held(SIGNER),
        },
        DIFFERENT,
    ),
    "receipt a second late": (
        {"receipt": receipt(LEAVES[1], at=CLOSED_AT + 1), "inclusion": inclusion(1)},
        "the receipt was issued after the close",
    ),
    "receipt by a key that had ended": (
        {
            "receipt": receipt(LEAVES[1], signer=STRANGER),
            "inclusion": inclusion(1),
            "keys": {"keys": held(SIGNER)["keys"] + held(STRANGER, until=CLOSED_AT - 100)["keys"]},
        },
        "the key of the receipt was not valid at the time of what it signed",
    ),
    "receipt for number 0": (
        {"receipt": receipt(numbered(LEAVES[1], 0)), "leaves": ALL_LEAVES},
        "the receipt's number is beyond the capacity",
    ),
    "receipt for a number beyond the capacity": (
        {"receipt": receipt(numbered(LEAVES[1], 21)), "leaves": ALL_LEAVES},
        "the receipt's number is beyond the capacity",
    ),
    "forged time": (
        {"receipt": MINE | {"issued_at": 1}, "leaves": ALL_LEAVES},
        "the signature of the receipt is wrong",
    ),
    "signature with S + L": (
        {"receipt": MINE | {"signature": add_order(MINE["signature"])}, "leaves": ALL_LEAVES},
        "the signature of the receipt is wrong",
    ),
    "receipt with a foreign key": (
        {"receipt": MINE | {"note": ""}, "leaves": ALL_LEAVES},
        (
            "receipt is not an object with exactly the keys "
            "leaf, terms_hash, issued_at, public_key, signature"
        ),
    ),
    "answer of taking part in place of the receipt": (
        {"receipt": {"ticket_number": 19, "receipt": MINE}, "leaves": ALL_LEAVES},
        (
            "receipt is not an object with exactly the keys "
            "leaf, terms_hash, issued_at, public_key, signature"
        ),
    ),
    "uppercase leaf": (
        {"receipt": MINE | {"leaf": MINE["leaf"].upper()}, "leaves": ALL_LEAVES},
        "receipt.leaf is not 112 lowercase hex digits",
    ),
    "year 10000": (
        {"receipt": MINE | {"issued_at": 253402300800}, "leaves": ALL_LEAVES},
        "receipt.issued_at is not an integer from 0 to 253402300799",
    ),
    **{
        f"inclusion, {what}": (files, "the inclusion file does not show this ticket")
        for what, files in {
            "of another ticket": {"receipt": MINE, "inclusion": inclusion(3)},
            "of another commitment": {"inclusion": inclusion(3, commitment_hash="0" * 64)},
            "of another root": {"inclusion": inclusion(3, root="0" * 64)},
            "of another size": {"inclusion": inclusion(3, tickets=18)},
            "at another index": {"inclusion": inclusion(3, index=4)},
            "outside": {"inclusion": inclusion(3, index=17)},
            "far outside": {"inclusion": inclusion(3, index=2**53 - 1)},
            "too long": {"inclusion": inclusion(16, path=["0" * 64] * 2)},
            "too short": {"inclusion": inclusion(16, path=[])},
            "of a leaf that is not there": {"inclusion": inclusion(3, leaf_hash="0" * 64)},
        }.items()
    },
    "lost": (
        {"receipt": receipt(other_holder(LEAVES[3])), "leaves": ALL_LEAVES},
        "the receipt's ticket is not in the committed tree",
    ),
    "lost, of a number that was drawn": (
        {"receipt": receipt(other_holder(LEAVES[1])), "leaves": ALL_LEAVES},
        "the receipt's ticket is not in the committed tree",
    ),
    "lost, by another key that is held": (
        {
            "receipt": receipt(other_holder(LEAVES[3]), signer=STRANGER),
            "leaves": ALL_LEAVES,
            "keys": KEYS,
        },
        "the receipt's ticket is not in the committed tree",
    ),
    "lost, by an outsider": (
        {"receipt": receipt(other_holder(LEAVES[3]), signer=STRANGER), "leaves": ALL_LEAVES},
        DIFFERENT,
    ),
    **{
        f"leaves, {what}": ({"leaves": leaves}, "the leaves do not make the committed tree")
        for what, leaves in {
            "one short": WITHOUT_MINE,
            "one long": ALL_LEAVES + bytes(32),
            "a byte long": ALL_LEAVES + b"\0",
            "a byte short": ALL_LEAVES[:-1],
            "none": b"",
            "in another order": ALL_LEAVES[32:] + ALL_LEAVES[:32],
        }.items()
    },
    "two commitments of one draw": (
        {"commitment": kept(COMMITMENT | {"tickets": 16})},
        "two signed commitments for one draw",
    ),
    "two commitments of one draw by two keys that are held": (
        {"commitment": kept(COMMITMENT | {"tickets": 16}, STRANGER), "keys": KEYS},
        "two signed commitments for one draw",
    ),
    "two commitments of one draw, one by an outsider": (
        {"commitment": kept(COMMITMENT | {"tickets": 16}, STRANGER)},
        DIFFERENT,
    ),
    "two commitments of one draw, one by an outsider, keys held": (
        {"commitment": kept(COMMITMENT | {"tickets": 16}, STRANGER), "keys": held(SIGNER)},
        DIFFERENT,
    ),
    "commitment of another raffle": (
        {"commitment": kept(COMMITMENT | {"terms": OTHER_RAFFLE}), "keys": KEYS},
        "the file is of another raffle",
    ),
    "commitment out of bounds": (
        {"commitment": kept(COMMITMENT | {"terms": TERMS | {"capacity": 16}})},
        "more tickets are committed than the raffle has",
    ),
    "commitment and hash differ": (
        {"commitment": kept(commitment_hash="0" * 64)},
        "the commitment you kept does not have its commitment_hash",
    ),
    "forged seal": (
        {"commitment": kept(public_key=public_key("stranger")), "keys": KEYS},
        "the signature of the commitment is wrong",
    ),
    "commitment by a key that was too young": (
        {
            "commitment": kept(signer=STRANGER),
            "keys": {"keys": held(SIGNER)["keys"] + held(STRANGER, since=CLOSED_AT + 1)["keys"]},
        },
        "the key of the commitment was not valid at the time of what it signed",
    ),
    "seal with a foreign key": (
        {"commitment": kept(signed_at=1)},
        (
            "commitment is not an object with exactly the keys "
            "commitment, commitment_hash, public_key, signature"
        ),
    ),
    "log of a draw that shows none": (
        {"log": b""},
        "the proof has no log to hold the file against",
    ),
}

SCENARIOS = {name: Scenario(files, True, says) for name, (files, says) in GOOD.items()} | {
    name: Scenario(files, False, says) for name, (files, says) in BAD.items()
}


# Texts in place of a proof, and the verdict: "UNREADABLE" where it is not JSON at all.
NOT_JSON = "UNREADABLE"
NO_SOURCE = "INVALID: the terms name no known source of randomness"
TWICE = "INVALID: proof has a key twice in one object"
RANGE = "INVALID: proof has a number that is not an integer from 0 to 2^53 - 1"
DEEP = "INVALID: proof is nested too deeply"
TEXTS: list[tuple[bytes, str]] = [
    (b"", NOT_JSON),
    (b" \n", NOT_JSON),
    (b"{", NOT_JSON),
    (b"[1,]", NOT_JSON),
    (b"[,1]", NOT_JSON),
    (b'{"a":1,}', NOT_JSON),
    (b'{"a"}', NOT_JSON),
    (b"{a:1}", NOT_JSON),
    (b"{'a':1}", NOT_JSON),
    (b"[1 2]", NOT_JSON),
    (b"[01]", NOT_JSON),
    (b"[+1]", NOT_JSON),
    (b"[-]", NOT_JSON),
    (b"[.5]", NOT_JSON),
    (b"[5.]", NOT_JSON),
    (b"[0x10]", NOT_JSON),
    (b"[1_000]", NOT_JSON),
    (b"[NaN]", NOT_JSON),
    (b"[-Infinity]", NOT_JSON),
    (b"[Infinity]", NOT_JSON),
    (b"[True]", NOT_JSON),
    (b"[nul]", NOT_JSON),
    (b'["\\x41"]', NOT_JSON),
    (b'["\\u00g0"]', NOT_JSON),
    (b'["\\u123"]', NOT_JSON),
    (b'["line\nbreak"]', NOT_JSON),
    (b'["tab\t"]', NOT_JSON),
    (b'["open', NOT_JSON),
    (b'["\\"]', NOT_JSON),
    (b"[1]//", NOT_JSON),
    (b"/**/[1]", NOT_JSON),
    (b"\xef\xbb\xbf[]", NOT_JSON),
    (b"[\xc2\xa0]", NOT_JSON),
    (b"\x0c[]", NOT_JSON),
    (b'["\xff"]', NOT_JSON),
    (b'["\xed\xa0\x80"]', NOT_JSON),
    (b'["\xc0\xaf"]', NOT_JSON),
    ("[]".encode("utf-16"), NOT_JSON),
    (b"[]x", NOT_JSON),
    (b"[][]", NOT_JSON),
    (b"{}\0", NOT_JSON),
    (b"1 2", NOT_JSON),
    (b'{"a":1,"a":1}', TWICE),
    (b'{"a":1,"\\u0061":2}', TWICE),
    (b'{"__proto__":1,"__proto__":2}', TWICE),
    (b'[{"a":{"b":1,"b":2}', NOT_JSON),
    (b'[{"a":{"b":1,"b":2}}]', TWICE),
    (b'{"a":{"b":1,"b":1.0}}', RANGE),
    (b"[1.0]\xff", NOT_JSON),
    (b"[1.0]", RANGE),
    (b"[1e2]", RANGE),
    (b"[-0.0]", RANGE),
    (b"[1E400]", RANGE),
    (b"[1.5", NOT_JSON),
    (b"[-1]", RANGE),
    (b"[-0]", RANGE),
    (b"[9007199254740992]", RANGE),
    (b"[" + b"9" * 5000 + b"]", RANGE),
    (b"[" * 100_000 + b"]" * 100_000, DEEP),
    (b'{"a":' * 100_000 + b"0" + b"}" * 100_000, DEEP),
    (b"[" * 13 + b"]" * 13, DEEP),
    (b"[" * 12 + b"]" * 12, NO_SOURCE),
    (b'{"a":' * 13 + b"0" + b"}" * 13, DEEP),
    (b'{"a":' * 12 + b"0" + b"}" * 12, NO_SOURCE),
    (b'{"winners":' + b"[" * 12 + b"]" * 12 + b"}", DEEP),
    (b'{"winners":' + b"[" * 11 + b"]" * 11 + b"}", NO_SOURCE),
    (b'{"winners":[1,]}', NOT_JSON),
    (b'{"winners":[,1]}', NOT_JSON),
    (b'{"winners":[1 1]}', NOT_JSON),
    (b'{"winners":[1', NOT_JSON),
    (b'{"winners":[],"winners":[]}', TWICE),
    (b'{"winners":[1e5]}', RANGE),
    (b"{,}", NOT_JSON),
    (b'{"a":1,,"b":1}', NOT_JSON),
    (b'{"a" 1}', NOT_JSON),
    (b"{1:1}", NOT_JSON),
    (b"[9007199254740991]", NO_SOURCE),
    (b"[0]", NO_SOURCE),
    (b" \t\r\n{ } \t\r\n", NO_SOURCE),
    (b'["\\ud83c\\udf89 \\u0000 \\/"]', NO_SOURCE),
    ('"\u2028 🎉 \x7f"'.encode(), NO_SOURCE),
    (b'{"":{"":null,"a":[true,false]}}', NO_SOURCE),
    (b'{"__proto__":{"commitment":1}}', NO_SOURCE),
    (b'{"commitment":{"terms":{"entropy":{"source":"moon"}}}}', NO_SOURCE),
    (b'{"commitment":{"terms":{"entropy":{"source":["drand"]}}}}', NO_SOURCE),
    (b"null", NO_SOURCE),
    (b'"' + b"a" * 1_000_000 + b'"', NO_SOURCE),
]
