"""Arguments of commands."""

from __future__ import annotations

from argparse import ArgumentTypeError
from pathlib import Path


def place(text: str) -> Path:
    """Return the path of a file or a folder; nothing, as of a variable not set, is none."""
    if not text:
        raise ArgumentTypeError("Write a name; this is empty.")
    return Path(text)
