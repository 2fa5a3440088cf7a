"""verify.py and verify.js say the same of the same files, line for line."""

import base64
import contextlib
import io
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from raffles.fairness import verify
from raffles.tests.fairness import in_node, mutations, proofs, scenarios
from raffles.tests.fairness.draw_vectors import CASES, Case, Files

pytestmark = pytest.mark.skipif(
    in_node.NODE is None, reason="node is not installed; verify.js needs one"
)
ROUNDS = int(os.environ.get("PARITY_ROUNDS", "300"))


@pytest.fixture(scope="module")
def in_browser() -> Iterator[in_node.Judge]:
    with in_node.asking() as ask:
        yield in_node.judging(ask)


@pytest.fixture
def in_python(tmp_path: Path) -> in_node.Judge:
    """Return the command's own lines, and its answer with --json."""

    def run(arguments: list[str]) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = verify.main(arguments)
        return status, out.getvalue(), err.getvalue()

    def judge(files: Files) -> dict[str, Any]:
        for name, content in files.items():
            (tmp_path / name).write_bytes(content)
        options = [f"--{name}={tmp_path / name}" for name in files if name != "proof"]
        status, text, error = run([str(tmp_path / "proof"), *options, "--json"])
        if status == 2:
            return {"exit": 2, "verdict": error.strip(), "counted": []}
        return dict(json.loads(text))

    return judge


def compare(case: Case, python: dict[str, Any], browser: dict[str, Any]) -> None:
    said = {key: browser[key] for key in python}
    assert said == python, case.name


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_cases(case: Case, in_python: in_node.Judge, in_browser: in_node.Judge) -> None:
    compare(case, in_python(case.files), in_browser(case.files))


@pytest.mark.parametrize("name", scenarios.SCENARIOS)
def test_what_was_kept(name: str, in_python: in_node.Judge, in_browser: in_node.Judge) -> None:
    values = {"proof": scenarios.PROOF, **scenarios.SCENARIOS[name].files}
    files = {
        label: value if isinstance(value, bytes) else mutations.encode(value)
        for label, value in values.items()
    }
    compare(Case(name, files, {}), in_python(files), in_browser(files))


@pytest.mark.parametrize("text", [text for text, _ in scenarios.TEXTS], ids=lambda text: text[:20])
def test_texts_in_place_of_a_proof(
    text: bytes, in_python: in_node.Judge, in_browser: in_node.Judge
) -> None:
    files = {"proof": text}
    compare(Case("text", files, {}), in_python(files), in_browser(files))


@pytest.mark.slow
def test_random_draws_and_a_mutation_of_each(
    in_python: in_node.Judge, in_browser: in_node.Judge
) -> None:
    for seed in range(ROUNDS):
        rng = random.Random(seed)
        proof = proofs.make_random(rng, rng.choice(["drand", "system"])).proof
        name, mutated = mutations.mutate(rng, proof)
        for kind, data in (("valid", mutations.encode(proof)), (name, mutated)):
            files = {"proof": data}
            compare(Case(f"seed {seed}, {kind}", files, {}), in_python(files), in_browser(files))


# --- Mutations ----------------------------------------------------------------------------

PIECES = [b"1.0", b"-0", b"9007199254740993", b'"', b"{", b"]", b",", b"\\ud800", b"\xff", b"\n"]
CHARACTERS = ["0", "f", "+", "é", "\n", " ", "\u202e", ""]
VALUES: list[Any] = [None, True, "", "x", 0, 1, -1, 2**53, 1.5, [], {}]


def mutate(rng: random.Random, files: Files) -> Files:
    """Return the files with one of them changed in one place, by its bytes or by its values."""
    name = rng.choice([name for name in files for _ in range(3 if name == "proof" else 1)])
    content = files[name]
    if name in ("leaves", "log", "witnesses") or rng.random() < 0.2:
        return {**files, name: mutate_bytes(rng, content)}
    try:
        holder = [json.loads(content)]
    except (ValueError, RecursionError):
        return {**files, name: mutate_bytes(rng, content)}
    mutate_value(rng, holder)
    text = json.dumps(holder[0], ensure_ascii=rng.random() < 0.5)
    return {**files, name: text.encode("utf-8", "surrogatepass")}


def mutate_bytes(rng: random.Random, content: bytes) -> bytes:
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
    """Return every (list or object, index or key), nested ones as often as those at the top."""
    keys = range(len(value)) if isinstance(value, list) else list(value)
    for key in keys:
        yield value, key
        if isinstance(value[key], (list, dict)):
            yield from places_in(value[key])


def mutate_value(rng: random.Random, holder: list[Any]) -> None:
    """Change one thing inside: two times in five something of the log, where there is one."""
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
        return mutate_text(rng, value)
    if isinstance(value, (int, float)):
        return value + rng.choice([-1, 1, -60, 60, 2**32])
    return rng.sample(value, len(value)) if isinstance(value, list) else list(value or "x")


def mutate_text(rng: random.Random, text: str) -> str:
    """Change a bit encoded by base64 or a line of a note, else a character."""
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


@pytest.mark.slow
def test_mutations(in_python: in_node.Judge, in_browser: in_node.Judge) -> None:
    for seed in range(ROUNDS):
        rng = random.Random(seed)
        case = rng.choice(CASES)
        files = case.files
        for _ in range(rng.choice([1, 1, 2])):
            files = mutate(rng, files)
        mutated = Case(f"seed {seed}, {case.name}", files, {})
        compare(mutated, in_python(files), in_browser(files))
