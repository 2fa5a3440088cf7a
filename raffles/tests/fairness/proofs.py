"""Proofs made the slow and obvious way, straight from the protocol and not with verify.py.

Trees are hashed by the recursive definition of RFC 9162 and draws shuffle a whole list, so that
a shortcut in the code under test has nothing of its own to agree with.
"""

import hashlib
import json
import random
from typing import Any, NamedTuple

from raffles.fairness import verify

Json = dict[str, Any]

GENESIS, PERIOD = 1692803367, 3
QUICKNET = "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971"
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
    "bell\u0007",
    "🎉 & <b>",
]


class Drawn(NamedTuple):
    """A proof and the 56-byte leaves of its whole pool, in order of index."""

    proof: Json
    leaves: list[bytes]


class Verdict(NamedTuple):
    """What verify.py says; ``words`` is "UNREADABLE" for what is not JSON."""

    words: str
    steps: list[dict[str, str]]


def digest(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


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
    """The largest power of two below size."""
    return 1 << (size - 1).bit_length() - 1


def uniform(seed: bytes, i: int, n: int) -> tuple[int, int]:
    """The number and how many words were rejected before it."""
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


def make_terms(source: str = "system", **changes: Any) -> Json:
    entropy = {"source": source} | ({"chain": QUICKNET} if source == "drand" else {})
    return {
        "raffle_id": "0123456789abcdef0123456789abcdef",
        "name": "Fair",
        "capacity": 20,
        "closes_at": 0,
        "prizes": [{"name": "telescope", "amount": 1}, {"name": "pen", "amount": 2}],
        "alternates": 2,
        "max_wins_per_holder": 0,
        "entropy": entropy,
    } | changes


def make_leaves(terms: Json, tickets: int, holders: int | None = None) -> list[bytes]:
    """Tickets with the highest numbers first; with few holders each has several."""
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
    """Commit to a pool and draw it; ``changes`` replace members of the commitment."""
    hashes = [leaf_hash(leaf) for leaf in leaves]
    commitment = {
        "v": "raffle-draw-v1",
        "terms": terms,
        "draw_no": 1,
        "prev": "0" * 64,
        "tickets": len(leaves),
        "root": tree_hash(hashes).hex(),
        "closed_at": GENESIS + (beacon_round - 1) * PERIOD - 60,
    } | changes
    entropy: Json = {"source": terms["entropy"]["source"]}
    if entropy["source"] == "drand":
        commitment["round"] = beacon_round
        signature = SIGNATURES[beacon_round]
        randomness = digest(bytes.fromhex(signature))
        entropy |= {"round": beacon_round, "signature": signature}
    commitment_hash = digest(b"raffle-draw-v1/commitment\0", dump(commitment))
    seed = digest(b"raffle-draw-v1/seed\0", commitment_hash, randomness)
    winners, skipped = walk(terms, leaves, hashes, shuffled(seed, len(leaves)))
    proof = {
        "commitment": commitment,
        "commitment_hash": commitment_hash.hex(),
        "entropy": {**entropy, "randomness": randomness.hex()},
        "seed": seed.hex(),
        "winners": winners,
        "skipped": skipped,
    }
    return Drawn(proof, leaves)


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


def make_random(rng: random.Random, source: str = "system") -> Drawn:
    """A small draw of any kind: sold out or not, few tickets or none, limits, voided before."""
    capacity = rng.randint(1, 40)
    kinds = rng.randint(1, 3)
    terms = make_terms(
        source,
        raffle_id=rng.randbytes(16).hex(),
        name=rng.choice(NAMES),
        capacity=capacity,
        closes_at=rng.choice([0, 1692799200]),
        prizes=[{"name": rng.choice(NAMES), "amount": rng.randint(1, 4)} for _ in range(kinds)],
        alternates=rng.randint(0, 3),
        max_wins_per_holder=rng.choice([0, 0, 1, 2]),
    )
    tickets = rng.choice([capacity, rng.randint(0, capacity)])
    voided = rng.random() < 0.2
    return draw(
        terms,
        make_leaves(terms, tickets, rng.randint(1, 8)),
        beacon_round=rng.choice(list(SIGNATURES)),
        randomness=rng.randbytes(32),
        draw_no=2 if voided else 1,
        prev=rng.randbytes(32).hex() if voided else "0" * 64,
    )


def judge(proof: bytes, **kept: Any) -> Verdict:
    """The verdict of verify.py on the bytes of a file and on what else was kept."""
    steps: list[dict[str, str]] = []
    try:
        value = verify.read_json(proof.decode(), "proof")
        for step in verify.verify(value, **kept):
            steps.append(step._asdict())  # noqa: PERF401 - keeps the steps before a refusal
    except (verify.Unreadable, UnicodeDecodeError):
        return Verdict("UNREADABLE", steps)
    except verify.Invalid as reason:
        return Verdict(f"INVALID: {reason}", steps)
    return Verdict(verify.VERDICTS[value["entropy"]["source"]], steps)
