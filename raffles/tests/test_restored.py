"""A database that was put back to an older state hands out and draws nothing until settled."""

from __future__ import annotations

import json
import sqlite3
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from http.client import HTTPException
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from raffles.domain import lineage, marks
from raffles.domain.confirming import offer_ticket
from raffles.domain.creating import create_raffle
from raffles.domain.drawing import advance, void_raffle
from raffles.domain.entering import enter
from raffles.domain.entering_lists import enter_list
from raffles.domain.inviting import make_invitations
from raffles.domain.lineage import Moving, Restored
from raffles.domain.log import size, statements
from raffles.domain.marks import Claimed, Mark, Stated
from raffles.domain.privacy import forget_names
from raffles.domain.reading_lists import Line
from raffles.domain.signed import Forgetful, SealedBefore, lines, remember
from raffles.models import Announcement, Draw, Lineage, Privacy, Raffle, State, Ticket
from raffles.models.raffle import MAX_A_HOLDER
from raffles.tests.factories import NOW, STAFF, RaffleFactory, address
from raffles.tests.installations import Installation, PostgresqlStore, SqliteStore
from raffles.tests.serving import running

pytestmark = pytest.mark.django_db(transaction=True)
REASON = "The disk was lost."


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look before every act, and note every claim."""
    monkeypatch.setattr(lineage, "PAUSE", 0.0)


def entered(raffle: Raffle, n: int) -> int:
    return enter(raffle.uuid, identity=f"ip:{address(n)}", now=NOW).ticket_number


def installation() -> bytes:
    return lineage.standing().installation


def kept() -> Mark:
    return marks.read(installation())


def drawn() -> Raffle:
    raffle = RaffleFactory.create(total_tickets=1)
    entered(raffle, 0)
    advance(raffle.pk, now=NOW, clock=lambda: NOW, by=STAFF)
    return raffle


def ask(method: str, path: str, **body: Any) -> Any:
    client = Client(REMOTE_ADDR="127.0.0.2")
    return getattr(client, method)(path, body or None, content_type="application/json")


# --- What tells that it was restored


def test_what_was_handed_out_is_seen_outside_the_database() -> None:
    raffle = RaffleFactory.create(total_tickets=9)
    entered(raffle, 0)
    first = kept().claimed
    ticket = Ticket.objects.get()
    tag = lineage.hash_of(bytes(ticket.code_tag or b""))
    assert first.ticket == f"{raffle.uuid.hex} {ticket.slot} {tag}"
    entered(raffle, 1)
    second = kept().claimed
    assert second.position > first.position
    drawn()
    last = list(statements(0, size()))[-1]
    assert kept().stated[:3] == (1, size(), lineage.hash_of(last))
    path = marks.log_file(installation())
    assert path.read_bytes().splitlines() == list(statements(0, size()))


_TICKET = "00000000000000000000000000000001 0 ab"


@pytest.mark.parametrize(
    ("mark", "words"),
    [
        (Mark(Claimed(1, 2**50, "")), "it is at position"),
        (Mark(Claimed(1, 2**50, _TICKET)), "a ticket of raffle 00000000-0000"),
        (Mark(stated=Stated(1, 99, "ab")), "its log has 4 statements, and 99 were seen"),
        (Mark(stated=Stated(1, 4, "zz", 2**50)), "statement 3 of its log is another than was seen"),
        (Mark(stated=Stated(2, 1, "")), "it is in epoch 1, and epoch 2 was seen"),
    ],
)
def test_a_database_behind_a_mark_hands_nothing_out(mark: Mark, words: str) -> None:
    raffle = RaffleFactory.create(total_tickets=9)
    drawn()
    marks.note(installation(), mark)
    for act in (
        lambda: entered(raffle, 0),
        lambda: create_raffle(name="A", total_tickets=1, prizes=[("B", 1)], now=NOW, by=STAFF),
        lambda: advance(raffle.pk, now=NOW, clock=lambda: NOW, by=STAFF),
    ):
        with pytest.raises(Restored) as refused:
            act()
        assert words in refused.value.for_operators()
    assert raffle.tickets.count() == 0


@pytest.mark.parametrize("place", ["system", "database"])
def test_a_database_in_another_place_hands_nothing_out(place: str) -> None:
    raffle = RaffleFactory.create(total_tickets=9)
    entered(raffle, 0)
    Lineage.objects.update(**{place: "7"})
    with pytest.raises(Restored, match="older state"):
        entered(raffle, 1)


@pytest.mark.postgres
def test_a_failover_that_lost_nothing_begins_an_epoch_by_itself() -> None:
    raffle = RaffleFactory.create(total_tickets=9)
    entered(raffle, 0)
    Lineage.objects.update(timeline="000000FF")
    entered(raffle, 1)
    assert Lineage.objects.values_list("epoch", "since").get() == (2, 1)
    assert kept().claimed.epoch == 2


@pytest.mark.postgres
def test_another_timeline_is_not_believed_by_who_has_seen_nothing(settings: Settings) -> None:
    raffle = RaffleFactory.create(total_tickets=9)
    entered(raffle, 0)
    Lineage.objects.update(timeline="000000FF")
    settings.STATE_DIR = Path(settings.STATE_DIR).with_name("elsewhere")
    settings.REDIS_URL = ""
    lineage.forget()
    with pytest.raises(Restored) as refused:
        entered(raffle, 1)
    assert "instead of 255" in refused.value.for_operators()


@pytest.mark.postgres
def test_another_timeline_is_believed_by_who_only_looked_before(settings: Settings) -> None:
    raffle = RaffleFactory.create(total_tickets=9)
    entered(raffle, 0)
    drawn()
    settings.STATE_DIR = Path(settings.STATE_DIR).with_name(f"{settings.STATE_DIR.name}-two")
    settings.REDIS_URL = ""
    lineage.forget()
    assert lineage.warnings() == []
    last = list(statements(0, size()))[-1]
    assert kept() == Mark(stated=Stated(1, size(), lineage.hash_of(last)))
    Lineage.objects.update(timeline="000000FF")
    lineage.forget()
    entered(raffle, 1)
    assert Lineage.objects.values_list("epoch", "since").get() == (2, 1)


def test_a_slot_that_comes_twice_proves_it(monkeypatch: pytest.MonkeyPatch) -> None:
    raffle = RaffleFactory.create(total_tickets=1)
    entered(raffle, 0)
    slot = Ticket.objects.get().slot
    lineage.refuse_second(raffle.uuid.bytes, slot + 1)
    with pytest.raises(Restored):
        lineage.refuse_second(raffle.uuid.bytes, slot)
    with pytest.raises(Restored, match="older state"):
        lineage.refuse_restored()  # also later
    lineage.forget()
    lineage.refuse_restored()


def test_a_flushed_database_is_another_installation() -> None:
    drawn()
    before = installation()
    Lineage.objects.all().delete()
    entered(RaffleFactory.create(total_tickets=9), 1)
    assert installation() != before
    assert [path.name for path in marks.folder(before).iterdir()]
    lineage.refuse_restored()


def test_a_mark_that_cannot_be_read_is_no_word_that_all_is_well() -> None:
    raffle = RaffleFactory.create(total_tickets=9)
    entered(raffle, 0)
    (marks.folder(installation()) / "mark").write_text("{")
    with pytest.raises(Restored) as refused:
        entered(raffle, 1)
    assert "cannot be read" in refused.value.for_operators()


def test_a_mark_never_goes_back() -> None:
    own = installation()
    marks.note(own, Mark(Claimed(1, 5, "a"), Stated(1, 7, "b")))
    marks.note(own, Mark(Claimed(1, 4, "c"), Stated(1, 8, "d")))
    marks.note(own, Mark(Claimed(2, 1, "e")), lasting=True)
    assert kept() == Mark(Claimed(2, 1, "e"), Stated(1, 8, "d"))
    assert kept().since(2) == Mark(Claimed(2, 1, "e"))


# --- What comes in the second between two looks


@pytest.fixture
def pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let more time be between two looks than a test takes."""
    monkeypatch.setattr(lineage, "PAUSE", 60.0)


@contextmanager
def put_back() -> Iterator[None]:
    """Have what is done in the block be undone by a restore beneath our connection.

    SQLite's file is written over. PostgreSQL's table is filled anew in a dump that is put back; its
    row is of another place here, since tickets cannot be taken away.
    """
    if connection.vendor == "postgresql":
        yield
        row = Lineage.objects.get()
        row.database = "7"
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("TRUNCATE raffles_lineage")
            row.save(force_insert=True)
        return
    with closing(sqlite3.connect(":memory:")) as backup:
        connection.connection.backup(backup)
        yield
        backup.backup(connection.connection)


def lists_one(raffle: Raffle) -> None:
    enter_list(raffle.uuid, [Line(2, "A-1")], now=NOW, by=STAFF)


def calls_off(raffle: Raffle) -> None:
    void_raffle(raffle.uuid, reason=REASON, now=NOW, by=STAFF)


@pytest.mark.parametrize("act", [lambda raffle: entered(raffle, 9), lists_one, calls_off])
def test_an_act_in_another_database_than_was_looked_at_is_refused(
    pause: None, act: Callable[[Raffle], Any]
) -> None:
    raffle = RaffleFactory.create(total_tickets=9)
    entered(raffle, 0)
    with put_back():
        entered(raffle, 1)
    handed_out = raffle.tickets.count()
    with pytest.raises(Restored):
        act(raffle)
    assert raffle.tickets.count() == handed_out
    raffle.refresh_from_db()
    assert raffle.state == State.OPEN


def test_a_claim_that_is_not_above_what_was_handed_out_is_refused(pause: None) -> None:
    raffle = RaffleFactory.create(total_tickets=9)
    entered(raffle, 0)
    ticket = Ticket.objects.get()
    lineage.note_claim(raffle.uuid.bytes, ticket.slot, bytes(ticket.code_tag or b""), 2**50)
    with pytest.raises(Restored) as refused:
        entered(raffle, 1)
    assert "it is at position" in refused.value.for_operators()
    assert raffle.tickets.count() == 1


def test_a_look_that_failed_is_no_look(pause: None) -> None:
    raffle = RaffleFactory.create(total_tickets=9)
    entered(raffle, 0)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE raffles_lineage RENAME TO away")
        try:
            lineage.forget()
            lineage.look_when_opened()  # as with each connection, tables or not
            for act in (
                lambda: create_raffle(name="A", total_tickets=1, prizes=[("B", 1)], now=NOW, by=""),
                lambda: call_command("draw_winners"),
                lambda: entered(raffle, 1),
            ):
                with pytest.raises(DatabaseError, match="raffles_lineage"):
                    act()
        finally:
            cursor.execute("ALTER TABLE away RENAME TO raffles_lineage")
    assert raffle.tickets.count() == 1
    entered(raffle, 1)


# --- What people and machines are told


def test_reading_goes_on_and_writing_says_why_not() -> None:
    raffle = RaffleFactory.create(total_tickets=9)
    entered(raffle, 0)
    Lineage.objects.update(system="7")
    for path in ("participate/", "winners/"):
        answer = ask("post", f"/raffles/{raffle.uuid}/{path}")
        assert (answer.status_code, answer.json()["code"]) == (503, "restored")
        assert answer["Retry-After"]
        assert answer["Content-Type"] == "application/problem+json"
    body = {"name": "A", "total_tickets": 1, "prizes": [{"name": "B", "amount": 1}]}
    assert ask("post", "/raffles/", **body).status_code == 503
    assert ask("get", f"/raffles/{raffle.uuid}/").status_code == 200
    page = Client(REMOTE_ADDR="10.0.0.9", HTTP_ACCEPT="text/html").post(f"/r/{raffle.uuid}/")
    assert page.status_code == 503
    assert "What you hold stays yours." in page.content.decode()
    ready = ask("get", "/readyz")
    assert ready.status_code == 200
    assert "The database was restored: it is in another" in ready.json()["warnings"][0]
    said = StringIO()
    with pytest.raises(SystemExit):
        call_command("check_draws", stdout=said)
    assert "after_restore" in said.getvalue()
    assert Raffle.objects.count() == 1
    assert Ticket.objects.count() == 1


WAYS = ("address", "email", "invitation", "list")


def test_no_way_in_hands_out_or_sends_anything() -> None:
    raffles = {way: RaffleFactory.create(entry=way) for way in WAYS}
    entered(raffles["address"], 0)  # the keys are announced, which asks as well
    invited = raffles["invitation"].uuid
    (code,) = make_invitations(invited, batch="b", amount=1, now=NOW, by=STAFF)
    offer = offer_ticket(raffles["email"].uuid, address="bea@example.org", now=timezone.now())
    Lineage.objects.update(system="7")
    asked: list[tuple[str, str, Any]] = [
        ("address", "participate/", {}),
        ("email", "participate/", {"email": "alice@example.org"}),
        ("email", "participate/", {"confirmation": offer.confirmation}),
        ("invitation", "participate/", {"invitation": code}),
        ("invitation", "invitations/", {"amount": 1}),
        ("list", "entries/", [{"holder": "A-17"}]),
    ]
    client = Client(REMOTE_ADDR="127.0.0.2")
    for way, path, body in asked:
        address = f"/raffles/{raffles[way].uuid}/{path}"
        answer = client.post(address, body, content_type="application/json")
        assert (answer.status_code, answer.json()["code"]) == (503, "restored"), (path, body)
    assert not mail.outbox
    assert (Ticket.objects.count(), raffles["invitation"].invitations.count()) == (1, 1)


@pytest.mark.parametrize(
    "command",
    [
        ("draw_winners",),
        ("deliver_announcements",),
        ("erase_participant", "user:alice"),
        ("purge_personal_data", "--older-than=1d"),
    ],
)
def test_commands_touch_nothing(command: tuple[str, ...]) -> None:
    installation()
    Lineage.objects.update(system="7")
    with pytest.raises(Restored):
        call_command(*command)


# --- The signer's memory


def test_a_seal_is_remembered_before_it_is_committed() -> None:
    raffle = drawn()
    (line,) = lines()
    assert line.raffle_id == raffle.uuid.hex
    assert line.standing == lineage.standing()
    assert line.file == {
        "commitment": raffle.draw.commitment(),
        "commitment_hash": bytes(raffle.draw.commitment_hash).hex(),
        **raffle.draw.seal(),
    }


def test_who_cannot_remember_signs_nothing() -> None:
    raffle = RaffleFactory.create(total_tickets=1)
    entered(raffle, 0)
    Path(settings.STATE_DIR, "signed").mkdir()
    answer = ask("post", f"/raffles/{raffle.uuid}/winners/")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert not Draw.objects.exists()


def sealed_in_vain(raffle: Raffle, epoch: int) -> None:
    """Leave the line of a seal whose transaction was not committed."""
    entered(raffle, 0)
    file = {"commitment": {"terms": raffle.terms()}, "commitment_hash": "ab" * 32}
    own = installation().hex().encode()
    line = own + f" {epoch} ".encode() + json.dumps(file, separators=(",", ":")).encode()
    Path(settings.STATE_DIR, "signed").write_bytes(b"torn \n" + line + b"\ntorn")


def test_a_kill_before_the_commit_leaves_the_raffle_to_be_sealed() -> None:
    raffle = RaffleFactory.create(total_tickets=1)
    sealed_in_vain(raffle, epoch=1)
    advance(raffle.pk, now=NOW, clock=lambda: NOW, by=STAFF)
    assert len(list(lines(raffle.uuid.hex))) == 2


def test_no_second_commitment_is_signed_in_another_epoch() -> None:
    raffle = RaffleFactory.create(total_tickets=1)
    sealed_in_vain(raffle, epoch=7)
    with pytest.raises(SealedBefore):
        advance(raffle.pk, now=NOW, clock=lambda: NOW, by=STAFF)
    answer = ask("post", f"/raffles/{raffle.uuid}/winners/")
    assert (answer.status_code, answer.json()["code"]) == (409, "sealed_before")
    assert not Draw.objects.exists()
    assert len(list(lines(raffle.uuid.hex))) == 1


@pytest.mark.parametrize(("unbroken_since", "is_sealed"), [(1, True), (2, False)])
def test_a_seal_that_was_not_committed_may_follow_unless_something_was_lost(
    unbroken_since: int, is_sealed: bool
) -> None:
    raffle = RaffleFactory.create(total_tickets=1)
    sealed_in_vain(raffle, epoch=1)
    Lineage.objects.update(epoch=2, unbroken_since=unbroken_since)
    with nullcontext() if is_sealed else pytest.raises(SealedBefore):
        advance(raffle.pk, now=NOW, clock=lambda: NOW, by=STAFF)
    assert Draw.objects.exists() == is_sealed


@pytest.mark.postgres
def test_a_failover_without_a_synchronous_standby_may_have_lost_a_seal() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW synchronous_standby_names")
        is_synchronous = cursor.fetchone() != ("",)
    raffle = RaffleFactory.create(total_tickets=9)
    entered(raffle, 0)
    Lineage.objects.update(timeline="000000FF")
    entered(raffle, 1)
    unbroken_since = Lineage.objects.values_list("unbroken_since", flat=True).get()
    assert unbroken_since == (1 if is_synchronous else 2)


def test_who_could_not_note_a_seal_signs_none() -> None:
    raffle = RaffleFactory.create(total_tickets=1)
    entered(raffle, 0)
    mark = marks.folder(installation()) / "mark"
    mark.unlink()
    mark.mkdir()
    with pytest.raises(Forgetful, match="Try again later"):
        remember(lineage.standing(), {"commitment": {"terms": raffle.terms()}})
    assert list(lines()) == []
    assert any(str(mark) in said for said in lineage.warnings())


# --- Ways out


def settle(*options: str) -> str:
    said = StringIO()
    call_command("after_restore", *options, stdout=said)
    return said.getvalue()


def test_what_was_not_finished_is_called_off_in_public_and_the_rest_stays() -> None:
    open_, kept_raffle = RaffleFactory.create(total_tickets=9), drawn()
    entered(open_, 0)
    Lineage.objects.update(system="7")
    with pytest.raises(SystemExit):
        settle()
    assert Raffle.objects.filter(state=State.OPEN).count() == 1
    assert f"void      {open_.uuid}" in settle("--reason", REASON)
    open_.refresh_from_db()
    assert (open_.state, open_.void_reason) == (State.VOID, REASON)
    kept_raffle.refresh_from_db()
    assert kept_raffle.state == State.DRAWN
    row = Lineage.objects.get()
    assert (row.epoch, row.since, row.state) == (2, 2, Lineage.State.SERVING)
    entered(RaffleFactory.create(total_tickets=9), 0)
    assert "Nothing tells" in settle("--reason", REASON)
    call_command("verify_log", stdout=StringIO())


def test_statements_are_put_back_so_that_the_log_does_not_fork() -> None:
    raffle = drawn()
    mine, origin = size(), lineage.standing()
    file = marks.log_file(origin.installation)
    other = f"{7:032x}"
    said = json.loads(file.read_bytes().splitlines()[-1])
    for kind, adds in (
        ("sealed", {"raffle_id": other, "commitment_hash": "ab" * 32}),
        ("sold_out", {"raffle_id": other}),
    ):
        line = {key: said[key] for key in ("v", "origin", "at")} | adds
        line |= {"kind": kind, "n": len(file.read_bytes().splitlines())}
        made = json.dumps(line, sort_keys=True, separators=(",", ":")).encode()
        file.write_bytes(file.read_bytes() + made + b"\n")
    lost = file.read_bytes().splitlines()[mine:]
    marks.note(origin.installation, Mark(stated=Stated(1, mine + 2, lineage.hash_of(lost[-1]))))
    text = settle("--reason", REASON)
    assert text.count("put back") == 2
    assert "00000000-0000-0000-0000-000000000007, which is lost" in text
    assert list(statements(mine, mine + 2)) == lost
    last = json.loads(list(statements(0, size()))[-1])
    assert (last["kind"], last["raffle_id"]) == ("voided", other)
    assert last["commitment_hash"] == "ab" * 32
    call_command("verify_log", stdout=StringIO())
    raffle.refresh_from_db()
    assert raffle.state == State.DRAWN
    assert file.read_bytes().splitlines() == list(statements(0, size()))


def lose(raffle: Raffle, kind: str, **adds: object) -> None:
    """Append a statement on the raffle to the log that is kept beside the database alone."""
    file = marks.log_file(installation())
    kept_lines = file.read_bytes().splitlines()
    said = json.loads(kept_lines[-1]) | {"kind": kind, "n": len(kept_lines), **adds}
    line = {name: said[name] for name in ("v", "origin", "n", "at", "kind", *adds)}
    line |= {"raffle_id": raffle.uuid.hex}
    made = json.dumps(line, sort_keys=True, separators=(",", ":")).encode()
    with file.open("ab") as log:
        log.write(made + b"\n")
    marks.note(installation(), Mark(stated=Stated(1, said["n"] + 1, lineage.hash_of(made))))


def test_a_draw_that_is_lost_names_nobody_and_stops_nothing() -> None:
    """Neither the feed of winners nor an erasure, which read what was announced."""
    drawn()
    raffle = RaffleFactory.create(total_tickets=9, event_slug="luck", privacy=Privacy.FULL)
    for kind, adds in (
        ("sealed", {}),
        ("drawn", {"randomness": "cd" * 32}),
        ("replaced", {"rank": 1, "by_rank": 2, "reason_hash": "ef" * 32}),
    ):
        lose(raffle, kind, commitment_hash="ab" * 32, **adds)

    settle("--reason", REASON)

    put_back = Announcement.objects.filter(raffle=raffle, kind=Announcement.Kind.DRAWN).get()
    assert put_back.payload["event"] == "luck"
    feed = Client().get("/winners.atom").content.decode()
    assert (feed.count("<entry>"), str(raffle.uuid) in feed) == (1, False)
    forget_names(Raffle.objects.all())
    call_command("verify_log", stdout=StringIO())


def test_a_file_of_another_log_changes_nothing(tmp_path: Path) -> None:
    drawn()
    Lineage.objects.update(system="7")
    (tmp_path / "theirs").write_bytes(b"{}\n")
    with pytest.raises(CommandError, match="Statement 0 of the log is another"):
        settle("--reason", REASON, "--statements", str(tmp_path / "theirs"))
    lines_ = [*statements(0, size()), b"nothing"]
    (tmp_path / "torn").write_bytes(b"\n".join(lines_))
    with pytest.raises(CommandError, match=f"Line {len(lines_)} of the file is no statement"):
        settle("--reason", REASON, "--statements", str(tmp_path / "torn"))
    with pytest.raises(CommandError, match="No such file"):
        settle("--reason", REASON, "--statements", str(tmp_path / "none"))
    for reason in ("", "a\nb", "a" * 201):
        with pytest.raises(CommandError, match="a reason has 1 to 200 characters"):
            settle("--reason", reason)
    assert Lineage.objects.get().state == Lineage.State.SERVING


def test_a_healthy_database_is_left_alone() -> None:
    raffle = RaffleFactory.create(total_tickets=9)
    entered(raffle, 0)
    assert "Nothing tells" in settle("--reason", REASON)
    raffle.refresh_from_db()
    assert raffle.state == State.OPEN
    assert "serves again" in settle("--reason", REASON, "--unnoticed")
    raffle.refresh_from_db()
    assert raffle.state == State.VOID


def test_half_way_nothing_is_handed_out_and_the_next_run_goes_on() -> None:
    raffle = RaffleFactory.create(total_tickets=9)
    entered(raffle, 0)
    Lineage.objects.update(state=Lineage.State.MENDING)
    with pytest.raises(Restored):
        entered(raffle, 1)
    with pytest.raises(CommandError, match="has begun to call off"):
        settle("--nothing-lost")
    settle("--reason", REASON)
    raffle.refresh_from_db()
    assert raffle.state == State.VOID


def test_a_move_calls_nothing_off() -> None:
    raffle = RaffleFactory.create(total_tickets=9)
    entered(raffle, 0)
    call_command("before_move", stdout=StringIO())
    with pytest.raises(Moving):
        entered(raffle, 1)
    assert ask("post", f"/raffles/{raffle.uuid}/participate/").json()["code"] == "moving"
    Lineage.objects.update(system="7", timeline="7", database="7")  # in its new place
    with pytest.raises(Restored):
        entered(raffle, 1)
    settle("--nothing-lost")
    entered(raffle, 1)
    assert raffle.tickets.count() == 2


def test_what_is_proven_needs_no_token_and_what_is_not_is_refused(settings: Settings) -> None:
    raffle = RaffleFactory.create(total_tickets=9)
    entered(raffle, 0)
    Lineage.objects.update(system="7")
    settle("--nothing-lost")
    entered(raffle, 1)
    Lineage.objects.update(system="8")
    marks.note(installation(), Mark(Claimed(9, 1, _TICKET)))
    with pytest.raises(CommandError, match=r"Something was lost: .*epoch 9 was seen"):
        settle("--nothing-lost")
    settings.STATE_DIR = Path(settings.STATE_DIR).with_name("elsewhere")
    settings.REDIS_URL = ""
    lineage.forget()
    with pytest.raises(CommandError, match="Nothing proves"):
        settle("--nothing-lost")
    raffle.refresh_from_db()
    assert raffle.state == State.OPEN


def test_a_move_is_not_refused_for_a_seal_that_a_kill_took() -> None:
    raffle = RaffleFactory.create(total_tickets=9)
    sealed_in_vain(raffle, epoch=1)
    was = Lineage.objects.get().system
    Lineage.objects.update(system="7")
    with pytest.raises(CommandError, match=f"a seal of raffle {raffle.uuid} was signed"):
        settle("--nothing-lost")
    Lineage.objects.update(system=was)
    call_command("before_move", stdout=StringIO())
    assert "serves again" in settle("--nothing-lost")
    assert not (marks.folder(installation()) / "moving").exists()
    assert Lineage.objects.values_list("epoch", "unbroken_since").get() == (2, 1)
    enter_list(raffle.uuid, [Line(n, f"A-{n}") for n in range(2, 10)], now=NOW, by=STAFF)
    advance(raffle.pk, now=NOW, clock=lambda: NOW, by=STAFF)
    raffle.refresh_from_db()
    assert raffle.state == State.DRAWN


def test_what_one_machine_proves_says_nothing_of_the_seals_of_another() -> None:
    entered(RaffleFactory.create(total_tickets=9), 0)
    Lineage.objects.update(system="7")
    assert "serves again" in settle("--nothing-lost")
    assert Lineage.objects.values_list("epoch", "unbroken_since").get() == (2, 2)


def test_a_machine_that_has_seen_nothing_can_begin_a_move(settings: Settings) -> None:
    settings.STATE_DIR = Path(settings.STATE_DIR).with_name("new")
    call_command("before_move", stdout=StringIO())
    assert "serves again" in settle("--nothing-lost")


def test_a_log_that_somebody_kept_shows_a_restore_that_nothing_else_does(tmp_path: Path) -> None:
    drawn()
    file = marks.log_file(installation())
    said = json.loads(file.read_bytes().splitlines()[-1])
    made = {name: said[name] for name in ("v", "origin", "at")}
    made |= {"n": size(), "kind": "sealed", "raffle_id": f"{7:032x}", "commitment_hash": "ab" * 32}
    line = json.dumps(made, sort_keys=True, separators=(",", ":"))
    (tmp_path / "theirs").write_bytes(file.read_bytes() + line.encode() + b"\n")
    theirs = ("--statements", str(tmp_path / "theirs"))
    with pytest.raises(SystemExit):
        settle(*theirs)
    with pytest.raises(CommandError, match=rf"Something was lost: statement {size()} was made"):
        settle("--nothing-lost", *theirs)
    assert f"put back  statement {size()}, sealed" in settle("--reason", REASON, *theirs)


def test_a_crash_that_tore_the_kept_log_keeps_nobody_from_settling() -> None:
    raffle = drawn()
    with marks.log_file(installation()).open("ab") as file:
        file.write(b'{"at":1')
    Lineage.objects.update(system="7")
    assert "serves again" in settle("--reason", REASON)
    raffle.refresh_from_db()
    assert raffle.state == State.DRAWN


def test_a_mark_that_cannot_be_read_is_set_aside_where_all_is_called_off() -> None:
    entered(RaffleFactory.create(total_tickets=9), 0)
    mark = marks.folder(installation()) / "mark"
    mark.write_bytes(bytes(512))  # as a crash may leave it
    with pytest.raises(CommandError, match="mark"):
        settle("--nothing-lost")
    assert f"set aside {mark}" in settle("--reason", REASON)
    assert mark.with_name("mark.unreadable").read_bytes() == bytes(512)
    entered(RaffleFactory.create(total_tickets=9), 0)


def test_who_cannot_read_what_was_signed_settles_nothing() -> None:
    installation()
    Path(settings.STATE_DIR, "signed").mkdir(parents=True)
    Lineage.objects.update(system="7")
    with pytest.raises(CommandError, match="STATE_DIR cannot be read"):
        settle("--reason", REASON)


# --- Real backups, with what serves going on


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Installation]:
    store = PostgresqlStore if connection.vendor == "postgresql" else SqliteStore
    site = Installation("a", 1, tmp_path / "a", store)
    try:
        site.manage("migrate", "--verbosity=0")
        serve = [sys.executable, "-m", "gunicorn", "--workers", "2"]
        serve += ["--bind", f"127.0.0.1:{site.port}"]
        with running(serve, site.port, **site.environment):
            yield site
    finally:
        site.store.drop()


@pytest.mark.slow
@pytest.mark.usefixtures("unpooled")  # which would not connect for a while once it was refused
def test_a_backup_that_is_put_back_under_a_site_is_noticed(served: Installation) -> None:
    terms = {"name": "Fair", "total_tickets": 99, "prizes": [{"name": "Cake", "amount": 1}]}
    body = json.dumps(terms).encode()
    status, made = served.ask("POST", "/raffles/", body, content_type="application/json")
    assert status == 201, made
    path = f"/raffles/{json.loads(made)['id']}/"

    def enter_as(n: int) -> tuple[int, bytes]:
        return served.ask("POST", f"{path}participate/", by=n)

    assert enter_as(2)[0] == 201
    backup = served.backup("yesterday")
    assert enter_as(3)[0] == 201
    served.seal_a_raffle()  # notes the ticket as well
    lost = served.ask("GET", "/log/statements")[1]
    served.restore(backup)
    threading.Event().wait(1.1)
    status, said = enter_as(4)
    assert (status, json.loads(said)["code"]) == (503, "restored")
    assert served.ask("GET", path)[0] == 200
    assert served.manage("draw_winners", expected=1).count("The database was restored:") == 1
    text = served.manage("after_restore", "--reason", REASON)
    assert text.count("put back") == 2
    assert text.count("void ") == 2
    assert served.ask("GET", "/log/statements")[1].startswith(lost)
    threading.Event().wait(1.1)
    assert enter_as(4)[0] == 410
    served.manage("verify_log")
    served.seal_a_raffle()


@pytest.mark.slow
@pytest.mark.usefixtures("unpooled")  # what pg_restore sets for its session would come to others
def test_no_number_is_handed_out_twice_while_a_backup_is_put_back(served: Installation) -> None:
    terms = {"name": "Fair", "total_tickets": 5000, "prizes": [{"name": "Cake", "amount": 1}]}
    terms["tickets_per_holder"] = MAX_A_HOLDER
    body = json.dumps(terms).encode()
    status, made = served.ask("POST", "/raffles/", body, content_type="application/json")
    assert status == 201, made
    path = f"/raffles/{json.loads(made)['id']}/participate/"
    answers: list[tuple[int, Any]] = []
    is_over = threading.Event()

    def enter_on(n: int) -> None:
        for by in range(n, 250, 3):
            for _ in range(MAX_A_HOLDER):
                if is_over.wait(0.01):
                    return
                with suppress(OSError, HTTPException):
                    status, said = served.ask_once("POST", path, by=by)
                    answers.append((status, json.loads(said)))

    people = [threading.Thread(target=enter_on, args=(n,)) for n in (2, 3, 4)]
    for person in people:
        person.start()
    try:
        threading.Event().wait(1)
        dump = served.store.dump()
        threading.Event().wait(1)
        served.store.put_back(dump)
        threading.Event().wait(3)
    finally:
        is_over.set()
        for person in people:
            person.join()
    numbers = Counter(said["ticket_number"] for status, said in answers if status == 201)
    assert len(numbers) > 20
    assert [number for number, times in numbers.items() if times > 1] == []
    assert answers[-1][1]["code"] == "restored"
