"""Proofs made the slow and obvious way, straight from the protocol and not with verify.py.

Trees are hashed by the recursive definition of RFC 9162, draws shuffle a whole list and notes are
put together by hand, so that a shortcut in the code under test has nothing of its own to agree
with.
"""

import base64
import hashlib
import io
import json
import random
from collections.abc import Sequence
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from raffles.fairness import verify

Json = dict[str, Any]

GENESIS, PERIOD = 1692803367, 3
QUICKNET = "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971"
ORIGIN = "draws.example.org/log"
OPERATOR = "operator"
SIGNATURES = {
    42: "95a9f9f5b231b7714de1553105d8ffdf3dcda24cfdb1e689319bccf79a9c8ce4"
    "30a91b811fbfaf763900bc998b5d686a",
    123: "b75c69d0b72a5d906e854e808ba7e2accb1542ac355ae486d591aa9d43765482"
    "e26cd02df835d3546d23c4b13e0dfc92",
    1000: "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125"
    "e342b73a8dd2bacbe47e4b6b63ed5e39",
}
NAMES = [
    "telescope",
    "pen",
    "Lãva-louça “Ω”",
    "ペン",
    'a "quoted" \\ name',
    "🎉 & <b>",
]


class Drawn(NamedTuple):
    """A proof and the 56-byte leaves of its whole pool, in order of index."""

    proof: Json
    leaves: list[bytes]


class Verdict(NamedTuple):
    """What verify.py says; `words` is "UNREADABLE" for what is not JSON."""

    words: str
    steps: list[dict[str, str]]
    counted: list[tuple[str, int]]


def digest(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def key_of(who: str) -> Ed25519PrivateKey:
    """Derive a key from the signer's name, so that a test only says who signs."""
    return Ed25519PrivateKey.from_private_bytes(digest(b"key of", who.encode()))


def public_key(who: str) -> str:
    return key_of(who).public_key().public_bytes_raw().hex()


def sign(who: str, message: bytes) -> str:
    return key_of(who).sign(message).hex()


def dump(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def leaf_hash(leaf: bytes) -> bytes:
    return digest(b"\x00", leaf)


def tree_hash(hashes: list[bytes]) -> bytes:
    if not hashes:
        return digest()
    if len(hashes) == 1:
        return hashes[0]
    split = split_at(len(hashes))
    return digest(b"\x01", tree_hash(hashes[:split]), tree_hash(hashes[split:]))


def audit_path(index: int, hashes: list[bytes]) -> list[bytes]:
    if len(hashes) == 1:
        return []
    split = split_at(len(hashes))
    if index < split:
        return [*audit_path(index, hashes[:split]), tree_hash(hashes[split:])]
    return [*audit_path(index - split, hashes[split:]), tree_hash(hashes[:split])]


def split_at(size: int) -> int:
    """Return the largest power of two below size."""
    return 1 << (size - 1).bit_length() - 1


def uniform(seed: bytes, i: int, n: int) -> tuple[int, int]:
    """Return the number and how many words were rejected before it."""
    rejected = 0
    while True:
        block = digest(seed, i.to_bytes(8, "big"), rejected.to_bytes(4, "big"))
        word = int.from_bytes(block[:8], "big")
        if word < 2**64 - 2**64 % n:
            return word % n, rejected
        rejected += 1


def shuffled(seed: bytes, n: int) -> list[int]:
    order = list(range(n))
    for i in range(n):
        j = i + uniform(seed, i, n - i)[0]
        order[i], order[j] = order[j], order[i]
    return order


def time_of(beacon_round: int) -> int:
    return GENESIS + (beacon_round - 1) * PERIOD


def make_terms(source: str = "system", *, beacon_round: int = 1000, **changes: Any) -> Json:
    """Return terms; with drand the raffle closes so that its planned round is `beacon_round`."""
    entropy = {"source": source} | ({"chain": QUICKNET} if source == "drand" else {})
    return {
        "raffle_id": "0123456789abcdef0123456789abcdef",
        "operator": ORIGIN,
        "name": "Fair",
        "capacity": 20,
        "opens_at": 0,
        "closes_at": time_of(beacon_round) - 60,
        "entry": "username",
        "tickets_per_holder": 0,
        "max_wins_per_holder": 0,
        "prizes": [{"name": "telescope", "amount": 1}, {"name": "pen", "amount": 2}],
        "alternates": 2,
        "claim": {"days": 0, "promotes_alternates": 0},
        "rules_hash": "",
        "entropy": entropy,
        "cosigners": [],
        "authorities": [],
    } | changes


def named(*names: str) -> list[Json]:
    """Return the cosigners as the terms name them."""
    return [{"name": name, "key": public_key(name)} for name in names]


def make_leaves(terms: Json, tickets: int, holders: int | None = None) -> list[bytes]:
    """Return tickets with the highest numbers first; with few holders each has several."""
    raffle_id = bytes.fromhex(terms["raffle_id"])
    return [
        raffle_id
        + (terms["capacity"] - index).to_bytes(8, "big")
        + digest(b"holder", bytes([index % (holders or 256)]))[:16]
        + digest(b"code", index.to_bytes(8, "big"))[:16]
        for index in range(tickets)
    ]


def draw(
    terms: Json,
    leaves: list[bytes],
    *,
    beacon_round: int = 1000,
    randomness: bytes = bytes(32),
    **changes: Any,
) -> Drawn:
    """Commit to a pool and draw it; `changes` replace members of the commitment."""
    hashes = [leaf_hash(leaf) for leaf in leaves]
    commitment = {
        "v": "raffle-draw-v2",
        "terms": terms,
        "tickets": len(leaves),
        "root": tree_hash(hashes).hex(),
        "closed_at": (terms["closes_at"] or time_of(beacon_round) - 60) + 16,
    }
    entropy: Json = {"source": terms["entropy"]["source"]}
    if entropy["source"] == "drand":
        commitment["round"] = beacon_round
        signature = SIGNATURES[beacon_round]
        randomness = digest(bytes.fromhex(signature))
        entropy |= {"round": beacon_round, "signature": signature}
    commitment |= changes
    commitment_hash = hash_of(commitment)
    seed = digest(b"raffle-draw-v2/seed\0", commitment_hash, randomness)
    winners, skipped = walk(terms, leaves, hashes, shuffled(seed, len(leaves)))
    proof = {
        "commitment": commitment,
        "commitment_hash": commitment_hash.hex(),
        "seal": {
            "public_key": public_key(OPERATOR),
            "signature": sign(OPERATOR, b"raffle-draw-v2/seal\0" + commitment_hash),
        },
        "entropy": {**entropy, "randomness": randomness.hex()},
        "seed": seed.hex(),
        "winners": winners,
        "skipped": skipped,
    }
    return Drawn(proof, leaves)


def hash_of(commitment: Json) -> bytes:
    return digest(b"raffle-draw-v2/commitment\0", dump(commitment))


def walk(
    terms: Json, leaves: list[bytes], hashes: list[bytes], order: list[int]
) -> tuple[list[Json], list[Json]]:
    places = sum(prize["amount"] for prize in terms["prizes"]) + terms["alternates"]
    winners: list[Json] = []
    skipped: list[Json] = []
    won: list[bytes] = []
    for step, index in enumerate(order):
        if len(winners) == places:
            break
        leaf = leaves[index]
        entry = {
            "draw": step,
            "index": index,
            "ticket_number": int.from_bytes(leaf[16:24], "big"),
            "leaf": leaf.hex(),
            "path": [node.hex() for node in audit_path(index, hashes)],
        }
        if 0 < terms["max_wins_per_holder"] <= won.count(leaf[24:40]):
            skipped.append(entry)
            continue
        won.append(leaf[24:40])
        rank = len(winners) + 1
        winners.append({"rank": rank, "prize": prize_of(terms, rank), **entry})
    return winners, skipped


def prize_of(terms: Json, rank: int) -> str | None:
    for prize in terms["prizes"]:
        if rank <= prize["amount"]:
            name: str = prize["name"]
            return name
        rank -= prize["amount"]
    return None


# --- The operator's log and its witnesses -------------------------------------------------


def statements_around(proof: Json, *, before: int = 3, after: int = 2) -> list[bytes]:
    """Return a log: operator's key, other raffles, this seal as number `before`, others."""
    commitment = proof["commitment"]
    closed_at, raffle_id = commitment["closed_at"], commitment["terms"]["raffle_id"]
    said = [statement(0, closed_at - 900, "key", public_key=public_key(OPERATOR))]
    said += [
        statement(n, closed_at - 100 + n, "sold_out", raffle_id=f"{n:032x}")
        for n in range(1, before)
    ]
    sealed = {"raffle_id": raffle_id, "commitment_hash": proof["commitment_hash"]}
    said.append(statement(before, closed_at, "sealed", **sealed))
    return said + [
        statement(n, closed_at + n, "sold_out", raffle_id=f"{n:032x}")
        for n in range(before + 1, before + 1 + after)
    ]


def statement(n: int, at: int, kind: str, *, origin: str = ORIGIN, **adds: Any) -> bytes:
    return dump({"v": "raffle-draw-v2", "origin": origin, "n": n, "at": at, "kind": kind} | adds)


def checkpoint_text(statements: Sequence[bytes], origin: str = ORIGIN) -> str:
    root = tree_hash([digest(b"\0", said) for said in statements])
    return f"{origin}\n{len(statements)}\n{base64.b64encode(root).decode()}\n"


def signature_line(name: str, kind: int, who: str, signature: bytes) -> str:
    key = bytes.fromhex(public_key(who))
    key_hash = digest(name.encode() + b"\n" + bytes([kind]) + key)[:4]
    return f"— {name} {base64.b64encode(key_hash + signature).decode()}\n"


def operator_line(text: str, origin: str = ORIGIN, who: str = OPERATOR) -> str:
    return signature_line(origin, 1, who, key_of(who).sign(text.encode()))


def cosigner_line(text: str, name: str, at: int, who: str | None = None) -> str:
    signed = f"cosignature/v1\ntime {at}\n{text}".encode()
    signature = at.to_bytes(8, "big") + key_of(who or name).sign(signed)
    return signature_line(name, 4, who or name, signature)


def checkpoint(
    statements: list[bytes], n: int, lines: Sequence[str] = (), tokens: Sequence[str] = ()
) -> Json:
    """Return the checkpoint over the statements, with the path of the one of number `n`."""
    text = checkpoint_text(statements)
    path = audit_path(n, [digest(b"\0", said) for said in statements])
    return {
        "path": [node.hex() for node in path],
        "checkpoint": f"{text}\n{operator_line(text)}{''.join(lines)}",
        "tokens": list(tokens),
    }


def witness(
    proof: Json, answers: dict[str, int], *, before: int = 3, after: int = 2
) -> list[bytes]:
    """Put the seal into a log that each of the names saw so many seconds before the randomness.

    Returns the statements of the log.
    """
    said = statements_around(proof, before=before, after=after)
    text = checkpoint_text(said)
    published = time_of(proof["commitment"]["round"])
    lines = [cosigner_line(text, name, published - early) for name, early in answers.items()]
    proof["log"] = {"n": before, "checkpoints": [checkpoint(said, before, lines)]}
    return said


# --- Draws of any kind, and what verify.py says of them -----------------------------------


def make_random(rng: random.Random, source: str = "system") -> Drawn:
    """Return a small draw of any kind: sold out or not, few tickets, limits, witnessed or not."""
    capacity = rng.randint(1, 40)
    kinds = rng.randint(1, min(3, capacity))
    beacon_round = rng.choice(list(SIGNATURES))
    sells_out = rng.random() < 0.3
    witnesses = [f"w{i}.example" for i in range(rng.randint(0, 3))] if source == "drand" else []
    terms = make_terms(
        source,
        beacon_round=beacon_round,
        raffle_id=rng.randbytes(16).hex(),
        name=rng.choice(NAMES),
        capacity=capacity,
        prizes=[
            {"name": rng.choice(NAMES), "amount": rng.randint(1, capacity // kinds)}
            for _ in range(kinds)
        ],
        alternates=rng.randint(0, 3),
        max_wins_per_holder=rng.choice([0, 0, 1, 2]),
        cosigners=named(*witnesses),
    )
    if sells_out:  # the round is the first that is a minute away
        terms["closes_at"] = 0
    tickets = capacity if sells_out else rng.choice([capacity, rng.randint(1, capacity)])
    drawn = draw(
        terms,
        make_leaves(terms, tickets, rng.randint(1, 8)),
        beacon_round=beacon_round,
        randomness=rng.randbytes(32),
        **({"closed_at": time_of(beacon_round) - 60} if sells_out else {}),
    )
    if source == "drand":
        answering = [name for name in witnesses if rng.random() < 0.8]
        answers = {name: rng.randint(3, 60) for name in answering}
        witness(drawn.proof, answers, before=rng.randint(1, 5), after=rng.randint(0, 4))
    return drawn


def judge(proof: bytes, **kept: Any) -> Verdict:
    """Return the verdict of verify.py on the bytes of a file and on what else was kept.

    Leaves, log and witnesses are bytes; everything else is so too, or what is in the file.
    """
    steps: list[dict[str, str]] = []
    try:
        for name in kept:
            if name in ("leaves", "log", "witnesses"):
                kept[name] = io.BytesIO(kept[name])
            elif isinstance(kept[name], bytes):
                kept[name] = verify.read_json(io.BytesIO(kept[name]), name)
        value = verify.read_json(io.BytesIO(proof), "proof")
        if "witnesses" in kept:
            kept["witnesses"] = verify.read_witnesses(kept["witnesses"])
        verdict = verify.verify(value, kept, lambda step: steps.append(step._asdict()))
    except verify.Unreadable:
        return Verdict("UNREADABLE", steps, [])
    except verify.Invalid as reason:
        return Verdict(f"INVALID: {reason}", steps, [])
    return Verdict(verdict.words, steps, [(each.name, each.seconds) for each in verdict.counted])
