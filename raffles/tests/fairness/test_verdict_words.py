"""Every way in which a draw can fail has words of its own for visitors."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from pathlib import Path

import pytest
from django.conf import settings

from raffles.fairness import verify
from raffles.tests.fairness.in_node import MODULE, NODE

KINDS = """
import { reasonOf } from "%s";
import { readFileSync } from "node:fs";
const said = JSON.parse(readFileSync(0));
console.log(JSON.stringify(said.map((sentence) => reasonOf(`INVALID: ${sentence}`))));
"""
# What is said of a file's form: of values, of shapes, and of terms beyond their bounds.
FORM = re.compile(
    r"^x? ?(is not|has a|is nested|1$)|^the terms name|^more tickets|^the prizes|^opens_at"
    r"|^witnesses are|^two (cosigners|authorities)|^a (key|cosigner)"
)
# Of functions that are not asked by a check of a draw, or whose caller says it otherwise.
UNHEARD = re.compile(r"^a tree of|^the consistency proof|^the message hashes|^not a ")


def sentences() -> set[str]:
    """Return what the verifier says of what does not hold, with 1 or x in its open places."""
    found = set()
    for node in ast.walk(ast.parse(Path(verify.__file__).read_text("utf-8"))):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
            if getattr(node.exc.func, "id", "") != "Invalid":
                continue
            found.add(_text(node.exc.args[0]))
    found |= {said.replace("of the receipt", "of the seal") for said in found}  # of what is signed
    return {said for said in found if said and not UNHEARD.search(said)}


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if not isinstance(node, ast.JoinedStr):
        return ""  # a reason that a caller gave
    parts = [part.value if isinstance(part, ast.Constant) else _open(part) for part in node.values]
    return "".join(map(str, parts))


def _open(part: ast.expr) -> str:
    """Return what stands in an open place of a sentence."""
    place = ast.unparse(part.value) if isinstance(part, ast.FormattedValue) else ""
    known = {"what": "receipt", "which": "checkpoint 1", "UNSIGNED": verify.UNSIGNED}
    return known.get(place, "x" if place in ("label", "where") else "1")


@pytest.mark.skipif(NODE is None, reason="needs node")
def test_every_reason_of_the_verifier_has_words_on_the_page() -> None:
    said = sorted(sentences())
    module = MODULE.with_name("verdicts.js").as_uri()

    done = subprocess.run(
        [str(NODE), "--input-type=module", "--eval", KINDS % module],
        input=json.dumps(said),
        capture_output=True,
        text=True,
        check=True,
    )

    kind_of = dict(zip(said, json.loads(done.stdout), strict=True))
    assert len(said) > 50
    assert {sentence for sentence, kind in kind_of.items() if kind == "form"} == {
        sentence for sentence in said if FORM.search(sentence)
    }
    page = Path(settings.BASE_DIR, "templates/raffles/_reasons.html").read_text("utf-8")
    assert set(re.findall(r'data-reason="(\w+)"', page)) == set(kind_of.values())
