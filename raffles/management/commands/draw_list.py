"""Draw winners from a list that you bring: each of its lines takes part.

Makes a raffle of them, seals and draws it, and writes into a folder certificate.html, proof.json,
winners.csv and the evidence. Run again, it goes on where it stood, or writes the same files again:
the same list on the same terms is drawn once.
"""

from __future__ import annotations

import os
import socket
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterable, Iterator
from hashlib import file_digest
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from raffles.domain.creating import made_before
from raffles.domain.due import run_due
from raffles.domain.entering_lists import check_list, create_from_list, request_for
from raffles.domain.evidence import export_evidence
from raffles.domain.exports import export_winners_of_list
from raffles.domain.proofs import drawn, stream_proof
from raffles.domain.reading_lists import Line, read_list, read_prizes
from raffles.domain.refusals import BadLines, Refusal
from raffles.domain.witnesses.ours.summary import seen
from raffles.management.progress import Bar
from raffles.models import Entropy, Privacy, Raffle
from raffles.models.raffle import MAX_ALTERNATES
from raffles.pages.views import certificate_file
from raffles.web.fields import text_fault
from raffles.web.tables import UnreadableTable, find_codec

FAILED, USAGE, WAITING = 1, 2, 75
_WAITS = 240.0  # seconds for the beacon, which comes 60 to 90 after the seal
_PAUSE = 5.0


class Command(BaseCommand):
    """Exit status: 0 drawn, 1 bad lines or failed, 2 usage, 75 the beacon has not spoken yet."""

    help = __doc__
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("file", type=Path, metavar="FILE", help="CSV with the column holder, or JSON lines")
        add("--prizes", required=True, type=_prizes, metavar='"1 Phone, 3 Mug"')
        add("--name", type=_name, help="of the raffle, in public; without it the file's")
        add("--alternates", type=_alternates, default=10, metavar="N")
        add("--entropy", choices=Entropy.values, default=settings.DRAW_ENTROPY)
        add(
            "--names",
            choices=Privacy.values,
            default=str(Privacy.NUMBER),
            help="how much of the column name is kept and shown in public; number: nothing",
        )
        add(
            "--column",
            type=_column,
            action="append",
            default=[],
            metavar="holder=E-mail",
            help="what the file calls the column holder, name or tickets; others are passed over",
        )
        add("--out", type=Path, metavar="FOLDER", help="a new one; otherwise draw-ID")
        add("--dry-run", action="store_true", help="check the lines, do nothing")

    def handle(self, *_: Any, **options: Any) -> None:
        if lost := ", ".join(sorted(settings.EPHEMERAL_SECRETS - {"SECRET_KEY"})):
            why = "Without them nobody could check a ticket, and this command could not go on."
            raise CommandError(f"Set {lost} first, in .env (see .env.example). {why}", returncode=2)
        try:
            self._draw(_Brought(options["file"], dict(options["column"])), options)
        except BadLines as bad:
            for line, fault in bad.faults:
                self.stderr.write(f"line {line}: {fault}")
            if "columns must be" in bad.faults[0][1]:
                self.stderr.write("--column holder=E-mail says what the file calls one.")
            lines = "1 bad line" if bad.count == 1 else f"{bad.count:,} bad lines"
            also = f" (the first {len(bad.faults):,} above)" if bad.count > len(bad.faults) else ""
            raise CommandError(f"{lines}{also}; nothing was entered.") from bad
        except (OSError, UnreadableTable) as fault:
            raise CommandError(f"{options['file']}: {fault}", returncode=USAGE) from fault
        except Refusal as refusal:
            raise CommandError(f"{refusal}.") from refusal

    def _draw(self, brought: _Brought, options: dict[str, Any]) -> None:
        terms = {
            "name": options["name"] or _name(brought.path.stem),
            "prizes": [list(prize) for prize in options["prizes"]],
            "alternates": options["alternates"],
            "entropy": options["entropy"],
            "privacy": options["names"],
        }
        request = request_for(brought.digest, columns=brought.called, terms=terms)
        folder: Path | None = options["out"]
        if folder and folder.exists() and not made_before(request) and any(folder.iterdir()):
            raise CommandError(f"{folder} is not empty.", returncode=USAGE)
        by: dict[str, Any] = {"now": timezone.now(), "by": f"draw_list on {socket.gethostname()}"}
        if brought.encoding != "UTF-8" and options["verbosity"]:
            self.stderr.write(f"Read as {brought.encoding}, since it is not UTF-8.")
        if options["dry_run"]:
            entrants = check_list(brought.lines())
            self.stdout.write(f"{entrants:,} entrants and no bad line; nothing was entered.")
            return
        raffle = create_from_list(brought.lines(), request=request, terms=terms, **by)
        if options["verbosity"]:
            self.stdout.write(f"{raffle.total_tickets:,} entrants in raffle {raffle.uuid}.")
        self._finish(raffle, by["by"])
        folder = folder or Path(f"draw-{str(raffle.uuid)[:8]}")
        _write(folder, raffle, brought, by)
        if options["verbosity"]:
            self.stdout.write(f"{seen(drawn(raffle.uuid)).verdict}")
            self.stdout.write(f"Written to {folder}/: {', '.join(sorted(os.listdir(folder)))}")

    def _finish(self, raffle: Raffle, by: str) -> None:
        """Take the raffle through its draw, which the beacon may keep waiting."""
        until, is_told = time.monotonic() + _WAITS, False
        while True:
            now = timezone.now()
            (run,) = run_due([raffle], now=now, clock=timezone.now, by=by, progress=_bar)
            if run.outcome in ("drawn", "void"):
                break
            if run.outcome == "failed":
                raise CommandError(run.detail)
            waits = "Another run is at it" if run.outcome == "busy" else f"Sealed for {run.detail}"
            if time.monotonic() > until:
                again = "Run the same command again later, or leave it to draw_winners"
                raise CommandError(f"{waits}. {again}.", returncode=WAITING)
            if not is_told:
                self.stdout.write(f"{waits}; waiting.")
                is_told = True
            time.sleep(_PAUSE)
        if run.outcome == "void":
            raise CommandError("The raffle was called off.")


class _Brought:
    """The file: its digest, its encoding, and its lines as often as they are asked for."""

    def __init__(self, path: Path, called: dict[str, str]) -> None:
        self.path, self.called = path, called
        with path.open("rb") as file:
            self.codec, self.encoding = find_codec(file)
        self.digest = self._digest()

    def _digest(self) -> str:
        with self.path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()

    def lines(self) -> Iterator[Line]:
        with self.path.open(encoding=self.codec, newline="") as text:
            yield from read_list(text, self.called)
        if self._digest() != self.digest:
            raise CommandError("The file has changed while it was read.")


def _write(folder: Path, raffle: Raffle, brought: _Brought, by: dict[str, Any]) -> None:
    """Write all files; each has its name once it is whole."""
    files: dict[str, Callable[[], Iterable[str | bytes]]] = {
        "winners.csv": lambda: export_winners_of_list(raffle.uuid, brought.lines(), **by),
        "certificate.html": lambda: [certificate_file(raffle.uuid)],
        "proof.json": lambda: stream_proof(drawn(raffle.uuid)),
        f"evidence-{raffle.uuid}.zip": lambda: export_evidence(raffle.uuid, **by),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, pieces in files.items():
        part = folder / f"{name}.part"
        with part.open("wb") as file:
            for piece in pieces():
                file.write(piece.encode() if isinstance(piece, str) else piece)
        part.rename(folder / name)


def _bar(raffle: Raffle) -> Bar:
    return Bar(f"sealing {raffle.name}")


def _prizes(text: str) -> list[tuple[str, int]]:
    try:
        return read_prizes(text)
    except ValueError as fault:
        raise ArgumentTypeError(str(fault)) from fault


def _name(text: str) -> str:
    if len(text) > 200 or (fault := text_fault(text)):
        raise ArgumentTypeError(fault if len(text) <= 200 else "At most 200 characters.")
    return text


def _alternates(text: str) -> int:
    if not text.isdecimal() or int(text) > MAX_ALTERNATES:
        raise ArgumentTypeError(f"Write a number from 0 to {MAX_ALTERNATES:,}.")
    return int(text)


def _column(text: str) -> tuple[str, str]:
    column, equals, heading = text.partition("=")
    if column not in ("holder", "name", "tickets") or not equals or not heading:
        raise ArgumentTypeError("Write holder=, name= or tickets= and what the file calls it.")
    return column, heading
