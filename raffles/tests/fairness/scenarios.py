"""What participants keep beside a proof, good and bad, with the verdict that it deserves."""

from typing import Any, NamedTuple

from raffles.fairness.receipts import Signer
from raffles.tests.fairness import proofs
from raffles.tests.fairness.proofs import Json

ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493
SIGNER = Signer([bytes(range(32))])
STRANGER = Signer([bytes(32)])
KEYS: Json = {"keys": SIGNER.public_keys()["keys"] + STRANGER.public_keys()["keys"]}

# Index 1 wins the telescope, 6 is the first alternate, 7 is skipped, 3 is not drawn.
TERMS = proofs.make_terms(max_wins_per_holder=1)
PROOF, LEAVES = proofs.draw(TERMS, proofs.make_leaves(TERMS, 17, holders=6))
COMMITMENT: Json = PROOF["commitment"]
LEAF_HASHES = [proofs.leaf_hash(leaf) for leaf in LEAVES]


class Scenario(NamedTuple):
    """Files by the names of the options of ``verify``, leaves as bytes.

    ``says`` is how the last step of a valid verdict ends, or the reason of an invalid one.
    """

    files: Json
    valid: bool
    says: str


def terms_hash(terms: Json) -> bytes:
    return proofs.digest(b"raffle-draw-v1/terms\0", proofs.dump(terms))


def receipt(leaf: bytes, terms: Json = TERMS, signer: Signer = SIGNER, **changes: Any) -> Json:
    return {**signer.receipt(leaf, terms_hash(terms), 1700000000), **changes}


def seal(commitment: Json = COMMITMENT, **changes: Any) -> Json:
    digest = proofs.digest(b"raffle-draw-v1/commitment\0", proofs.dump(commitment))
    return {"commitment": commitment, **SIGNER.seal(digest, 1700000000), **changes}


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
    """The same signature once more, as lax verifiers take it: S + L in place of S."""
    s = int.from_bytes(bytes.fromhex(signature[64:]), "little")
    return signature[:64] + (s + ED25519_ORDER).to_bytes(32, "little").hex()


def other_holder(leaf: bytes) -> bytes:
    return leaf[:24] + bytes(16) + leaf[40:]


MINE = receipt(LEAVES[1])
ALL_LEAVES = b"".join(LEAF_HASHES)
WITHOUT_MINE = b"".join(LEAF_HASHES[:1] + LEAF_HASHES[2:])
OTHER_TERMS = TERMS | {"name": "Fairer"}

GOOD: dict[str, tuple[Json, str]] = {
    "winner": ({"receipt": MINE, "keys": KEYS}, "rank 1, wins “telescope”, signature good"),
    "winner, no keys": ({"receipt": MINE}, "rank 1, wins “telescope”, signature not checked"),
    "older key": (
        {"receipt": receipt(LEAVES[1], signer=STRANGER), "keys": KEYS},
        "rank 1, wins “telescope”, signature good",
    ),
    "answer of taking part": (
        {"receipt": {"ticket_number": 19, "receipt": MINE}, "keys": KEYS},
        "ticket 19, rank 1, wins “telescope”, signature good",
    ),
    "alternate": ({"receipt": receipt(LEAVES[6])}, "rank 4, an alternate, signature not checked"),
    "skipped": (
        {"receipt": receipt(LEAVES[7])},
        "skipped, its holder had won before, signature not checked",
    ),
    "not drawn": ({"receipt": receipt(LEAVES[3])}, "not drawn, signature not checked"),
    "inclusion of the receipt": (
        {"receipt": receipt(LEAVES[3]), "inclusion": inclusion(3)},
        "the receipt's ticket has index 3 in the committed tree",
    ),
    "inclusion alone": (
        {"inclusion": inclusion(16)},
        "a ticket has index 16 in the committed tree",
    ),
    "leaves": ({"leaves": ALL_LEAVES}, f"17 leaves make the root {COMMITMENT['root']}"),
    "leaves and receipt": (
        {"leaves": ALL_LEAVES, "receipt": receipt(LEAVES[16])},
        f"17 leaves make the root {COMMITMENT['root']}",
    ),
    "saved commitment": (
        {"commitment": seal(), "keys": KEYS},
        "the saved commitment, signed 2023-11-14 22:13:20 UTC, signature good",
    ),
}

BAD: dict[str, tuple[Json, str]] = {
    "receipt of another raffle": (
        {"receipt": receipt(bytes(16) + LEAVES[1][16:])},
        "the receipt is of another raffle",
    ),
    "other terms": (
        {"receipt": receipt(LEAVES[1], OTHER_TERMS), "keys": KEYS},
        "the receipt was given for other terms than the committed ones",
    ),
    "two leaves of one number": (
        {"receipt": receipt(other_holder(LEAVES[1])), "keys": KEYS},
        "the drawn ticket of the receipt's number is not the receipt's",
    ),
    "forged time": (
        {"receipt": MINE | {"issued_at": 1700000001}, "keys": KEYS},
        "the signature of the receipt is wrong",
    ),
    "signature with S + L": (
        {"receipt": MINE | {"signature": add_order(MINE["signature"])}, "keys": KEYS},
        "the signature of the receipt is wrong",
    ),
    "nonce that is no point": (
        {"receipt": MINE | {"signature": "02" + "00" * 31 + MINE["signature"][64:]}, "keys": KEYS},
        "the signature of the receipt is wrong",
    ),
    "unknown key": (
        {"receipt": receipt(LEAVES[1], key_id="0" * 16), "keys": KEYS},
        "the key that signed the receipt is not among the keys",
    ),
    "key under another id": (
        {"receipt": MINE, "keys": {"keys": [KEYS["keys"][0] | {"key_id": "0" * 16}]}},
        "a key_id is not the beginning of its key's hash",
    ),
    "other algorithm": (
        {"receipt": MINE, "keys": {"keys": [KEYS["keys"][0] | {"algorithm": "RSA"}]}},
        'keys.keys[0].algorithm is not "Ed25519"',
    ),
    "receipt with a foreign key": (
        {"receipt": MINE | {"note": ""}},
        (
            "receipt is not an object with exactly the keys "
            "leaf, terms_hash, issued_at, key_id, signature"
        ),
    ),
    "receipt is a list": (
        {"receipt": [MINE]},
        (
            "receipt is not an object with exactly the keys "
            "leaf, terms_hash, issued_at, key_id, signature"
        ),
    ),
    "uppercase leaf": (
        {"receipt": MINE | {"leaf": MINE["leaf"].upper()}},
        "receipt.leaf is not 112 lowercase hex digits",
    ),
    "year 10000": (
        {"receipt": MINE | {"issued_at": 253402300800}},
        "receipt.issued_at is not an integer from 0 to 253402300799",
    ),
    "inclusion of another ticket": (
        {"receipt": MINE, "inclusion": inclusion(3)},
        "the inclusion is of another ticket than the receipt's",
    ),
    "inclusion in another commitment": (
        {"inclusion": inclusion(3, commitment_hash="0" * 64)},
        "the inclusion is of another commitment",
    ),
    "inclusion at another index": (
        {"inclusion": inclusion(3, index=4)},
        "the path of index 4 does not lead to the root",
    ),
    "inclusion outside": (
        {"inclusion": inclusion(3, index=17)},
        "index 17 is outside a tree of 17 tickets",
    ),
    "inclusion far outside": (
        {"inclusion": inclusion(3, index=2**53 - 1)},
        "index 9007199254740991 is outside a tree of 17 tickets",
    ),
    "inclusion too long": (
        {"inclusion": inclusion(16, path=["0" * 64] * 2)},
        "an inclusion path is too long",
    ),
    "leaves without mine": (
        {"receipt": receipt(other_holder(LEAVES[3])), "leaves": ALL_LEAVES},
        "the receipt's ticket is not in the committed tree",
    ),
    "a leaf short": ({"leaves": WITHOUT_MINE}, "the leaves do not make the committed tree"),
    "a leaf long": (
        {"leaves": ALL_LEAVES + bytes(32)},
        "the leaves do not make the committed tree",
    ),
    "a byte long": ({"leaves": ALL_LEAVES + b"\0"}, "the leaves do not make the committed tree"),
    "a byte short": ({"leaves": ALL_LEAVES[:-1]}, "the leaves do not make the committed tree"),
    "no leaves": ({"leaves": b""}, "the leaves do not make the committed tree"),
    "leaves in another order": (
        {"leaves": ALL_LEAVES[32:] + ALL_LEAVES[:32]},
        "the leaves do not make the committed tree",
    ),
    "two commitments of one draw": (
        {"commitment": seal(COMMITMENT | {"tickets": 16}), "keys": KEYS},
        "two signed hashes for one draw",
    ),
    "commitment of another draw": (
        {"commitment": seal(COMMITMENT | {"draw_no": 2})},
        "the saved commitment is of another draw",
    ),
    "commitment and hash differ": (
        {"commitment": seal(commitment_hash="0" * 64)},
        "the saved commitment does not have its commitment_hash",
    ),
    "forged seal": (
        {"commitment": seal(signed_at=1700000001), "keys": KEYS},
        "the signature of the saved commitment is wrong",
    ),
    "seal with a foreign key": (
        {"commitment": seal(note="")},
        (
            "commitment is not an object with exactly the keys "
            "commitment, commitment_hash, signed_at, key_id, signature"
        ),
    ),
}

SCENARIOS = {name: Scenario(files, True, says) for name, (files, says) in GOOD.items()} | {
    name: Scenario(files, False, says) for name, (files, says) in BAD.items()
}


# Texts in place of a proof, and the verdict: "UNREADABLE" where it is not JSON at all.
NOT_JSON = "UNREADABLE"
NO_SOURCE = "INVALID: the terms name no known source of randomness"
TWICE = "INVALID: proof has a key twice in one object"
FRACTION = "INVALID: proof has a number with a fraction or an exponent"
RANGE = "INVALID: proof has a number that is not an integer from 0 to 2^53 - 1"
GOES_ON = "INVALID: proof goes on after its end"
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
    (b"[1]//", GOES_ON),
    (b"/**/[1]", NOT_JSON),
    (b"\xef\xbb\xbf[]", NOT_JSON),
    (b"[\xc2\xa0]", NOT_JSON),
    (b"\x0c[]", NOT_JSON),
    (b'["\xff"]', NOT_JSON),
    (b'["\xed\xa0\x80"]', NOT_JSON),
    (b'["\xc0\xaf"]', NOT_JSON),
    ("[]".encode("utf-16"), NOT_JSON),
    (b"[]x", GOES_ON),
    (b"[][]", GOES_ON),
    (b"{}\0", GOES_ON),
    (b"1 2", GOES_ON),
    (b'{"a":1,"a":1}', TWICE),
    (b'{"a":1,"\\u0061":2}', TWICE),
    (b'{"__proto__":1,"__proto__":2}', TWICE),
    (b'[{"a":{"b":1,"b":2}', TWICE),
    (b"[1.0]", FRACTION),
    (b"[1e2]", FRACTION),
    (b"[-0.0]", FRACTION),
    (b"[1E400]", FRACTION),
    (b"[1.5", FRACTION),
    (b"[-1]", RANGE),
    (b"[-0]", RANGE),
    (b"[9007199254740992]", RANGE),
    (b"[" + b"9" * 5000 + b"]", RANGE),
    (b"[" * 100_000, DEEP),
    (b'{"a":' * 100_000, DEEP),
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
