"""verify.js says what verify.py says, word for word and step by step, over the same files."""

import base64
import json
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from raffles.tests.fairness import mutations, proofs, scenarios
from raffles.tests.fairness.mutations import encode
from raffles.tests.fairness.proofs import Verdict, judge

HERE = Path(__file__).parent
MODULE = HERE.parents[1] / "static" / "raffles" / "verify.js"
OPTIONS = {
    "receipt": "receiptText",
    "commitment": "commitmentText",
    "inclusion": "inclusionText",
    "keys": "keysText",
    "leaves": "leavesBytes",
}

Judge = Callable[..., Verdict]

node = shutil.which("node")
pytestmark = pytest.mark.skipif(node is None, reason="node is not installed; verify.js needs one")


@pytest.fixture(scope="module")
def judge_in_node() -> Iterator[Judge]:
    """Like ``judge``, from files in bytes; one node process serves all tests."""
    command = [str(node), str(HERE / "verify_runner.mjs"), str(MODULE)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:
        requests, answers = process.stdin, process.stdout
        assert requests is not None
        assert answers is not None

        def ask(proof: bytes, **kept: bytes) -> Verdict:
            files = {"proof": proof, **{OPTIONS[name]: content for name, content in kept.items()}}
            coded = {name: base64.b64encode(content).decode() for name, content in files.items()}
            print(json.dumps(coded), file=requests, flush=True)
            answer = json.loads(answers.readline())
            assert answer["told"] == answer["steps"]
            assert answer["valid"] is answer["verdict"].startswith("VALID")
            return Verdict(answer["verdict"], answer["steps"])

        yield ask


def test_published_vectors(judge_in_node: Judge) -> None:
    vectors = json.loads((HERE / "vectors" / "draw-vectors.json").read_text(encoding="utf-8"))
    for proof in [*vectors["valid"].values(), *vectors["tampered"].values()]:
        assert judge_in_node(encode(proof)) == judge(encode(proof))


@pytest.mark.parametrize("name", scenarios.SCENARIOS)
def test_what_was_kept(name: str, judge_in_node: Judge) -> None:
    files = scenarios.SCENARIOS[name].files
    here: dict[str, Any] = dict(files)
    there = {name: encode(value) for name, value in files.items() if name != "leaves"}
    if "leaves" in files:
        here["leaves"] = BytesIO(files["leaves"])
        there["leaves"] = files["leaves"]
    assert judge_in_node(encode(scenarios.PROOF), **there) == judge(encode(scenarios.PROOF), **here)


@pytest.mark.parametrize(("text", "expected"), scenarios.TEXTS, ids=range(len(scenarios.TEXTS)))
def test_text_in_place_of_a_proof(text: bytes, expected: str, judge_in_node: Judge) -> None:
    assert judge_in_node(text).words == expected


@pytest.mark.slow
def test_a_thousand_random_draws_and_a_mutation_of_each(judge_in_node: Judge) -> None:
    for seed in range(1000):
        rng = random.Random(seed)
        proof = proofs.make_random(rng, "drand" if seed % 200 == 0 else "system").proof
        name, mutated = mutations.mutate(rng, proof)
        for kind, data in (("valid", encode(proof)), (name, mutated)):
            assert judge_in_node(data) == judge(data), (seed, kind)


def test_claims_beyond_32_bits(judge_in_node: Judge) -> None:
    terms = proofs.make_terms(capacity=2**53 - 1, prizes=[{"name": "pen", "amount": 2**53 - 1}])
    proof = proofs.draw(terms, [], tickets=2**53 - 1, root="0" * 64).proof
    verdict = judge_in_node(encode(proof))
    assert verdict == judge(encode(proof))
    assert verdict.words.endswith("was drawn, the proof leaves it out")
