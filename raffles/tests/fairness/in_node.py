"""verify.js in one node process that serves all tests of a module."""

import base64
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from raffles.tests.fairness.draw_vectors import Files

HERE = Path(__file__).parent
MODULE = HERE.parents[1] / "static" / "raffles" / "verify.js"
NODE = shutil.which("node")

Judge = Callable[[Files], dict[str, Any]]
Ask = Callable[[dict[str, str]], dict[str, Any]]


@contextmanager
def asking() -> Iterator[Ask]:
    """Yield a function that sends verify_runner.mjs a request and returns its answer."""
    command = [str(NODE), str(HERE / "verify_runner.mjs"), str(MODULE)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:
        requests, answers = process.stdin, process.stdout
        assert requests is not None
        assert answers is not None

        def ask(request: dict[str, str]) -> dict[str, Any]:
            print(json.dumps(request), file=requests, flush=True)
            return dict(json.loads(answers.readline()))

        yield ask


def judging(ask: Ask) -> Judge:
    """Return a function that asks verify.js about files given as bytes."""
    return lambda files: ask(
        {name: base64.b64encode(content).decode() for name, content in files.items()}
    )
