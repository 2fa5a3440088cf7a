"""Files of a published case with one thing changed, by their bytes or by their values."""

import base64
import json
import random
from collections.abc import Iterator
from typing import Any

from raffles.tests.fairness.draw_vectors import Files

PIECES = [b"1.0", b"-0", b"9007199254740993", b'"', b"{", b"]", b",", b"\\ud800", b"\xff", b"\n"]
CHARACTERS = ["0", "f", "+", "é", "\n", " ", "\u202e", ""]
VALUES: list[Any] = [None, True, "", "x", 0, 1, -1, 2**53, 1.5, [], {}]


def spoil(rng: random.Random, files: Files) -> Files:
    """The files with one of them changed in one place, by its bytes or by its values."""
    name = rng.choice([name for name in files for _ in range(3 if name == "proof" else 1)])
    content = files[name]
    if name in ("leaves", "log", "witnesses") or rng.random() < 0.2:
        return {**files, name: spoil_bytes(rng, content)}
    try:
        holder = [json.loads(content)]
    except (ValueError, RecursionError):
        return {**files, name: spoil_bytes(rng, content)}
    spoil_value(rng, holder)
    text = json.dumps(holder[0], ensure_ascii=rng.random() < 0.5)
    return {**files, name: text.encode("utf-8", "surrogatepass")}


def spoil_bytes(rng: random.Random, content: bytes) -> bytes:
    start = rng.randrange(len(content) + 1)
    end = min(len(content), start + rng.choice([1, 1, 1, 32, 300]))
    lines = content.splitlines(keepends=True)
    match rng.randrange(6):
        case 0:
            return content[:start] + content[end:]
        case 1:
            return content[:end] + content[start:]
        case 2:
            return content[:start] + rng.choice(PIECES) + content[start:]
        case 3 if lines:
            rng.shuffle(lines)
            return b"".join(lines)
        case 4 if lines:
            lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines))
            return b"".join(lines)
        case _:
            changed = bytearray(content or b"\0")
            changed[min(start, len(changed) - 1)] ^= 1 << rng.randrange(8)
            return bytes(changed)


def places_in(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (list or object, index or key), those deep inside as often as those at the top."""
    keys = range(len(value)) if isinstance(value, list) else list(value)
    for key in keys:
        yield value, key
        if isinstance(value[key], (list, dict)):
            yield from places_in(value[key])


def spoil_value(rng: random.Random, holder: list[Any]) -> None:
    """Changes one thing inside: two times in five something of the log, where there is one."""
    places = list(places_in(holder))
    inner = [place for place in places if place[1] in ("checkpoint", "tokens", "n", "path")]
    container, key = rng.choice(inner if inner and rng.random() < 0.4 else places)
    if isinstance(container[key], list) and container[key] and rng.random() < 0.9:
        container = container[key]
        key = rng.randrange(len(container))
    if isinstance(container, list) and rng.random() < 0.2:
        container.insert(key, rng.choice(container))
    elif isinstance(container, dict) and rng.random() < 0.1:
        del container[key]
    elif rng.random() < 0.15:
        container[key] = rng.choice(VALUES)
    else:
        container[key] = changed(rng, container[key])


def changed(rng: random.Random, value: Any) -> Any:
    if isinstance(value, str):
        return spoil_text(rng, value)
    if isinstance(value, (int, float)):
        return value + rng.choice([-1, 1, -60, 60, 2**32])
    return rng.sample(value, len(value)) if isinstance(value, list) else list(value or "x")


def spoil_text(rng: random.Random, text: str) -> str:
    """Changes a bit of what base64 or a line of a note codes, else a character."""
    start = text.rfind(" ", 0, rng.randrange(len(text) + 1)) + 1
    end = text.find("\n", start)
    coded = text[start:] if end < 0 else text[start:end]
    try:
        code = bytearray(base64.b64decode(coded, validate=True))
        code[rng.randrange(len(code))] ^= 1 << rng.randrange(8)
    except ValueError:
        at = rng.randrange(len(text) + 1)
        return text[:at] + rng.choice(CHARACTERS) + text[at + 1 :]
    return text[:start] + base64.b64encode(code).decode() + text[start + len(coded) :]
