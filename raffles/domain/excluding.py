"""Excluding: who may not enter, as a keyed tag alone; the identity is kept nowhere.

A claim looks for its tags in its own statement (`entering`), so none is too late for an exclusion
that was there before it. A list is read long before its tickets are there: it and whoever makes
exclusions take turns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import Count

from raffles.domain import identities
from raffles.domain.keys import current_key_id
from raffles.domain.reading_exclusions import Person
from raffles.fairness.tickets import exclusion_key, holder_tag, key_id
from raffles.models import Exclusion, Raffle
from raffles.models.record import record

EVERYWHERE = "exclusions"  # the subject of those that are not of one raffle or event
_CHUNK = 500  # people looked for at once


class Outcome(StrEnum):
    """What making an exclusion does: one in force is never shortened by making it again."""

    NEW = "new"
    LONGER = "longer"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Scope:
    """Where it holds: in one raffle, in all draws of an event, or, without either, everywhere."""

    raffle: Raffle | None = None
    event_slug: str | None = None

    def subject(self) -> Raffle | str:
        """Return whose record it is in."""
        return self.raffle or (f"event {self.event_slug}" if self.event_slug else EVERYWHERE)


def exclusion_tags(people: Iterable[str]) -> list[bytes]:
    """Return the tags under which any of these identities would be excluded, by every key."""
    names = list(people)
    keys = _keys(tuple(settings.TICKET_KEYS))
    return [holder_tag(key, identity) for key in keys.values() for identity in names]


@lru_cache(maxsize=4)
def _keys(ticket_keys: tuple[bytes, ...]) -> dict[str, bytes]:
    return {key_id(key): exclusion_key(key) for key in ticket_keys}


def all_names_of(identity: str, written: str = "") -> set[str]:
    """Return the identities that somebody is excluded by: a name may be a mail address, too.

    It is read as `written`, since names are compared with ss for ß, which is another domain.
    """
    name = written or identity.partition(":")[2]
    if "@" not in name:
        return {identity}
    try:
        return {identity, identities.of_mail(identities.read_mail(name))}
    except ValidationError:
        return {identity}


def foresee(people: Sequence[Person], scope: Scope, *, now: datetime) -> list[Outcome]:
    """Return what excluding these people would do, one by one."""
    return [outcome for outcome, _row in _planned(people, scope, now)]


def exclude(people: Sequence[Person], scope: Scope, *, now: datetime, by: str) -> list[Exclusion]:
    """Exclude people and return their rows, each for itself; the record has how many, not whom.

    An exclusion that lasts as long already stays as it is.
    """
    rows = []
    with transaction.atomic():
        take_turns(is_maker=True)
        key, made = current_key_id(), dict.fromkeys(Outcome, 0)
        tag_key = _keys(tuple(settings.TICKET_KEYS))[key]
        for person, (outcome, stored) in zip(people, _planned(people, scope, now), strict=True):
            made[outcome] += 1
            row = stored or Exclusion(
                tag=holder_tag(tag_key, person.identity),
                key_id=key,
                kind=person.kind,
                raffle=scope.raffle,
                event_slug=scope.event_slug,
            )
            if outcome != Outcome.SAME:
                if outcome == Outcome.NEW:
                    row.created_at, row.created_by = now, by
                row.reason, row.ends_at = person.reason, person.ends_at
                row.save()
            rows.append(row)
        changed = {outcome: count for outcome, count in made.items() if count}
        if changed.keys() - {Outcome.SAME}:
            record(scope.subject(), "exclusions.made", at=now, by=by, people=changed)
    return rows


def end_exclusion(exclusion: Exclusion, *, now: datetime, by: str) -> bool:
    """Let the person enter again from now on; return whether it was in force until now."""
    with transaction.atomic():
        row = Exclusion.objects.in_force(now).filter(pk=exclusion.pk)
        if not row.update(ends_at=now):
            return False
        scope = Scope(exclusion.raffle, exclusion.event_slug)
        record(scope.subject(), "exclusion.ended", at=now, by=by, exclusion=exclusion.pk)
    return True


def excluded_among(names: Mapping[str, str], raffle: Raffle | None, *, now: datetime) -> set[str]:
    """Return which identities may not enter a raffle, or any; each has its name as written."""
    by_tag: dict[bytes, set[str]] = {}
    for identity, written in names.items():
        for tag in exclusion_tags(all_names_of(identity, written)):
            by_tag.setdefault(tag, set()).add(identity)
    from_it = Exclusion.objects.from_raffle(raffle).in_force(now)
    found: set[str] = set()
    for tags in _chunks(list(by_tag)):
        for row in from_it.of(tags).only("tag"):
            found |= by_tag[bytes(row.tag)]
    return found


def take_turns(*, is_maker: bool) -> None:
    """Let whoever makes exclusions wait for those who enter lists until the transaction ends.

    And the other way round; claims wait for neither. SQLite has one writer anyway.
    """
    if connection.vendor == "postgresql":
        mode = "SHARE ROW EXCLUSIVE" if is_maker else "SHARE"
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE raffles_exclusion IN {mode} MODE")


def keys_still_needed(now: datetime) -> dict[str, int]:
    """Return the keys that TICKET_KEY lacks by id, with how many exclusions hold no more for it."""
    held = _keys(tuple(settings.TICKET_KEYS)).keys()
    used = Exclusion.objects.in_force(now).exclude(key_id__in=held).order_by()
    return dict(used.values_list("key_id").annotate(count=Count("pk")))


_Planned = list[tuple[Outcome, Exclusion | None]]


def _planned(people: Sequence[Person], scope: Scope, now: datetime) -> _Planned:
    """Return what becomes of each person, with the row that there is."""
    tags = [exclusion_tags([person.identity]) for person in people]
    same_scope = Exclusion.objects.filter(raffle=scope.raffle, event_slug=scope.event_slug)
    rows = {
        bytes(row.tag): row
        for chunk in _chunks([tag for each in tags for tag in each])
        for row in same_scope.of(chunk)
    }
    found = [next((rows[tag] for tag in each if tag in rows), None) for each in tags]
    return [(_outcome(p, row, now), row) for p, row in zip(people, found, strict=True)]


def _outcome(person: Person, row: Exclusion | None, now: datetime) -> Outcome:
    if row is None or not row.is_in_force(now):
        return Outcome.NEW
    if row.ends_at is None or (person.ends_at is not None and person.ends_at <= row.ends_at):
        return Outcome.SAME
    return Outcome.LONGER


def _chunks(tags: Sequence[bytes]) -> Iterable[Sequence[bytes]]:
    return (tags[start : start + _CHUNK] for start in range(0, len(tags), _CHUNK))
