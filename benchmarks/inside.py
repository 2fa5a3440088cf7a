"""What is done inside the site's own process: requests without a network, raffles, pools."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from io import BytesIO
from typing import Any

from django.core.handlers.wsgi import WSGIHandler
from django.db import connection, transaction
from django.utils import timezone

from raffles.domain import lineage
from raffles.domain.claiming import Facts, _claim_postgresql, _claim_sqlite
from raffles.domain.creating import create_raffle
from raffles.domain.drawing import advance
from raffles.domain.pool import build_tree
from raffles.domain.sealing import close, seal
from raffles.models import Raffle, State
from raffles.models.raffle import MAX_PRIZES, MAX_TICKETS

PRIZES = (("Telescope", 1), ("Book", 9))

# --- Requests ----------------------------------------------------------------------------

application = WSGIHandler()  # the setup was done before, logs and all
_callers = itertools.count(1)


def ask(
    method: str, path: str, content: bytes = b"", *, expected: int = 200, **environment: str
) -> bytes:
    """Return the body of a request (JSON, if any), each from an address of its own.

    Raises RuntimeError when its status is another than expected.
    """
    caller = next(_callers)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "REMOTE_ADDR": f"11.{caller >> 16 & 255}.{caller >> 8 & 255}.{caller & 255}",
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(content),
    }
    if content:
        environ |= {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(content))}
    statuses: list[str] = []

    def start(status: str, _headers: Any, _fault: Any = None, /) -> Callable[[bytes], object]:
        statuses.append(status)
        return lambda _body: None

    response = application(environ | environment, start)
    try:
        body = b"".join(response)
    finally:
        response.close()
    if not statuses[0].startswith(str(expected)):
        raise RuntimeError(f"{method} {path}: {statuses[0]} {body[:600]!r}")
    return body


# --- Raffles -----------------------------------------------------------------------------

# What claims would have left behind: stripes filled in step, tags that look like hashes.
_ISSUE = """
    UPDATE raffles_stripe SET issued = cap::bigint * %(issued)s / %(total)s
    WHERE raffle_id = %(raffle)s
"""
_FILL = """
    INSERT INTO raffles_ticket (raffle_id, slot, holder_tag, code_tag, nth, issued_at)
    SELECT raffle_id, slot, decode(md5('holder' || slot), 'hex'),
        decode(md5('code' || slot), 'hex'), 0, now()
    FROM raffles_stripe, generate_series(lo, lo + issued - 1) AS slot WHERE raffle_id = %(raffle)s
"""


def new_raffle(total_tickets: int = MAX_TICKETS, **terms: Any) -> Raffle:
    """Create a raffle to enter."""
    terms = {"name": "Benchmark", "prizes": PRIZES} | terms
    return create_raffle(total_tickets=total_tickets, now=timezone.now(), by="benchmark", **terms)


def pool(*, quick: bool) -> Raffle:
    """Return a raffle of 9,900,000 tickets of 10,000,000, or a million; with 100,000 prizes.

    PostgreSQL alone; takes about twelve seconds a million.
    """
    return made_once(1_000_000 if quick else 9_900_000, MAX_TICKETS, winners=MAX_PRIZES)


def made_once(issued: int, total: int, *, winners: int) -> Raffle:
    """Return an open raffle with so many tickets given out, or what became of it since."""
    name = f"{issued} tickets of {total}, {winners} winners"
    if made := Raffle.objects.filter(name=name).first():
        return made
    return fill(new_raffle(total, name=name, prizes=(("Book", winners),)), issued)


def fill(raffle: Raffle, issued: int) -> Raffle:
    """Give out so many tickets of a new raffle."""
    values = {"raffle": raffle.pk, "issued": issued, "total": raffle.total_tickets}
    with transaction.atomic(), connection.cursor() as cursor:
        # No foreign key is looked at for each of millions of rows that all name this raffle.
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(_ISSUE, values)
        cursor.execute(_FILL, values)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE raffles_ticket")
        cursor.execute("CHECKPOINT")
    return raffle


def seal_now(raffle: Raffle) -> None:
    """Close, hash and seal a raffle if it is open."""
    raffle.refresh_from_db()
    if raffle.state == State.OPEN:
        close(raffle.pk, now=timezone.now(), by="benchmark")
        seal(raffle.pk, build_tree(raffle), clock=timezone.now, by="benchmark")


def drawn_raffle(tickets: int, winners: int) -> Raffle:
    """Make one that is sold out and drawn."""
    raffle = made_once(tickets, tickets, winners=winners)
    seal_now(raffle)
    advance(raffle.pk, now=timezone.now(), clock=timezone.now, by="benchmark")
    return raffle


def claim(facts: Facts) -> None:
    """Claim a ticket, alone as the insert is alone: tags and receipt are participate's figures."""
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    claimed = _claim_postgresql if connection.vendor == "postgresql" else _claim_sqlite
    code_tag = os.urandom(16)
    ticket = [os.urandom(16), code_tag, None, now, None, None, None, 0, None]
    landed = claimed(facts, ticket, [os.urandom(16)])
    if landed:
        slot, _, position = landed
        lineage.refuse_second(facts.uuid, slot)
        lineage.note_claim(facts.uuid, slot, code_tag, position)
