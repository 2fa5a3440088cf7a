"""Fan-out: create a delivery of each announcement for each endpoint that subscribes to it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Func, Min, QuerySet, UUIDField, Value

from raffles.domain import contacts
from raffles.domain.clock import database_time
from raffles.models import Announcement, Delivery, Endpoint, Outbox
from raffles.models.delivery import WATCHED_EVERY, DeliveryQuerySet
from raffles.web.formats import shown

_PAGE = 5_000  # announcements fanned out in one transaction
_COLUMNS = (
    "message_id, endpoint_id, announcement_id, state, attempts, "
    "next_try_at, created_at, last_detail"
)


class _MessageId(Func):
    """A random id for each row, made by the database."""

    function = "gen_random_uuid"
    output_field = UUIDField()

    def as_sqlite(self, compiler: Any, connection: Any, **options: Any) -> Any:
        return self.as_sql(compiler, connection, template="lower(hex(randomblob(16)))", **options)


def spread(*, now: datetime) -> int:
    """Fan out the announcements that are new; return how many deliveries were created."""
    made = 0
    while (page := _spread_page(now)) is not None:
        made += page
    return made


def _spread_page(now: datetime) -> int | None:
    """Fan out one page under the lock of the outbox's row; return None if nothing is new."""
    if not unspread().exists():
        return None
    with transaction.atomic():
        outbox, _ = Outbox.objects.select_for_update().get_or_create(pk=1)
        new = (
            Announcement.objects.streamed().filter(sequence__gt=outbox.spread).order_by("sequence")
        )
        numbers = list(new.values_list("sequence", flat=True)[:_PAGE])
        if not numbers:
            return None
        page = new.filter(sequence__lte=numbers[-1])
        made = sum(_fan_out(endpoint, page, now) for endpoint in Endpoint.objects.enabled())
        contacts.forget_losers(page)
        outbox.spread = numbers[-1]
        outbox.save(update_fields=["spread"])
    return made


def unspread() -> QuerySet[Announcement]:
    """Return the announcements that have not been fanned out."""
    seen = Outbox.objects.filter(pk=1).values_list("spread", flat=True).first() or 0
    return Announcement.objects.streamed().filter(sequence__gt=seen)


def _fan_out(endpoint: Endpoint, page: QuerySet[Announcement], now: datetime) -> int:
    """Create one endpoint's deliveries within the database, except those to winners."""
    wanted = endpoint.wanted(page)
    if endpoint.channel == Endpoint.Channel.WINNERS:
        made = Delivery.objects.bulk_create(
            (
                Delivery(
                    endpoint=endpoint,
                    announcement_id=announcement,
                    winner_id=winner,
                    next_try_at=now,
                    created_at=now,
                )
                for announcement, winner in contacts.winners_to_tell(wanted)
            ),
            batch_size=1_000,
        )
        return len(made)
    rows = wanted.values_list(
        *(_MessageId(), Value(endpoint.pk), "pk", Value(Delivery.State.PENDING.value), Value(0)),
        *(Value(now), Value(now), Value("")),
    )
    select, values = rows.query.sql_with_params()
    with connection.cursor() as cursor:
        insert = f"INSERT INTO raffles_delivery ({_COLUMNS}) {select}"
        cursor.execute(insert, values)
        return int(cursor.rowcount)


def make_test(endpoint: Endpoint, *, now: datetime) -> Delivery:
    """Create a delivery without an announcement, to test an endpoint."""
    return Delivery.objects.create(endpoint=endpoint, next_try_at=now, created_at=now)


def note_watching(*, now: datetime) -> None:
    """Remember that a worker is there, for those who watch that it is."""
    Outbox.objects.get_or_create(pk=1)
    Outbox.objects.filter(pk=1).update(watched_at=now)


# --- Watching

_UNDELIVERED_AFTER = timedelta(minutes=15)
_UNWATCHED_AFTER = WATCHED_EVERY * 8


def watched_at() -> datetime | None:
    """Return when a worker last looked into the outbox; None where none ever ran."""
    return Outbox.objects.filter(pk=1).values_list("watched_at", flat=True).first()


def undelivered() -> DeliveryQuerySet:
    """Return what is still to be sent to somebody who is notified."""
    return Delivery.objects.pending().filter(endpoint__is_enabled=True)


def given_up() -> DeliveryQuerySet:
    """Return what is sent again by the staff alone."""
    return Delivery.objects.filter(state=Delivery.State.DEAD)


def undelivered_since() -> datetime | None:
    """Return since when the oldest announcement waits that somebody has yet to get."""
    waiting = [undelivered().aggregate(since=Min("created_at"))["since"]]
    if Endpoint.objects.enabled().exists():
        new = unspread().order_by("sequence").values_list("announced_at", flat=True)
        waiting.append(new.first())
    return min(filter(None, waiting), default=None)


def warnings() -> list[str]:
    """Return a sentence for each thing about delivery that is wrong now."""
    now = database_time()
    then = now - _UNDELIVERED_AFTER
    found = []
    watched = watched_at()
    if watched and watched < now - _UNWATCHED_AFTER:
        said = "deliver_announcements --watch has not run since {}."
        found.append(said.format(shown(watched)))
    waiting = unspread().filter(announced_at__lte=then)
    if waiting.exists() and Endpoint.objects.enabled().exists():
        found.append("Announcements wait: deliver_announcements does not run.")
    if count := undelivered().filter(created_at__lte=then).count():
        found.append(f"Announcements undelivered for 15 minutes: {count}.")
    if count := given_up().count():
        found.append(f"Announcements given up, to be sent again or deleted: {count}.")
    return found
