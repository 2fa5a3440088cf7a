"""Reading whom to exclude: one by one as typed, or a table as a spreadsheet saves it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from raffles.domain import identities
from raffles.models import Exclusion
from raffles.web.callers import BadForwarding, caller_at
from raffles.web.fields import LAST_YEAR, text_fault
from raffles.web.formats import grouped
from raffles.web.tables import read_date, read_table
from raffles.web.zones import zone_of

NEEDED, OPTIONAL = ("identity",), ("kind", "until", "reason")
MAX_LINES = 10_000
LONGEST, LONGEST_REASON = 254, 200  # characters
_LONGEST_NAME = {Exclusion.Kind.USER: 150, Exclusion.Kind.LIST: 200}
Kind = Exclusion.Kind


@dataclass(frozen=True, slots=True)
class Person:
    """Whom to exclude, for what reason, and until when (None: for good)."""

    kind: Exclusion.Kind
    identity: str
    reason: str
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the table by its number in the file (the first is 1): a person, or its fault."""

    number: int
    says: str
    person: Person | None = None
    fault: str = ""


def read_identity(kind: str, text: str) -> str:
    """Return the identity that a kind and a text name. Raises ValueError with a sentence."""
    text = text.strip()
    if not text:
        raise ValueError(_("it is empty"))
    match kind:
        case Kind.ADDRESS:
            return _read_address(text)
        case Kind.MAIL:
            try:
                return identities.of_mail(identities.read_mail(text))
            except ValidationError as fault:
                raise ValueError(" ".join(fault.messages)) from None
    if len(text) > (longest := _LONGEST_NAME[Kind(kind)]):
        raise ValueError(_("at most %(most)s characters") % {"most": longest})
    if fault_of_text := text_fault(text):
        raise ValueError(fault_of_text)
    return identities.of_user(text) if kind == Kind.USER else identities.of_entrant(text)


def _read_address(text: str) -> str:
    """Return the identity of an address, which may be written as the network that it counts by."""
    try:
        network = ipaddress.ip_network(text) if "/" in text else None
        caller = caller_at(str(network.network_address) if network else text)
    except (ValueError, BadForwarding):
        said = _("write an address such as 203.0.113.7 or 2001:db8::7")
        raise ValueError(said) from None
    if network and network != ipaddress.ip_network(caller.holder):
        if network.version == 4:
            raise ValueError(_("write each address by itself"))
        said = _("an address counts by %(network)s; write that, or each address")
        raise ValueError(said % {"network": caller.holder})
    if caller.is_proxy:
        raise ValueError(_("this is one of our own proxies; nobody enters from it"))
    return f"ip:{caller.holder}"


def read_people(
    lines: Iterable[str], *, kind: str, reason: str, ends_at: datetime | None, now: datetime
) -> Iterator[Line]:
    """Yield the lines of a table; kind, reason and end are for those that say none of their own."""
    seen: dict[str, int] = {}
    usual = {"kind": kind, "reason": reason}
    rows = read_table(lines, needed=NEEDED, optional=OPTIONAL)
    for count, row in enumerate(rows, 1):
        says = ", ".join(row.cells)
        if count > MAX_LINES:
            said = _("at most %(most)s lines at once; this and all below")
            yield Line(row.line, says, fault=said % {"most": grouped(MAX_LINES)})
            return
        if row.fault:
            yield Line(row.line, says, fault=row.fault)
            continue
        told = {column: text for column, text in row.values.items() if text}
        try:
            person = _person(usual | told, ends_at, now)
            if first := seen.get(person.identity):
                raise ValueError(_("the same as line %(first)s") % {"first": first})
        except ValueError as fault:
            yield Line(row.line, says, fault=str(fault))
        else:
            seen[person.identity] = row.line
            yield Line(row.line, says, person)


def _person(told: dict[str, str], ends_at: datetime | None, now: datetime) -> Person:
    kind = _named("kind", told["kind"])
    try:
        identity = read_identity(kind, told.get("identity", ""))
    except ValueError as fault:
        raise ValueError(f"identity: {fault}") from None
    if not (reason := told["reason"]):
        raise ValueError(_("reason: it is empty, here and above"))
    fault_of_text = text_fault(reason)
    if len(reason) > LONGEST_REASON:
        fault_of_text = _("at most %(most)s characters") % {"most": LONGEST_REASON}
    if fault_of_text:
        raise ValueError(f"reason: {fault_of_text}")
    if "until" in told:
        try:
            ends_at = end_of_day(told["until"])
        except ValueError as fault:
            raise ValueError(f"until: {fault}") from None
    if ends_at is not None and ends_at <= now:
        raise ValueError(_("until: this day is over"))
    return Person(kind, identity, reason, ends_at)


def _named(column: str, text: str) -> Exclusion.Kind:
    """Return the kind that a word names, also as it is shown in the reader's language."""
    word = text.casefold()
    for kind in Kind:
        if word in (kind.value, str(kind.label).casefold()):
            return kind
    said = _("%(column)s: write %(words)s")
    raise ValueError(said % {"column": column, "words": ", ".join(Kind.values)})


def end_of_day(text: str) -> datetime:
    """Return the end of a day, its midnight on the site's clocks. Raises ValueError."""
    day = read_date(text)
    if day.year > LAST_YEAR:
        raise ValueError(_("there is no such day; write a date such as 2030-01-31"))
    return datetime.combine(day + timedelta(days=1), time(), zone_of(settings.RAFFLE_ZONE))
