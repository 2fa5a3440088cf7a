"""The QR code that a browser draws by itself, in node, against the one that the server draws."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import segno

MODULE = Path(__file__).parents[2] / "static" / "raffles" / "qr.js"
NODE = shutil.which("node")
# Bytes that fill a symbol of level M, by version: how a symbol is padded is then no question.
FULL = (14, 26, 42, 62, 84, 106, 122, 152, 180, 213, 251, 287)
DRAW = """
const [path, ...texts] = process.argv.slice(1);
const { modulesOf } = await import(path);
const drawn = (text) => modulesOf(text).map((row) => row.map(Number));
const said = (text) => { try { return drawn(text); } catch (error) { return error.name; } };
console.log(JSON.stringify(texts.map(said)));
"""

pytestmark = pytest.mark.skipif(NODE is None, reason="node is not installed; qr.js needs one")


def test_symbols_are_those_of_the_server() -> None:
    address = "https://raffle.example.org/r/3f2b1c9a/ticket/#17.ABCD-EFGH-"
    texts = [(address * 6)[:length] for length in FULL]

    drawn = _drawn([*texts, "x" * (FULL[-1] + 1)])

    codes = [
        segno.make(text, error="m", mode="byte", mask=0, boost_error=False, micro=False)
        for text in texts
    ]
    assert [code.version for code in codes] == list(range(1, 13))
    assert drawn == [*([list(row) for row in code.matrix] for code in codes), "RangeError"]


def _drawn(texts: list[str]) -> list[object]:
    """Return the modules of each text, or the name of the error."""
    command = [str(NODE), "--input-type=module", "--eval", DRAW, str(MODULE), *texts]
    answer = subprocess.run(command, check=True, capture_output=True, encoding="utf-8")
    return list(json.loads(answer.stdout))
