"""A site of size: what the product's own acts make once, copied by the database as often as asked.

PostgreSQL alone. What copies cannot have is left as it is in the original: a copied draw verifies
no more than its original's numbers do, and nobody is asked to.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from typing import Any, NamedTuple

from django.contrib.auth.models import Group, User
from django.core.management.color import no_style
from django.db import connection, transaction
from django.db.models import Model

from benchmarks.calendar import ahead_of_time, enter_many, new_event, now
from benchmarks.inside import fill, new_raffle, seal_now
from benchmarks.log import lengthen
from events.domain.due import due_steps, settle_events
from events.domain.due import run as run_steps
from events.domain.entering import Participant, take_part
from events.models import Event, Heartbeat, Occurrence, Reward, Setback
from raffles.domain.drawing import Waiting, advance, void_raffle
from raffles.domain.entering import Entry, enter
from raffles.domain.inviting import make_invitations
from raffles.domain.rules import keep_rules
from raffles.models import (
    ApiKey,
    Attempt,
    AuthorityKey,
    Delivery,
    Draw,
    Endpoint,
    Entropy,
    EntryMode,
    Exclusion,
    Invitation,
    LogEntry,
    Outbox,
    Pool,
    Prize,
    Raffle,
    Rules,
    RunLease,
    SentMail,
    Stripe,
    Ticket,
    Winner,
    Witness,
    WitnessAnswer,
    WitnessedLog,
    WitnessedSeal,
)
from raffles.models.raffle import MAX_TICKETS

_TICKETS = 100  # of each date and each small raffle
BY = "benchmark"


class Sizes(NamedTuple):
    """How many there are to be, about; winners are those of the one large draw."""

    tickets: int = 10_000_000
    winners: int = 100_000
    raffles: int = 10_000
    events: int = 1_000
    statements: int = 1_000_000


class Site(NamedTuple):
    """What stands for all of its kind when a page is asked for."""

    drawn: Raffle  # nearly half of the tickets, and the large draw's winners
    opened: Raffle  # as many, and more to come
    full: Raffle  # a tenth of the tickets, to be drawn
    invited: Raffle  # entered by invitation
    sealed: Raffle  # waits for its beacon
    event: Event  # with a tenth of all dates
    day: date  # of its draw that the product made
    rules_hash: str
    ticket: Entry  # of the draw's raffle

    @property
    def dated(self) -> Raffle:
        """Return that draw's raffle."""
        return Raffle.objects.get(occurrence__event=self.event, occurrence__date=self.day)


def execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


@contextmanager
def copying() -> Iterator[None]:
    """Let rows in that no guard has seen: those are of what the product writes one by one."""
    with transaction.atomic():
        execute("SET LOCAL session_replication_role = replica")
        yield


def copy(model: type[Model], of: str, many: int, **changed: str) -> None:
    """Insert so many copies of the rows `of`; `i`, from 1, is the number of each in `changed`."""
    fields = model._meta.local_concrete_fields
    columns = [str(field.column) for field in fields if field.name != "id" or "id" in changed]
    names = ", ".join(f'"{column}"' for column in columns)
    values = ", ".join(changed.get(column, f'"{column}"') for column in columns)
    execute(
        f"INSERT INTO {model._meta.db_table} ({names}) SELECT {values}"
        f" FROM {model._meta.db_table}, generate_series(1, {many}) AS i WHERE {of}"
    )


def build(sizes: Sizes) -> Site:
    """Make the site in an empty database."""
    event, day, ticket = made_event()
    with copying():
        copy_dates(event, day, sizes)
    small = small_raffles()
    with copying():
        for raffle in small:
            copy_small(raffle, sizes.raffles // 20)
    sealed = waiting()
    invited = inviting()
    large = sizes.tickets - sizes.raffles * _TICKETS
    half, tenth = large * 9 // 20, large // 10
    claim = {"claim_days": 14}
    drawn = new_raffle(half, name="Large", prizes=(("Book", sizes.winners),), claim=claim)
    seal_now(fill(drawn, half))
    advance(drawn.pk, now=now(), clock=now, by=BY)
    opened = fill(new_raffle(MAX_TICKETS, name="Larger"), half)
    full = fill(new_raffle(tenth, name="Full"), tenth)
    lengthen(sizes.statements)
    rules_hash = keep_rules("Be fair.", now=now(), by=BY)
    with copying():
        fill_the_rest(sizes, drawn, opened, invited, event)
    execute("VACUUM ANALYZE")
    drawn.refresh_from_db()
    return Site(drawn, opened, full, invited, sealed, event, day, rules_hash, ticket)


# --- Raffles and events -------------------------------------------------------------------


def made_event() -> tuple[Event, date, Entry]:
    """Return an event, the date that it drew, and a ticket of that."""
    event = new_event(claim_days=14)
    enter_many(event, _TICKETS - 1)
    last = Participant("somebody", caller="ip:10.0.0.1", address="ip:10.0.0.1")
    ticket = take_part(event, last, now=now()).entry
    later = now() + timedelta(minutes=3)
    with ahead_of_time():
        list(run_steps(due_steps(later), now=later, clock=lambda: later, by=BY))
    settle_events(later)
    event.refresh_from_db()
    return event, event.occurrences.get().date, ticket


def copy_dates(event: Event, day: date, sizes: Sizes) -> None:
    """Copy the event and its draw: a tenth of the draws are its own, the others' evenly so."""
    many, events, own = sizes.raffles * 9 // 10, sizes.events, sizes.raffles // 10
    occurrence = event.occurrences.get(date=day)
    raffle: Any = occurrence.raffle
    prize = raffle.prizes.get().pk
    copy(
        Event,
        f"id = {event.pk}",
        events,
        id=f"{event.pk} + i",
        slug="'copy-' || i",
        name="'Event number ' || i",
    )
    of = f"raffle_id = {raffle.pk}"
    theirs = f"{raffle.pk} + i"
    ago = "i * interval '1 hour'"
    copy(
        Raffle,
        f"id = {raffle.pk}",
        many,
        id=theirs,
        uuid="gen_random_uuid()",
        name="'Date number ' || i",
        event_slug=f"CASE WHEN i <= {own} THEN '{event.slug}' ELSE 'copy-' || 1 + i % {events} END",
        created_at=f"created_at - {ago}",
        closes_at=f"closes_at - {ago}",
    )
    copy(Prize, of, many, id=f"{prize} + i", raffle_id=theirs)
    copy(
        Draw,
        of,
        many,
        raffle_id=theirs,
        closed_at=f"closed_at - {ago}",
        drawn_at=f"drawn_at - {ago}",
        commitment_hash="decode(md5(i::text) || md5('x' || i), 'hex')",
    )
    for model in (Stripe, Ticket, Pool):
        copy(model, of, many, raffle_id=theirs)
    copy(Winner, of, many, raffle_id=theirs, prize_id="prize_id + i")
    copy(
        Occurrence,
        of,
        many,
        raffle_id=theirs,
        event_id=f"{event.pk} + CASE WHEN i <= {own} THEN 0 ELSE 1 + i % {events} END",
        date=f"date - CASE WHEN i <= {own} THEN i ELSE i / {events} + 1 END",
        draw_at=f"draw_at - {ago}",
    )
    execute(f"""
        INSERT INTO raffles_handover (winner_id, claim_until, claimed_at, handed_over_at)
        SELECT id, now() + interval '1 day' * (id % 14), CASE WHEN id % 2 = 0 THEN now() END,
            CASE WHEN id % 4 = 0 THEN now() END
        FROM raffles_winner WHERE raffle_id > {raffle.pk} AND prize_id IS NOT NULL
    """)
    execute(f"""
        INSERT INTO raffles_replacement
            (raffle_id, winner_id, alternate_id, prize_id, reason, replaced_at, actor)
        SELECT one.raffle_id, one.id, two.id, one.prize_id, 'Did not come', now(), 'benchmark'
        FROM raffles_winner AS one JOIN raffles_winner AS two USING (raffle_id)
        WHERE one.raffle_id > {raffle.pk} AND one.raffle_id % 10 = 0
            AND one.rank = 1 AND two.rank = 2
    """)
    go_on(Raffle, Event, Prize)


def small_raffles() -> list[Raffle]:
    """Return one that is open, half full, and one that was called off."""
    opened = new_raffle(_TICKETS, name="Open", closes_at=now() + timedelta(days=30))
    for holder in range(_TICKETS // 2):
        enter(opened.uuid, identity=f"ip:10.0.0.{holder}", now=now())
    void = new_raffle(_TICKETS, name="Called off")
    void_raffle(void.uuid, reason="Rain", now=now(), by=BY)
    return [opened, void]


def copy_small(raffle: Raffle, many: int) -> None:
    """Copy a raffle that is no event's, and was not drawn."""
    last = Raffle.objects.latest("id").pk
    copy(
        Raffle,
        f"id = {raffle.pk}",
        many,
        id=f"{last} + i",
        uuid="gen_random_uuid()",
        name="name || ' number ' || i",
        created_at="created_at - i * interval '1 hour'",
        closes_at="closes_at + i * interval '1 hour'",
    )
    for model in (Prize, Stripe, Ticket):
        copy(model, f"raffle_id = {raffle.pk}", many, raffle_id=f"{last} + i")
    go_on(Raffle)


def go_on(*models: type[Model]) -> None:
    """Let the product go on with the keys behind those that were given."""
    for statement in connection.ops.sequence_reset_sql(no_style(), list(models)):
        execute(statement)


def waiting() -> Raffle:
    """Return a raffle that is sealed and waits for its beacon."""
    raffle = new_raffle(_TICKETS, name="Sealed", entropy=Entropy.DRAND)
    for holder in range(_TICKETS):
        enter(raffle.uuid, identity=f"ip:10.0.0.{holder}", now=now())
    with suppress(Waiting):
        advance(raffle.pk, now=now(), clock=now, by=BY)
    return raffle


def inviting() -> Raffle:
    """Return a raffle that is entered by invitation, with a batch of them."""
    raffle = new_raffle(1_000_000, name="Invited", entry=EntryMode.INVITATION)
    make_invitations(raffle.uuid, batch="benchmark", amount=1_000, now=now(), by=BY)
    return raffle


# --- What gathers around them -------------------------------------------------------------


def fill_the_rest(
    sizes: Sizes, drawn: Raffle, opened: Raffle, invited: Raffle, event: Event
) -> None:
    """Fill the other tables: the record, deliveries, exclusions, what was handed over."""
    at = now()
    some = sizes.raffles  # of what there are about as many of as raffles
    raffles = "(SELECT *, row_number() OVER (ORDER BY id) AS n FROM raffles_raffle)"
    execute(f"""
        UPDATE raffles_announcement AS said
        SET raffle_id = raffle.id, kind = 'draw.drawn', payload = (
            SELECT payload FROM raffles_announcement WHERE kind = 'draw.drawn' ORDER BY id LIMIT 1
        ) FROM {raffles} AS raffle WHERE said.sequence = raffle.n + {sizes.statements // 2}
            AND said.raffle_id IS NULL AND raffle.state = 'drawn' AND NOT EXISTS (
                SELECT FROM raffles_announcement WHERE raffle_id = raffle.id AND kind = 'draw.drawn'
            )
    """)
    execute(f"""
        INSERT INTO raffles_act (subject, action, at, by, why, details)
        SELECT 'raffle ' || uuid, (ARRAY['prize.handed_over', 'prize.claimed', 'winner.told'])
            [1 + line % 3], now() - line * interval '1 minute', 'staff ' || line % 20,
            CASE WHEN line % 7 = 0 THEN 'Reason number ' || line ELSE '' END, '{{"rank": 1}}'
        FROM {raffles} AS raffle, generate_series(1, {sizes.statements // sizes.raffles}) AS line
    """)
    LogEntry.objects.create(subject=f"raffle {drawn.uuid}", action="winner.told", at=at, by=BY)
    copy(LogEntry, f"id = {LogEntry.objects.latest('id').pk}", some)
    endpoint = Endpoint.objects.create(address="https://example.org/hook", created_at=at)
    copy(Endpoint, f"id = {endpoint.pk}", 20, uuid="gen_random_uuid()", address="'a@b.org' || i")
    execute(f"""
        INSERT INTO raffles_delivery (message_id, endpoint_id, announcement_id, state, attempts,
            next_try_at, created_at, last_detail)
        SELECT gen_random_uuid(), {endpoint.pk}, id, CASE WHEN sequence % 1000 = 0 THEN 'dead'
            WHEN sequence > {sizes.statements} - 1000 THEN 'pending' ELSE 'delivered' END, 1,
            now(), announced_at, '' FROM raffles_announcement
    """)
    first = Delivery.objects.earliest("id")
    tried = Attempt.objects.create(delivery=first, number=1, at=at, milliseconds=10)
    copy(Attempt, f"id = {tried.pk}", 1_000, delivery_id="delivery_id + i")
    Outbox.objects.update(spread=sizes.statements)
    Heartbeat.objects.update_or_create(pk=1, defaults={"ran_at": at})
    tag = "decode(md5('{}' || i), 'hex')".format
    one = Exclusion.objects.create(tag=b"t" * 16, kind="user", reason="Staff", created_at=at)
    copy(Exclusion, f"id = {one.pk}", 10 * some, tag=tag("everywhere"), reason="'Staff ' || i")
    copy(
        Exclusion, f"id = {one.pk}", some, tag=tag("event"), event_slug=f"'copy-' || 1 + i % {some}"
    )
    copy(Exclusion, f"id = {one.pk}", some, tag=tag("raffle"), raffle_id=str(opened.pk))
    copy(
        Invitation,
        f"id = {invited.invitations.earliest('id').pk}",
        10 * some,
        batch="decode(md5('batch' || i / 1000), 'hex')",
        code_tag=tag("code"),
        n="i % 1000",
    )
    execute(f"""
        INSERT INTO raffles_contact (raffle_id, slot, email)
        SELECT raffle_id, slot, 'person' || slot || '@example.org' FROM raffles_ticket
        WHERE raffle_id = {opened.pk} LIMIT {10 * some}
    """)
    mail = SentMail.objects.create(address_tag=b"t" * 16, place=0, sent_at=at)
    copy(SentMail, f"id = {mail.pk}", 10 * some, address_tag=tag("mail"))
    reward = Reward.objects.create(event=event, date=at.date(), reward_name="Cup")
    copy(Reward, f"id = {reward.pk}", 1_000, date="date + i")
    copy(Reward, f"id = {reward.pk}", sizes.events, event_id=f"{event.pk} + i")
    setback = Setback.objects.create(event=event, error="Rain", failed_at=at, next_try_at=at)
    copy(Setback, f"id = {setback.pk}", sizes.events // 10, event_id="event_id + i")
    rules = Rules.objects.latest("id")
    copy(Rules, f"id = {rules.pk}", some, hash="md5(i::text) || md5(i::text)")
    key = ApiKey.objects.create(name="Shop", created_at=at, key_hash=b"hash")
    copy(ApiKey, f"id = {key.pk}", 100, name="'Shop ' || i", key_hash=tag("key"))
    group = Group.objects.create(name="Helpers")
    copy(Group, f"id = {group.pk}", 10, name="'Helpers ' || i")
    user = User.objects.create_user("helper", is_staff=True)
    copy(User, f"id = {user.pk}", 1_000, username="'helper ' || i")
    witness = Witness.objects.create(url="https://witness.example.org")
    copy(Witness, f"id = {witness.pk}", 10, url="url || i")
    authority = AuthorityKey.objects.create(
        url="https://tsa.example.org", key="0" * 64, ends_at=at + timedelta(days=99), learned_at=at
    )
    copy(AuthorityKey, f"id = {authority.pk}", 10, url="url || i")
    answer = WitnessAnswer.objects.create(
        kind="cosignature", name="other", key="0" * 64, size=1, root=b"r" * 32, at=1, content=b"c"
    )
    copy(WitnessAnswer, f"id = {answer.pk}", 10 * some, size="1 + i", at="i")
    log = WitnessedLog.objects.create(origin="other.example.org/log")
    seal = WitnessedSeal.objects.create(log=log, raffle_uuid=drawn.uuid, n=0)
    copy(WitnessedSeal, f"id = {seal.pk}", 10 * some, raffle_uuid="gen_random_uuid()", n="i")
    RunLease.objects.create(raffle=opened, since=at, until=at)
