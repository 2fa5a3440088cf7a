"""The signer's memory: each commitment that was signed, in a file that no restore puts back.

A line is on the disk before the seal's transaction commits: a validator's memory, as proof-of-stake
chains keep it (EIP-3076). The whole commitment file stands in it, so that what was promised can be
shown although the database has forgotten it. One machine draws, or each has a memory of its own.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.utils.translation import gettext_noop as _

from raffles.domain.lineage import Standing, is_unbroken_since
from raffles.domain.marks import alone, require_writable
from raffles.domain.refusals import Kind, Refusal
from raffles.fairness.verify import canonical
from raffles.web.outages import Unavailable


class SealedBefore(Refusal):
    """Another commitment of this raffle was signed in a state of the database that is lost."""

    kind = Kind.CONFLICT
    code = "sealed_before"
    sentence = _(
        "This raffle was sealed before its records were put back to an older state. It is never"
        " sealed a second time, so it can only be called off"
    )


class Forgetful(Unavailable):
    """Nothing is signed that could not be remembered."""

    code = "unavailable"
    sentence = _("Nothing can be sealed here at the moment. Try again later.")

    def __init__(self, why: OSError) -> None:
        super().__init__(why)
        self.why = why

    def for_operators(self) -> str:
        """Return what is wrong with the file."""
        return f"No seal is signed, since it could not be remembered in STATE_DIR: {self.why}."


class Line(NamedTuple):
    """A commitment file as it was signed, with where and when that was."""

    standing: Standing
    file: dict[str, Any]

    @property
    def raffle_id(self) -> str:
        """Return the id of its raffle, in 32 hex digits."""
        return str(self.file["commitment"]["terms"]["raffle_id"])


def remember(own: Standing, file: dict[str, Any]) -> None:
    """Write a commitment file's line before its seal is committed, and wait for the disk.

    As long as nothing that was committed has been lost, a raffle that is not sealed shows that the
    line's transaction was not committed, so that another may follow. Raises SealedBefore where
    another was signed elsewhere, or before something was lost; and Forgetful.
    """
    line = Line(own, file)
    text = f"{own.installation.hex()} {own.epoch} ".encode() + canonical(file)
    try:
        with alone():
            if not all(is_unbroken_since(each.standing) for each in lines(line.raffle_id)):
                raise SealedBefore
            require_writable(own.installation)  # its statement is noted once it is committed
            _append(text)
    except OSError as error:
        raise Forgetful(error) from error


def lines(raffle_id: str = "") -> Iterator[Line]:
    """Yield the lines, of one raffle if it is given; what a crash tore was never a seal."""
    try:
        with _path().open("rb") as file:
            for text in file:
                if raffle_id.encode() in text and (line := _read(text)):
                    yield line
    except FileNotFoundError:
        return


def _read(text: bytes) -> Line | None:
    try:
        installation, epoch, content = text.split(b" ", 2)
        standing = Standing(bytes.fromhex(installation.decode()), int(epoch))
        return Line(standing, json.loads(content))
    except ValueError:
        return None


def _append(text: bytes) -> None:
    with _path().open("a+b") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(end - 1, 0))
        torn = b"" if file.read() in (b"", b"\n") else b"\n"
        file.write(torn + text + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _path() -> Path:
    return Path(settings.STATE_DIR, "signed")
