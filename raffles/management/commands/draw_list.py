"""Draw winners from a list that you bring: each of its lines takes part.

Makes a raffle of them, seals and draws it, and writes into a folder certificate.html, proof.json,
winners.csv and the evidence; with --links, before the draw, entries.csv too: each entrant's own
link, with a code that is for them alone. Run again, it goes on where it stood, or writes the same
files again: the same list on the same terms is drawn once.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import file_digest
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from raffles.domain.clock import command_clock, command_time
from raffles.domain.creating import made_before
from raffles.domain.due import run_due
from raffles.domain.entering_lists import Summary, check_list, create_from_list, request_for
from raffles.domain.evidence import export_evidence
from raffles.domain.exports import export_links_of_list, export_winners_of_list
from raffles.domain.proofs import drawn, stream_proof
from raffles.domain.reading_lists import NEEDED, OPTIONAL, Line, read_list, read_prizes
from raffles.domain.refusals import BadLines, Refusal
from raffles.domain.rules import read_rules
from raffles.domain.sealing import Clock
from raffles.domain.witnesses.ours.summary import seen
from raffles.management.arguments import place
from raffles.management.progress import Bar
from raffles.models import Entropy, Privacy, Raffle
from raffles.models.raffle import HOLDER_TERMS, MAX_A_HOLDER, MAX_ALTERNATES
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
        add("file", type=place, metavar="FILE", help="CSV with the column holder, or JSON lines")
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
            help="what the file calls the column holder, name, tickets or channel; others are "
            "passed over",
        )
        add(
            "--tickets-per-holder",
            type=_limit,
            metavar="N",
            help="a line that asks for more is bad; without it the most that a line asks for",
        )
        add("--max-wins-per-holder", type=_limit, metavar="N", help="0: no limit")
        add(
            "--rules",
            type=_rules,
            metavar="FILE",
            help="their text, in UTF-8: shown in public, its hash in the signed terms",
        )
        add("--out", type=place, metavar="FOLDER", help="a new one; otherwise draw-ID")
        add(
            "--links",
            action="store_true",
            help="also write entries.csv: holder, number, code, link. It is secret, and readable "
            "by you alone: whoever has it can claim everybody's prize",
        )
        add("--no-draw", action="store_true", help="enter only; without it, draw what was entered")
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
        except UnreadableTable as fault:
            raise CommandError(f"{options['file']}: {fault}", returncode=USAGE) from fault
        except OSError as fault:
            said = f"{fault.filename or options['file']}: {fault.strerror or fault}."
            raise CommandError(said, returncode=USAGE) from fault
        except Refusal as refusal:
            raise CommandError(f"{refusal}.") from refusal

    def _draw(self, brought: _Brought, options: dict[str, Any]) -> None:
        terms = {
            "name": options["name"] or _name_of(brought.path),
            "prizes": [list(prize) for prize in options["prizes"]],
            "alternates": options["alternates"],
            "entropy": options["entropy"],
            "privacy": options["names"],
        }
        terms |= {name: options[name] for name in (*HOLDER_TERMS, "rules") if options[name]}
        request = request_for(brought.digest, columns=brought.called, terms=terms)
        folder: Path | None = options["out"]
        if folder and folder.exists() and not made_before(request) and any(folder.iterdir()):
            raise CommandError(f"{folder} is not empty.", returncode=USAGE)
        by: dict[str, Any] = {
            "now": command_time(),
            "by": f"draw_list on {socket.gethostname()}",
        }
        if brought.encoding != "UTF-8" and options["verbosity"]:
            self.stderr.write(f"Read as {brought.encoding}, since it is not UTF-8.")
        if options["dry_run"]:
            limit = options["tickets_per_holder"] or None
            summary = check_list(brought.lines(), tickets_per_holder=limit, now=by["now"])
            self.stdout.write(f"{_counted(summary)} and no bad line; nothing was entered.")
            return
        if options["links"] or not options["no_draw"]:
            _try_to_write(folder or Path())
        raffle = create_from_list(brought.lines(), request=request, terms=terms, **by)
        if options["verbosity"]:
            self.stdout.write(f"{raffle.total_tickets:,} tickets in raffle {raffle.uuid}.")
        self._write_out(
            folder or Path(f"draw-{str(raffle.uuid)[:8]}"), raffle, brought, options, by
        )

    def _write_out(
        self,
        folder: Path,
        raffle: Raffle,
        brought: _Brought,
        options: dict[str, Any],
        by: dict[str, Any],
    ) -> None:
        """Write the personal links where they are asked for; then draw, and write the rest."""
        if options["links"]:
            _write_links(folder, raffle, brought, by)
            if options["verbosity"]:
                said = f"{folder}/entries.csv has links to {settings.PUBLIC_URL}; it is secret."
                self.stdout.write(said)
        if not options["no_draw"]:
            self._finish(raffle, command_clock(), by["by"])
            _write(folder, raffle, brought, by)
            if options["verbosity"]:
                self.stdout.write(f"{seen(drawn(raffle.uuid)).verdict}")
                said = f"Written to {folder}/: {', '.join(sorted(os.listdir(folder)))}"
                self.stdout.write(said)

    def _finish(self, raffle: Raffle, clock: Clock, by: str) -> None:
        """Take the raffle through its draw, which the beacon may keep waiting."""
        until, is_told = time.monotonic() + _WAITS, False
        while True:
            (run,) = run_due([raffle], now=clock(), clock=clock, by=by, progress=_bar)
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


def _write_links(folder: Path, raffle: Raffle, brought: _Brought, by: dict[str, Any]) -> None:
    """Write entries.csv, whose codes nobody else on this machine may read."""
    links = partial(export_links_of_list, raffle.uuid, brought.lines(), **by)
    _write_file(folder / "entries.csv", links, mode=0o600)


def _write(folder: Path, raffle: Raffle, brought: _Brought, by: dict[str, Any]) -> None:
    """Write all files of the draw."""
    files: dict[str, Callable[[], Iterable[str | bytes]]] = {
        "winners.csv": lambda: export_winners_of_list(raffle.uuid, brought.lines(), **by),
        "certificate.html": lambda: [certificate_file(raffle.uuid)],
        "proof.json": lambda: stream_proof(drawn(raffle.uuid)),
        f"evidence-{raffle.uuid}.zip": lambda: export_evidence(raffle.uuid, **by),
    }
    for name, pieces in files.items():
        _write_file(folder / name, pieces)


def _write_file(
    path: Path, pieces: Callable[[], Iterable[str | bytes]], *, mode: int = 0o666
) -> None:
    """Write a file, which has its name once it is whole, with `mode` as far as the umask allows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    with _alone_in(path.parent):
        part.unlink(missing_ok=True)  # of a killed run, perhaps with another mode
        with open(part, "xb", opener=partial(os.open, mode=mode)) as file:
            file.writelines(p.encode() if isinstance(p, str) else p for p in pieces())
        part.rename(path)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Let the same command, run twice at once, write one after the other; a kill lets go."""
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def _try_to_write(folder: Path) -> None:
    """Raise OSError where nothing could be written: once it is drawn it would be too late."""
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=folder):
        pass
    if is_new:
        folder.rmdir()


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


def _name_of(path: Path) -> str:
    try:
        return _name(path.stem)
    except ArgumentTypeError as fault:
        said = f"The file's name cannot be that of the raffle, so give it a --name: {fault}"
        raise CommandError(said, returncode=USAGE) from fault


def _alternates(text: str) -> int:
    if not text.isdecimal() or int(text) > MAX_ALTERNATES:
        raise ArgumentTypeError(f"Write a number from 0 to {MAX_ALTERNATES:,}.")
    return int(text)


def _limit(text: str) -> int:
    if not text.isdecimal() or int(text) > MAX_A_HOLDER:
        raise ArgumentTypeError(f"Write a number from 0 to {MAX_A_HOLDER:,}.")
    return int(text)


def _rules(path: str) -> str:
    try:
        kept = read_rules(place(path).read_text("utf-8-sig"))
    except OSError as fault:
        raise ArgumentTypeError(f"{path}: {fault.strerror}.") from fault
    except UnicodeDecodeError as fault:
        raise ArgumentTypeError(f"{path} is not UTF-8.") from fault
    except ValueError as fault:
        raise ArgumentTypeError(f"{path}: {fault}") from fault
    if not kept:
        raise ArgumentTypeError(f"{path} is empty.")
    return kept


def _counted(summary: Summary) -> str:
    entrants = f"{summary.entrants:,} entrants"
    if summary.tickets == summary.entrants:
        return entrants
    return f"{entrants} with {summary.tickets:,} tickets, {summary.most:,} at the most,"


def _column(text: str) -> tuple[str, str]:
    column, equals, heading = text.partition("=")
    if column not in (*NEEDED, *OPTIONAL) or not equals or not heading:
        raise ArgumentTypeError(
            "Write holder=, name=, tickets= or channel= and what the file calls it."
        )
    return column, heading
