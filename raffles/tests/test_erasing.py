"""Erasing: the tags go when the draw needs them no more, and every proof stays valid."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.test import Client

from raffles.domain.audit import audit
from raffles.domain.contacts import keep_contact
from raffles.domain.creating import Request
from raffles.domain.drawing import advance
from raffles.domain.entering import Entry, enter
from raffles.domain.entering_lists import create_from_list
from raffles.domain.erasing import erase_holder, erase_tickets
from raffles.domain.identities import of_mail, of_user
from raffles.domain.prizes import check_ticket
from raffles.domain.proofs import inclusion
from raffles.domain.reading_lists import Line
from raffles.domain.refusals import InvalidCode
from raffles.models import Contact, EntryMode, Privacy, Prize, Raffle, State, Ticket, Winner
from raffles.notifications.stream.reading import read_after
from raffles.tests.factories import NOW, STAFF, RaffleFactory, address, clock, enter_nth, take_to

pytestmark = pytest.mark.django_db


def tags_left(raffle: Raffle) -> int:
    return Ticket.objects.filter(raffle=raffle, holder_tag__isnull=False).count()


def erase(raffle: Raffle, n: int) -> int:
    return erase_holder(f"ip:{address(n)}", now=NOW, raffles=[raffle])


def test_erasing_after_the_draw_keeps_every_proof() -> None:
    raffle = RaffleFactory.create(state=State.OPEN)
    entries = [enter_nth(raffle, n) for n in range(3)]
    take_to(State.DRAWN, raffle)
    before = [inclusion(raffle.uuid, entry.ticket_number) for entry in entries]
    assert [erase(raffle, n) for n in (0, 1, 2, 2)] == [1, 1, 1, 0]
    assert tags_left(raffle) == 0
    assert [inclusion(raffle.uuid, entry.ticket_number) for entry in entries] == before
    assert [step.name for step in audit(raffle)][-1] == "replacements"


def check(raffle: Raffle, entry: Entry, code: str | None = None) -> Prize | None:
    code = code or entry.verification_code
    return check_ticket(raffle.uuid, ticket_number=entry.ticket_number, code=code)


def test_erasing_takes_no_prize() -> None:
    raffle = RaffleFactory.create(state=State.OPEN, total_tickets=5, alternates=1)
    entries = [enter_nth(raffle, n) for n in range(5)]
    take_to(State.DRAWN, raffle)
    ranks = {winner.ticket_number(): winner for winner in Winner.objects.filter(raffle=raffle)}
    winners = [entry for entry in entries if entry.ticket_number in ranks]
    others = [entry for entry in entries if entry.ticket_number not in ranks]
    before = [check(raffle, entry) for entry in winners]
    assert any(before)
    assert others
    erase_tickets(raffle, now=NOW)

    assert [check(raffle, entry) for entry in winners] == before
    for entry in winners:
        with pytest.raises(InvalidCode):
            check(raffle, entry, others[0].verification_code)
    for entry in others:
        with pytest.raises(InvalidCode):
            check(raffle, entry)


def test_purge_waits_for_whom_a_prize_is_kept() -> None:
    raffle = RaffleFactory.create(state=State.DRAWN, claim={"claim_days": 60})
    drawn_at = raffle.draw.drawn_at
    assert drawn_at
    for days, left in ((40, 3), (61, 0)):
        with time_machine.travel(drawn_at + timedelta(days=days), tick=False):
            call_command("purge_personal_data", "--older-than", "30d", stdout=StringIO())
        assert tags_left(raffle) == left


@pytest.mark.parametrize(
    "name", ["2001:db8::1", "2001:DB8::1", "2001:db8:0:0::9", "::ffff:1.2.3.4"]
)
def test_address_is_erased_by_its_holder(name: str) -> None:
    raffle = RaffleFactory.create(state=State.OPEN)
    for holder in ("2001:db8::/64", "1.2.3.4"):
        enter(raffle.uuid, identity=f"ip:{holder}", now=NOW)
    out = StringIO()
    call_command("erase_participant", f"ip:{name}", stdout=out)
    assert out.getvalue().startswith("1 ticket(s) erased")


@pytest.mark.parametrize(
    ("typed", "status", "said"),
    [
        ("ip:2001:db8::g", 2, "2001:db8::g is not an address"),
        ("ip:", 2, "Write ip:ADDRESS"),
        ("mail:alice", 2, "Write ip:ADDRESS"),
        ("mail:alice@@example.org", 2, "alice@@example.org is not an e-mail address"),
        ("Alice", 2, "Write ip:ADDRESS"),
        ("user:bob", 1, "Nothing found"),
        ("ip:203.0.113.99", 1, "Nothing found"),
        ("mail:bob@example.org", 1, "Nothing found"),
    ],
)
def test_erasing_nobody_says_so(typed: str, status: int, said: str) -> None:
    RaffleFactory.create(state=State.DRAWN)
    with pytest.raises(CommandError, match=said) as refused:
        call_command("erase_participant", typed)
    assert refused.value.returncode == status


@pytest.mark.parametrize(
    "typed", ["user:Alice", "USER: alice", "user:ＡＬＩＣＥ", "user:ali\u200dce"]
)
def test_user_is_erased_however_the_name_is_written(typed: str) -> None:
    raffle = RaffleFactory.create(state=State.OPEN)
    enter(raffle.uuid, identity=of_user("alice"), now=NOW)
    out = StringIO()
    call_command("erase_participant", typed, stdout=out)
    assert out.getvalue().startswith("1 ticket(s) erased")
    with pytest.raises(CommandError, match="Nothing found"):
        call_command("erase_participant", typed)


def test_address_for_mail_leads_to_its_tickets() -> None:
    raffle = RaffleFactory.create(state=State.OPEN)
    for n, email in enumerate(("Alice@example.org", "bob@example.org")):
        keep_contact(enter_nth(raffle, n), email, now=NOW)
    out = StringIO()
    call_command("erase_participant", "mail:alice@EXAMPLE.org", stdout=out)
    assert out.getvalue().startswith("1 ticket(s) erased")
    assert [contact.email for contact in Contact.objects.all()] == ["bob@example.org"]
    assert Ticket.objects.filter(erased_at__isnull=False).count() == 1


def test_address_that_was_kept_as_typed_leads_to_its_ticket() -> None:
    raffle = RaffleFactory.create(state=State.OPEN)
    kept = ("Bea@Bücher.example", "bea@x.example", "bea_@bücher.example")
    for n, email in enumerate(kept):
        keep_contact(enter_nth(raffle, n), email, now=NOW)
    out = StringIO()
    call_command("erase_participant", "mail:bea@bücher.example", stdout=out)
    assert out.getvalue().startswith("1 ticket(s) erased")
    assert [contact.email for contact in Contact.objects.order_by("pk")] == [*kept[1:]]


@pytest.mark.parametrize("typed", ["a@münchen.example", "A@XN--MNCHEN-3YA.example"])
def test_tickets_that_an_address_took_by_links_are_erased_by_it(typed: str) -> None:
    raffle = RaffleFactory.create(
        state=State.OPEN, entry=EntryMode.EMAIL, total_tickets=4, tickets_per_holder=3
    )
    for who in ("a@xn--mnchen-3ya.example", "b@example.org"):
        for _ in range(2):
            enter(raffle.uuid, identity=of_mail(who), now=NOW)
    take_to(State.DRAWN, raffle)
    out = StringIO()
    call_command("erase_participant", f"mail:{typed}", stdout=out)
    assert out.getvalue().startswith("2 ticket(s) erased")
    assert tags_left(raffle) == 2
    assert [step.name for step in audit(raffle)][-1] == "replacements"


def test_erasing_before_the_draw_waits_for_it() -> None:
    """A winner's whole leaf is in the proof, so its tags last until then; the request tag goes."""
    raffle = RaffleFactory.create(state=State.OPEN)
    for n in range(3):
        enter_nth(raffle, n, request_key=f"key {n}")
    assert [erase(raffle, n) for n in range(3)] == [1, 1, 1]
    assert tags_left(raffle) == 3
    assert not Ticket.objects.filter(request_tag__isnull=False).exists()
    take_to(State.DRAWN, raffle)
    assert tags_left(raffle) == 0
    assert [step.name for step in audit(raffle)][-1] == "replacements"


def test_erasing_before_the_end_of_a_void_raffle_goes_with_it() -> None:
    raffle = RaffleFactory.create(state=State.OPEN, tickets=2)
    erase(raffle, 1)
    take_to(State.VOID, raffle)
    assert tags_left(raffle) == 1


def test_erase_participant_command_erases_everywhere() -> None:
    raffles = [RaffleFactory.create(state=State.DRAWN) for _ in range(2)]
    out = StringIO()
    call_command("erase_participant", f"ip:{address(1)}", stdout=out)
    assert out.getvalue() == "2 ticket(s) erased; tags of undrawn raffles go with their draw.\n"
    assert [tags_left(raffle) for raffle in raffles] == [2, 2]


def test_purge_takes_old_finished_raffles_only() -> None:
    old = RaffleFactory.create(name="Old", state=State.DRAWN)
    open_ = RaffleFactory.create(state=State.OPEN, tickets=2)
    new = RaffleFactory.create(state=State.CLOSED)
    later = clock() + timedelta(days=3650)
    advance(new.pk, now=later, clock=lambda: later, by=STAFF)
    out = StringIO()
    call_command("purge_personal_data", "--older-than", "30d", "--dry-run", stdout=out)
    assert (out.getvalue(), tags_left(old)) == (f"{old.uuid}           3  Old\n", 3)
    call_command("purge_personal_data", "--older-than", "30d", stdout=StringIO())
    assert [tags_left(raffle) for raffle in (old, open_, new)] == [0, 2, 3]


def test_erasing_all_of_a_large_raffle_goes_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("raffles.domain.erasing._CHUNK", 2)
    raffle = RaffleFactory.create(state=State.DRAWN, total_tickets=5)
    assert erase_tickets(raffle, now=NOW) == 5
    assert tags_left(raffle) == 0
    assert [step.name for step in audit(raffle)][1] == "root"


def named_list(privacy: Privacy) -> Raffle:
    """Return a drawn raffle of a list whose two entrants are named, and have both won."""
    lines = [Line(2, "A-17", "Alice Archer"), Line(3, "B-2", "Bob Baker")]
    terms = {"name": "Fair", "prizes": [("Mug", 2)], "privacy": privacy}
    asked = Request("tests", "list", {})
    raffle = create_from_list(lines, request=asked, terms=terms, now=NOW, by=STAFF)
    take_to(State.DRAWN, raffle)
    return raffle


def told(client: Client, etag: str = "") -> str:
    """Return what feed and stream tell a reader, who has of the feed what had this ETag."""
    feed = client.get("/winners.atom", headers={"if-none-match": etag})
    return f"{feed.content.decode()} {read_after(0)}"


@pytest.mark.parametrize(
    ("privacy", "alice", "bob"),
    [(Privacy.FULL, "Alice Archer", "Bob Baker"), (Privacy.INITIALS, "A. A.", "B. B.")],
)
def test_name_of_a_list_is_gone_from_feed_and_stream_with_its_erasure(
    client: Client, privacy: Privacy, alice: str, bob: str
) -> None:
    named_list(privacy)
    etag = client.get("/winners.atom")["ETag"]
    assert told(client).count(alice) == 2
    call_command("erase_participant", "list:A-17", stdout=StringIO())
    assert (told(client, etag).count(alice), told(client, etag).count(bob)) == (0, 2)


def test_purge_takes_the_names_of_lists_from_feed_and_stream(client: Client) -> None:
    raffle = named_list(Privacy.FULL)
    raffle.tickets.update(erased_at=NOW, username=None)  # as by a purge that told of them still
    assert "Alice Archer" in told(client)
    with time_machine.travel(NOW + timedelta(days=3650), tick=False):
        call_command("purge_personal_data", "--older-than", "30d", stdout=StringIO())
    assert {name for name in ("Alice", "Bob") if name in told(client)} == set()
