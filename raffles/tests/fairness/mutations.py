"""Proofs with one thing wrong."""

import base64
import copy
import json
import random
import re
from collections.abc import Callable, Iterator
from typing import Any

from raffles.tests.fairness.proofs import Json

COSIGNED = re.compile("— [!-~]+ [A-Za-z0-9+/]{102}==")  # 4 + 8 + 64 bytes, the time in the middle
GENERALIZED_TIME = b"\x18\x0f20"
Slot = tuple[Any, Any]  # a container and the key or index of one thing in it


def encode(value: Any) -> bytes:
    """Encode without a spare byte: any changed byte changes the meaning or destroys it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def slots(value: Any) -> Iterator[Slot]:
    keys = value if isinstance(value, dict) else range(len(value)) if type(value) is list else ()
    for key in keys:
        yield value, key
        yield from slots(value[key])


def pick(rng: random.Random, proof: Json, fits: Callable[[Any], bool]) -> Slot:
    return rng.choice([(within, key) for within, key in slots(proof) if fits(within[key])])


def is_hex(value: Any) -> bool:
    return isinstance(value, str) and len(value) >= 32 and value.islower()


def replace_byte(rng: random.Random, proof: Json) -> bytes:
    data = bytearray(encode(proof))
    data[rng.randrange(len(data))] ^= rng.randrange(1, 256)
    return bytes(data)


def cut_off(rng: random.Random, proof: Json) -> bytes:
    data = encode(proof)
    return data[: rng.randrange(len(data))]


def go_on(rng: random.Random, proof: Json) -> bytes:
    return encode(proof) + rng.choice([b"0", b"{}", b",", b"\0", b"\xef\xbb\xbf", b"]"])


def change_number(rng: random.Random, proof: Json) -> bytes:
    within, key = pick(rng, proof, lambda value: type(value) is int)
    number = within[key]
    others = [number + 1, number - 1, -1, 2**53, 2**64 + number, float(number), str(number), None]
    within[key] = rng.choice([*others, bool(number), 0 if number else 7])
    return encode(proof)


def change_hex(rng: random.Random, proof: Json) -> bytes:
    within, key = pick(rng, proof, is_hex)
    text = within[key]
    at = rng.randrange(len(text))
    digit = rng.choice([d for d in "0123456789abcdef" if d != text[at]])
    within[key] = text[:at] + digit + text[at + 1 :]
    return encode(proof)


def respell_hex(rng: random.Random, proof: Json) -> bytes:
    within, key = pick(rng, proof, is_hex)
    text = within[key]
    within[key] = rng.choice([text.upper(), f"0x{text}", f" {text}", f"{text}\n", f"00{text}"])
    return encode(proof)


def swap_values(rng: random.Random, proof: Json) -> bytes:
    first, key = pick(rng, proof, lambda value: not isinstance(value, dict | list))
    mine = first[key]
    second, other = pick(rng, proof, lambda v: not isinstance(v, dict | list) and v != mine)
    first[key], second[other] = second[other], first[key]
    return encode(proof)


def drop_key(rng: random.Random, proof: Json) -> bytes:
    within, key = rng.choice([s for s in slots(proof) if isinstance(s[0], dict)])
    del within[key]
    return encode(proof)


def add_key(rng: random.Random, proof: Json) -> bytes:
    objects = [proof] + [within[key] for within, key in slots(proof)]
    within = rng.choice([value for value in objects if isinstance(value, dict)])
    within[rng.choice(["note", "__proto__", "", "Leaf", "constructor"])] = rng.choice([0, "", None])
    return encode(proof)


def double_key(rng: random.Random, proof: Json) -> bytes:
    within, key = rng.choice([s for s in slots(proof) if isinstance(s[0], dict)])
    within["\0"] = within[key]
    return encode(proof).replace(b'"\\u0000"', encode(key))


def drop_item(rng: random.Random, proof: Json) -> bytes:
    within, key = pick(rng, proof, lambda value: isinstance(value, list) and bool(value))
    del within[key][rng.randrange(len(within[key]))]
    return encode(proof)


def double_item(rng: random.Random, proof: Json) -> bytes:
    within, key = pick(rng, proof, lambda value: isinstance(value, list) and bool(value))
    items = within[key]
    items.insert(rng.randrange(len(items) + 1), rng.choice(items))
    return encode(proof)


def reorder(rng: random.Random, proof: Json) -> bytes:
    def differs(value: Any) -> bool:
        return isinstance(value, list) and any(item != value[0] for item in value)

    if not any(differs(within[key]) for within, key in slots(proof)):
        return drop_key(rng, proof)
    within, key = pick(rng, proof, differs)
    before = list(within[key])
    while within[key] == before:
        rng.shuffle(within[key])
    return encode(proof)


def move_entry(rng: random.Random, proof: Json) -> bytes:
    """Return a winner among the skipped or the other way round, keys as the other list has them."""
    winners, skipped = proof["winners"], proof["skipped"]
    if skipped and rng.random() < 0.5:
        winners.append({"rank": len(winners) + 1, "prize": None, **skipped.pop()})
    elif winners:
        entry = winners.pop()
        skipped.append({k: v for k, v in entry.items() if k not in ("rank", "prize")})
    else:
        return drop_key(rng, proof)
    return encode(proof)


def change_note(rng: random.Random, proof: Json) -> bytes:
    """Return a line of a checkpoint left out, repeated, moved or with another character."""
    if "log" not in proof:
        return change_hex(rng, proof)
    checkpoint = rng.choice(proof["log"]["checkpoints"])
    before = checkpoint["checkpoint"]
    while checkpoint["checkpoint"] == before:
        lines = before.splitlines(keepends=True)
        line = lines.pop(rng.randrange(len(lines)))
        at = rng.randrange(len(line))
        spoilt = line[:at] + rng.choice("aB0+/= —\n") + line[at + 1 :]
        for again in rng.choice([[], [line], [line, line], [spoilt], [spoilt, line]]):
            lines.insert(rng.randrange(len(lines) + 1), again)
        checkpoint["checkpoint"] = "".join(lines)
    return encode(proof)


def change_time(rng: random.Random, proof: Json) -> bytes:
    """Another time in a cosigner's line, by a minute at most, or in a token, by a digit."""
    checkpoints = proof["log"]["checkpoints"] if "log" in proof else []
    places: list[tuple[Json, int | None]] = []
    for checkpoint in checkpoints:
        lines = checkpoint["checkpoint"].split("\n")
        places += [(checkpoint, i) for i, line in enumerate(lines) if COSIGNED.fullmatch(line)]
        places += [(checkpoint, None)] if checkpoint["tokens"] else []
    if not places:
        return change_hex(rng, proof)
    checkpoint, at = rng.choice(places)
    if at is None:
        tokens = checkpoint["tokens"]
        which = rng.randrange(len(tokens))
        token = bytearray(base64.b64decode(tokens[which]))
        digit = token.find(GENERALIZED_TIME) + rng.randrange(12, 16)  # of minute or second
        token[digit % len(token)] ^= rng.randrange(1, 8)
        tokens[which] = base64.b64encode(token).decode()
    else:
        lines = checkpoint["checkpoint"].split("\n")
        name, code = lines[at].rsplit(" ", 1)
        signature = base64.b64decode(code)
        time = int.from_bytes(signature[4:12], "big") + rng.choice([-1, 1]) * rng.randint(1, 60)
        signature = signature[:4] + (time % 2**64).to_bytes(8, "big") + signature[12:]
        lines[at] = f"{name} {base64.b64encode(signature).decode()}"
        checkpoint["checkpoint"] = "\n".join(lines)
    return encode(proof)


MUTATIONS = [
    replace_byte,
    cut_off,
    go_on,
    change_number,
    change_hex,
    respell_hex,
    swap_values,
    drop_key,
    add_key,
    double_key,
    drop_item,
    double_item,
    reorder,
    move_entry,
    change_note,
    change_time,
]


def mutate(rng: random.Random, proof: Json) -> tuple[str, bytes]:
    """Return a mutation's name and the bytes of the proof that it corrupted."""
    mutation = rng.choice(MUTATIONS)
    return mutation.__name__, mutation(rng, copy.deepcopy(proof))
