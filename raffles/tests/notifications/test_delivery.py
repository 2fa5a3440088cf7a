"""The outbox: who is told what, when it is tried again, and when it is given up."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import time_machine
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from raffles.domain.announcing import announce_all_sold_out, announce_sold_out
from raffles.domain.refusals import GateShut, SoldOut
from raffles.models import Announcement, Attempt, Delivery, Endpoint, Outbox, State
from raffles.models.delivery import SCHEDULE
from raffles.notifications.attempts import LEASE, Tally
from raffles.notifications.delivery import deliver
from raffles.notifications.outbox import make_test, note_watching, spread, warnings, watched_at
from raffles.tests.factories import NOW, STAFF, RaffleFactory, enter_nth
from raffles.tests.notifications.acting import (
    Kind,
    after,
    announced,
    delivered_at,
    endpoint,
    states,
)
from raffles.tests.notifications.receiver import Receiver, answering

pytestmark = pytest.mark.django_db(transaction=True)


def test_each_enabled_endpoint_is_told_once(receiver: Receiver) -> None:
    endpoint(receiver.url("ok"))
    endpoint(receiver.url("empty"))
    endpoint(receiver.url("broken"), is_enabled=False)
    announced(2)

    assert (spread(now=NOW), spread(now=NOW)) == (4, 0)
    assert deliver(clock=lambda: NOW) == Tally(delivered=4)
    assert deliver(clock=lambda: NOW) == Tally()
    assert [one.path for one in receiver.ledger].count("/ok") == 2
    assert receiver.received("broken") == []


def test_endpoint_is_told_what_it_asked_for() -> None:
    everything = endpoint()
    draws = endpoint(kinds=[Kind.DRAWN])
    replacements_of_one = endpoint(kinds=[Kind.REPLACED, Kind.DRAWN], topic="spring")
    announced(event="spring")
    announced(event="autumn")
    announced()

    spread(now=NOW)

    told = {each.pk: each.deliveries.count() for each in (everything, draws, replacements_of_one)}
    assert told == {everything.pk: 3, draws.pk: 0, replacements_of_one.pk: 1}


def test_failing_message_follows_the_schedule_and_is_given_up(receiver: Receiver) -> None:
    endpoint(receiver.url("broken"))
    announced()
    now = NOW
    assert delivered_at(now).failed == 1
    for pause in SCHEDULE[1:]:
        now += timedelta(seconds=pause)
        assert delivered_at(now - timedelta(microseconds=1)) == Tally()
        assert delivered_at(now).failed == 1

    assert SCHEDULE == (0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
    assert [tried.number for tried in Attempt.objects.all()] == list(range(1, 11))
    assert len({one.message_id for one in receiver.ledger}) == 1
    assert len(receiver.ledger) == 10
    assert states() == ["dead"]


def test_failing_message_does_not_hold_up_the_next(receiver: Receiver) -> None:
    statuses = iter([500, 200, 200])
    receiver.behaviours["ok"] = lambda exchange: exchange.answer(next(statuses))
    endpoint(receiver.url("ok"))
    announced(3)

    assert delivered_at() == Tally(delivered=2, failed=1)
    assert states() == ["pending", "delivered", "delivered"]


def test_dead_message_is_sent_again_by_staff(receiver: Receiver) -> None:
    endpoint(receiver.url("ok"))
    announced()
    spread(now=NOW)
    Delivery.objects.update(state=Delivery.State.DEAD, attempts=10, finished_at=NOW)

    assert Delivery.objects.all().send_again(after(days=9)) == 1
    assert delivered_at(after(days=9)) == Tally(delivered=1)


def test_endpoint_that_fails_longer_than_the_schedule_is_disabled(receiver: Receiver) -> None:
    told = endpoint(receiver.url("broken"))
    announced()
    delivered_at()
    announced(2)

    delivered_at(after(seconds=sum(SCHEDULE)))

    told.refresh_from_db()
    assert told.is_enabled is False
    assert told.disabled_because == "failing since 2026-02-10 12:00 UTC"
    assert set(states()) == {"dead"}


def test_success_ends_a_row_of_failures(receiver: Receiver) -> None:
    statuses = iter([500, 200])
    receiver.behaviours["ok"] = lambda exchange: exchange.answer(next(statuses))
    told = endpoint(receiver.url("ok"))
    announced()
    delivered_at()
    told.refresh_from_db()
    assert (told.failures, told.failing_since) == (1, NOW)

    delivered_at(after(seconds=5))

    told.refresh_from_db()
    assert (told.failures, told.failing_since, told.rests_until) == (0, None, None)


def test_silent_endpoint_rests_at_most_five_minutes() -> None:
    told = endpoint()
    rests = []
    for _ in range(5):
        told.fail(NOW)
        told.rest(NOW, why="gave no answer")
        rests.append((told.rests_until or NOW) - NOW)

    assert rests == [timedelta(seconds=5), *[timedelta(minutes=5)] * 4]


def test_leased_lane_is_left_alone_until_its_lease_ends(receiver: Receiver) -> None:
    told = endpoint(receiver.url("ok"))
    announced()
    spread(now=NOW)
    Endpoint.objects.filter(pk=told.pk).update(fence=7, leased_until=NOW + LEASE)

    assert deliver(clock=lambda: NOW + LEASE / 2) == Tally()
    assert deliver(clock=lambda: NOW + LEASE) == Tally(delivered=1)
    told.refresh_from_db()
    assert (told.fence, told.leased_until) == (8, None)


def test_result_of_a_lost_lane_is_not_stored(receiver: Receiver) -> None:
    told = endpoint(receiver.url("broken"))

    def overtaken(exchange: object) -> None:
        connection.close()  # this thread's own
        Endpoint.objects.filter(pk=told.pk).update(fence=99)
        connection.close()
        answering(500)(exchange)  # type: ignore[arg-type]

    receiver.behaviours["broken"] = overtaken
    announced()

    assert delivered_at() == Tally()
    assert (states(), Attempt.objects.count()) == (["pending"], 0)
    told.refresh_from_db()
    assert told.fence == 99


def test_deliver_ends_when_it_is_told_to(receiver: Receiver) -> None:
    endpoint(receiver.url("ok"))
    announced(3)

    assert delivered_at(lasting=0.0) == Tally()
    assert delivered_at(is_over=lambda: True) == Tally()
    assert receiver.ledger == []


def test_test_message_is_a_message_without_news(receiver: Receiver) -> None:
    told = endpoint(receiver.url("ok"))
    make_test(told, now=NOW)

    assert deliver(clock=lambda: NOW, only=told) == Tally(delivered=1)
    assert b'"type":"endpoint.test"' in receiver.ledger[0].body


def test_queries_do_not_grow_with_messages(receiver: Receiver) -> None:
    endpoint(receiver.url("ok"))
    spread_by = []
    for count in (1, 1, 30):
        announced(count)
        with CaptureQueriesContext(connection) as queries:
            spread(now=NOW)
        spread_by.append(len(queries))
        deliver(clock=lambda: NOW)

    assert spread_by[1] == spread_by[2]
    assert states() == ["delivered"] * 32


def test_command_delivers_and_says_so(receiver: Receiver, capsys: pytest.CaptureFixture) -> None:  # type: ignore[type-arg]
    endpoint(receiver.url("ok"))
    endpoint(receiver.url("broken"))
    announced()

    call_command("deliver_announcements")
    call_command("deliver_announcements", verbosity=0)

    assert capsys.readouterr().out == "delivered 1, failed 1, given up 0\n"


def test_sold_out_is_announced_once() -> None:
    raffle = RaffleFactory.create(tickets=3)
    for _ in range(2):
        announce_sold_out(raffle, at=NOW, by=STAFF)
        announce_all_sold_out(at=NOW, by=STAFF)

    (said,) = Announcement.objects.streamed()
    assert (said.kind, said.raffle) == ("raffle.sold_out", raffle)
    assert said.payload["total_tickets"] == 3


def test_open_raffle_with_tickets_is_not_sold_out() -> None:
    raffle = RaffleFactory.create(tickets=2)
    announce_all_sold_out(at=NOW, by=STAFF)
    assert not Announcement.objects.streamed().exists()

    enter_nth(raffle, 2)
    announce_all_sold_out(at=NOW, by=STAFF)
    assert Announcement.objects.streamed().get().raffle == raffle


def test_warnings_say_what_waits_and_what_was_given_up() -> None:
    assert warnings() == []
    endpoint()
    announced()
    assert warnings() == ["Announcements wait: deliver_announcements does not run."]

    spread(now=timezone.now() - timedelta(minutes=16))
    assert warnings() == ["Announcements undelivered for 15 minutes: 1."]

    Delivery.objects.update(state=Delivery.State.DEAD)
    assert warnings() == ["Announcements given up, to be sent again or deleted: 1."]


def test_worker_that_has_gone_is_a_warning() -> None:
    assert watched_at() is None
    note_watching(now=NOW)
    note_watching(now=after(minutes=1))
    assert (watched_at(), Outbox.objects.get().spread) == (after(minutes=1), 0)
    with time_machine.travel(after(minutes=3), tick=False):
        assert warnings() == []
    with time_machine.travel(after(minutes=3, seconds=1), tick=False):
        (sentence,) = warnings()
    assert sentence.startswith("deliver_announcements --watch has not run since ")


def test_first_refused_entry_says_that_nothing_is_left() -> None:
    raffle = RaffleFactory.create(tickets=3)
    assert not Announcement.objects.streamed().exists()

    for n in (3, 4):
        with pytest.raises(SoldOut):
            enter_nth(raffle, n)

    (said,) = Announcement.objects.streamed()
    assert (said.kind, said.raffle, said.announced_by) == (Kind.SOLD_OUT, raffle, "a refused entry")


def test_gate_that_shut_before_the_last_ticket_is_not_sold_out() -> None:
    raffle = RaffleFactory.create(tickets=2, state=State.CLOSED)

    with pytest.raises(GateShut):
        enter_nth(raffle, 3)

    assert not Announcement.objects.streamed().exists()


def test_draw_winners_delivers_what_it_drew(receiver: Receiver) -> None:
    endpoint(receiver.url("ok"))
    RaffleFactory.create(tickets=2, closes_at=NOW + timedelta(hours=1))

    with time_machine.travel(NOW + timedelta(hours=1), tick=False):
        call_command("draw_winners", verbosity=0)

    kinds = [json.loads(one.body)["type"] for one in receiver.ledger]
    assert kinds == ["draw.sealed", "draw.drawn"]
