"""The documents, and the blocks in them that people copy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

from django.conf import settings

ROOT = Path(settings.BASE_DIR)
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
# Why a block is not run: `<!-- not run: notation -->` in front of it.
REASONS = {
    "notation",  # formulas, shapes, pictures and check values, to be read
    "fetches packages",
    "runs the tests",
    "serves until it is stopped",
    "takes minutes",
    "needs a second installation",
    "needs three hosts",
    "needs a machine of its own",  # test_installed has one
}
_BLOCK = re.compile(
    r"""(?:^\ *<!--\ not\ run:\ (?P<reason>[^\n]+?)\ -->\n\n?)?
        (?:(?<=\n\n)(?P<indented>(?:\ {4,}.*\n)+(?:\n(?:\ {4,}.*\n)+)*)
          |^```.*\n(?P<fenced>(?:.*\n)*?)```\n)""",
    re.MULTILINE | re.VERBOSE,
)
_KINDS = {
    "prometheus": re.compile(r"# /etc/prometheus/\S+\n"),
    "settings": re.compile(r"(?!URL=)[A-Z_]+="),
    "python": re.compile(r"from \S+ import "),
    "frame": re.compile(r"<iframe "),
    "address": re.compile(r"https://\S+\n$"),
    "request": re.compile(r"POST /"),
    "answer": re.compile(r"20\d \{"),
    "console": re.compile(r"\$ "),
    "shell": re.compile(
        r"(URL=|get\(\)|curl |git |cp |pg_dump |pip |python3? |manage\.py |make\b|\.venv/bin/"
        r"|runuser |cd |apt |useradd |install |psql |systemctl |rm |cat |certbot |podman )"
    ),
}


class Block(NamedTuple):
    """An indented or fenced block, without its indent, and the reason why it is not run."""

    document: str
    line: int
    text: str
    reason: str

    @property
    def kind(self) -> str:
        """What it is by its first words; empty for what nobody can run."""
        return next((kind for kind, begins in _KINDS.items() if begins.match(self.text)), "")


def blocks() -> Iterator[Block]:
    """Yield all blocks of all documents, in their order."""
    for document in DOCUMENTS:
        text = document.read_text()
        for found in _BLOCK.finditer(text):
            block = dedent(found["indented"] or found["fenced"])
            line = text.count("\n", 0, found.start()) + 1
            name = str(document.relative_to(ROOT))
            yield Block(name, line, block, found["reason"] or "")
