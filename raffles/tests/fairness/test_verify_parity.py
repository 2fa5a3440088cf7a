"""verify.py and verify.js say the same of the same files, line for line.

`PARITY_ROUNDS=1000 pytest raffles/tests/fairness/test_verify_parity.py` is the long form.
"""

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
from raffles.tests.fairness.draw_vectors import CASES, Case, Files, faults_in
from raffles.tests.fairness.spoiling import spoil

pytestmark = pytest.mark.skipif(
    in_node.NODE is None, reason="node is not installed; verify.js needs one"
)
ROUNDS = int(os.environ.get("PARITY_ROUNDS", "100"))


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
    assert browser["told"] == browser["steps"], case.name


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_cases(case: Case, in_python: in_node.Judge, in_browser: in_node.Judge) -> None:
    browser = in_browser(case.files)
    assert faults_in(browser, case.expected) == []
    assert browser["lines"][-1] == browser["verdict"]
    compare(case, in_python(case.files), browser)


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


@pytest.mark.slow
def test_mutations(in_python: in_node.Judge, in_browser: in_node.Judge) -> None:
    for seed in range(ROUNDS):
        rng = random.Random(seed)
        case = rng.choice(CASES)
        files = case.files
        for _ in range(rng.choice([1, 1, 2])):
            files = spoil(rng, files)
        mutated = Case(f"seed {seed}, {case.name}", files, {})
        compare(mutated, in_python(files), in_browser(files))
