"""Exports as CSV, which stream at any size and hold nothing that a spreadsheet takes for a formula.

Each is one query, read through a cursor: constant memory, and all rows of one snapshot.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from uuid import UUID

from django.db.models import F

from raffles.domain.finding import links_of_list
from raffles.domain.privacy import shown_name
from raffles.domain.reading import in_pieces
from raffles.domain.reading_lists import Line
from raffles.domain.refusals import NotDrawn
from raffles.fairness.numbering import numbering
from raffles.models import LogEntry, Privacy, Raffle, State, Ticket, Winner
from raffles.models.record import LogEntryQuerySet, record
from raffles.models.winner import WinnerQuerySet

Row = Sequence[object]

EXPORTED = ".exported"  # the ending of this module's actions and of evidence's
EVERYTHING = "the whole record"  # the subject of an export of the whole record

_MARK = "\ufeff"  # without it Excel reads UTF-8 in its machine's code page
_CHUNK = 2_000  # rows per read and per piece
# What a spreadsheet would compute (OWASP): at the start of a cell, and after a character that
# a spreadsheet with other separators takes for the start of one.
_FORMULA = re.compile(r"^(?=[\t\r\n]|\s*[=+\-@＝＋－＠])|(?<=[;\t\r\n])(?=\s*[=+\-@＝＋－＠])")

_ENTRIES = ("ticket number", "issued at (UTC)", "name", "erased at (UTC)")
_WINNERS = (
    *("raffle", "drawn at (UTC)", "rank", "ticket number", "name", "drawn for", "state"),
    *("holds", "claim until (UTC)", "notified at (UTC)", "claimed at (UTC)"),
    *("handed over at (UTC)", "forfeited at (UTC)", "replaced by", "reason"),
)
_LINKS = ("holder", "number", "code", "link")
_LISTED = ("rank", "prize", "ticket number", "line", "holder", "name")
_ACTS = ("at (UTC)", "subject", "action", "by", "why", "details")


def export_entries(raffle_id: UUID, *, full_names: bool, now: datetime, by: str) -> Iterator[str]:
    """Return the tickets of a raffle in the tree's order: no code, no tag, no address.

    Names are in full, or without `full_names` as far as the raffle's privacy shows them. Raises
    Raffle.DoesNotExist.
    """
    raffle = Raffle.objects.get(uuid=raffle_id)
    record(raffle, "entries" + EXPORTED, at=now, by=by, full_names=full_names)
    number = numbering(bytes(raffle.numbering_key), raffle.total_tickets).number
    privacy = Privacy.FULL if full_names else raffle.privacy
    tickets = Ticket.objects.filter(raffle=raffle).order_by("slot")
    rows = tickets.values_list("slot", "issued_at", "username", "erased_at")
    return table(
        _ENTRIES,
        (
            (number(slot), issued_at, shown_name(username, privacy), erased_at)
            for slot, issued_at, username, erased_at in in_pieces(rows, _CHUNK)
        ),
    )


def export_winners(raffle_id: UUID, *, full_names: bool, now: datetime, by: str) -> Iterator[str]:
    """Return winners and alternates of a raffle in order of rank, and what became of each prize.

    Names are as in `export_entries`. Raises Raffle.DoesNotExist, NotDrawn.
    """
    raffle = Raffle.objects.get(uuid=raffle_id)
    if raffle.state != State.DRAWN:
        raise NotDrawn
    record(raffle, "winners" + EXPORTED, at=now, by=by, full_names=full_names)
    return _winners(Winner.objects.filter(raffle=raffle), full_names)


def export_winners_of_list(
    raffle_id: UUID, lines: Iterable[Line], *, now: datetime, by: str
) -> Iterator[str]:
    """Return the winners of a raffle of a list with what their lines say, which is kept nowhere.

    The alternates follow, without a prize. Raises Raffle.DoesNotExist, NotDrawn.
    """
    raffle = Raffle.objects.get(uuid=raffle_id)
    if raffle.state != State.DRAWN:
        raise NotDrawn
    record(raffle, "winners" + EXPORTED, at=now, by=by, full_names=True)
    return table(_LISTED, winners_of_list(raffle, lines))


def winners_of_list(raffle: Raffle, lines: Iterable[Line]) -> Iterator[Row]:
    """Yield the same rows: rank, prize, ticket number, and line, holder and name of the list."""
    winners = Winner.objects.filter(raffle=raffle).select_related("raffle", "prize")
    slots = set(winners.values_list("slot", flat=True))
    each = (line for line in lines for _ in range(line.tickets))
    found = {slot: line for slot, line in enumerate(each) if slot in slots}
    for winner in in_pieces(winners.order_by("rank"), _CHUNK):
        prize = winner.prize and winner.prize.name
        yield winner.rank, prize, winner.ticket_number(), *found[winner.slot][:3]


def export_links_of_list(
    raffle_id: UUID, lines: Iterable[Line], *, now: datetime, by: str
) -> Iterator[str]:
    """Return for each ticket of a raffle of a list the link that its holder alone should get.

    Whoever has the table can look up, and claim, everybody's prize. Raises Raffle.DoesNotExist,
    KeyMissing.
    """
    raffle = Raffle.objects.get(uuid=raffle_id)
    links = links_of_list(raffle, lines)
    record(raffle, "links" + EXPORTED, at=now, by=by)
    return table(_LINKS, links)


def export_winners_of_event(
    event_slug: str, *, since: datetime, until: datetime, full_names: bool, now: datetime, by: str
) -> Iterator[str]:
    """Return the same for all of an event's draws in [since, until), earliest first.

    Raises NotDrawn if there were none.
    """
    drawn = {"raffle__draw__drawn_at__gte": since, "raffle__draw__drawn_at__lt": until}
    winners = Winner.objects.filter(raffle__event_slug=event_slug, **drawn)
    if not winners.exists():
        raise NotDrawn
    details: dict[str, Any] = {"since": since, "until": until, "full_names": full_names}
    record(f"event {event_slug}", "winners" + EXPORTED, at=now, by=by, **details)
    return _winners(winners, full_names)


def export_record(raffle_id: UUID | None, *, now: datetime, by: str) -> Iterator[str]:
    """Return the record of a raffle, or of everything, oldest first. Raises Raffle.DoesNotExist."""
    raffle = Raffle.objects.get(uuid=raffle_id) if raffle_id else None
    record(raffle or EVERYTHING, "record" + EXPORTED, at=now, by=by)
    return log_table(LogEntry.objects.about(raffle) if raffle else LogEntry.objects.order_by("pk"))


def log_table(entries: LogEntryQuerySet) -> Iterator[str]:
    """Return the entries as a table, in their order."""
    columns = entries.values_list("at", "subject", "action", "by", "why", "details")
    rows = in_pieces(columns, _CHUNK)
    return table(
        _ACTS,
        (
            # Sorted, since one of the databases keeps no order of keys.
            (*said, json.dumps(details, sort_keys=True, ensure_ascii=False) if details else "")
            for *said, details in rows
        ),
    )


def table(heading: Row, rows: Iterable[Row]) -> Iterator[str]:
    """Yield a table as CSV (RFC 4180), in pieces; times are in UTC, integers stay numbers."""
    piece = io.StringIO()
    lines = csv.writer(piece)
    piece.write(_MARK)
    lines.writerow(heading)
    rows = iter(rows)
    while True:
        yield piece.getvalue()
        piece.seek(0)
        piece.truncate()
        lines.writerows([cell(value) for value in row] for row in islice(rows, _CHUNK))
        if not piece.tell():
            return


def cell(value: object) -> object:
    """Return a value as a spreadsheet should read it: a text never begins a formula."""
    if type(value) is int:
        return value
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(" ", "seconds")[:19]
    return _FORMULA.sub("'", str(value))


def _winners(winners: WinnerQuerySet, full_names: bool) -> Iterator[str]:
    found = winners.with_state().select_related("raffle", "replacement__alternate")
    drawn = found.filter(raffle__draw__drawn_at__isnull=False).annotate(
        drawn_at=F("raffle__draw__drawn_at"), username=F("ticket__username")
    )
    rows = in_pieces(drawn.order_by("drawn_at", "raffle", "rank"), _CHUNK)
    return table(_WINNERS, (_winner(winner, full_names) for winner in rows))


def _winner(winner: Any, full_names: bool) -> Row:
    handover = getattr(winner, "handover", None)
    line = getattr(winner, "replacement", None)
    held = winner.held_prize()
    moments = ("claim_until", "notified_at", "claimed_at", "handed_over_at", "forfeited_at")
    return (
        *(winner.raffle.name, winner.drawn_at, winner.rank, winner.ticket_number()),
        shown_name(winner.username, Privacy.FULL if full_names else winner.raffle.privacy),
        *(winner.prize and winner.prize.name, winner.state(), held and held.name),
        *(getattr(handover, moment, None) for moment in moments),
        *((line.alternate.ticket_number(), line.reason) if line else (None, None)),
    )
