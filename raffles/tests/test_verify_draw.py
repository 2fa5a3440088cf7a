"""manage.py verify_draw: what was published against what the database holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from raffles.domain.prizes import replace_winner
from raffles.domain.proofs import published_draw, stream_proof
from raffles.models import Raffle, State, Winner
from raffles.tests.factories import NOW, STAFF, RaffleFactory

pytestmark = pytest.mark.django_db


def verdict(named: object) -> str:
    out = StringIO()
    call_command("verify_draw", str(named), stdout=out)
    return out.getvalue().splitlines()[-1]


@pytest.fixture
def raffle() -> Raffle:
    raffle: Raffle = RaffleFactory.create(state=State.DRAWN, total_tickets=12, alternates=3)
    first = raffle.winners.get(rank=1)
    replace_winner(
        raffle.uuid, ticket_number=first.ticket_number(), reason="Away", now=NOW, by=STAFF
    )
    return raffle


def test_drawn_raffle_agrees_by_id_and_by_file(raffle: Raffle, tmp_path: Path) -> None:
    proof = tmp_path / "proof.json"
    proof.write_text("".join(stream_proof(published_draw(raffle.uuid))))
    assert verdict(raffle.uuid) == verdict(proof) == "The database and the proof agree."


def test_sealed_raffle_is_checked_as_far_as_it_is() -> None:
    sealed = RaffleFactory.create(state=State.SEALED)
    assert verdict(sealed.uuid) == "The database and the proof agree."


@contextmanager
def unguarded(*tables: str) -> Iterator[None]:
    """Drop the triggers of those tables, as somebody who may change the schema could."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL session_replication_role = replica")
        else:
            cursor.execute("SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger'")
            for name, table in cursor.fetchall():
                if table in tables:
                    cursor.execute(f"DROP TRIGGER {name}")
    yield


def _change_a_code(raffle: Raffle) -> None:
    tag = bytes(16)
    raffle.tickets.filter(slot=0).update(code_tag=tag)


def _swap_winners(raffle: Raffle) -> None:
    winner, alternate = raffle.winners.order_by("rank")[:2]
    Winner.objects.filter(pk=winner.pk).update(rank=99)
    Winner.objects.filter(pk=alternate.pk).update(rank=winner.rank, prize=winner.prize)
    Winner.objects.filter(pk=winner.pk).update(rank=alternate.rank, prize=None)


def _rename(raffle: Raffle) -> None:
    Raffle.objects.filter(pk=raffle.pk).update(name="Another")


def _skip_an_alternate(raffle: Raffle) -> None:
    last = raffle.winners.order_by("-rank")[0]
    raffle.replacements.update(alternate=last)


def _add_a_ticket(raffle: Raffle) -> None:
    Raffle.objects.filter(pk=raffle.pk).update(total_tickets=13)
    raffle.tickets.create(slot=12, holder_tag=bytes(16), code_tag=bytes(16), issued_at=NOW)


def _count_as_the_second(raffle: Raffle) -> None:
    raffle.tickets.filter(slot=0).update(nth=1)


def _come_by_post(raffle: Raffle) -> None:
    raffle.tickets.filter(slot=0).update(channel="postal")


@pytest.mark.parametrize(
    ("tamper", "reason"),
    [
        (_count_as_the_second, "a holder has more tickets than 1"),
        (_come_by_post, "the tickets came by other channels than were counted with the seal"),
        (_change_a_code, "the tickets make the root"),
        (_swap_winners, "INVALID"),
        (_rename, "the terms and pool are not what was committed to"),
        (_skip_an_alternate, "a replacement passes over an alternate: Away"),
        (_add_a_ticket, "12 tickets were sealed, 12 were handed out, 13 are stored"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_tampering_behind_the_guards_is_seen(
    raffle: Raffle, tamper: Callable[[Raffle], None], reason: str
) -> None:
    tables = [f"raffles_{name}" for name in ("raffle", "ticket", "winner", "replacement")]
    with unguarded(*tables):
        tamper(raffle)
    with pytest.raises(CommandError, match="INVALID") as refusal:
        verdict(raffle.uuid)
    assert reason in str(refusal.value)


def test_other_proof_of_the_raffle_is_refused(raffle: Raffle, tmp_path: Path) -> None:
    proof = tmp_path / "proof.json"
    text = "".join(stream_proof(published_draw(raffle.uuid)))
    proof.write_text(text.replace('"rank": 1,', '"rank": 7,'))
    with pytest.raises(CommandError, match="INVALID"):
        verdict(proof)


@pytest.mark.parametrize("named", ["nonsense", "00000000-0000-0000-0000-000000000000"])
def test_unknown_name_exits_2(named: str) -> None:
    with pytest.raises(CommandError) as refusal:
        verdict(named)
    assert refusal.value.returncode == 2
