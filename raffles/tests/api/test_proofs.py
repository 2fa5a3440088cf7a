"""Commitment, proof, leaves, inclusion, keys and the verifier, as a stranger fetches them."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from raffles.domain.entering import enter
from raffles.domain.erasing import erase_tickets
from raffles.domain.keys import signer
from raffles.fairness.verify import Invalid, root_from_path, verify
from raffles.models import Raffle, State
from raffles.tests.api.acting import caller
from raffles.tests.factories import NOW, RaffleFactory, address, enter_nth, take_to

pytestmark = pytest.mark.django_db

IMMUTABLE = "public, max-age=31536000, immutable"


def place(raffle: Raffle, what: str) -> str:
    return f"/raffles/{raffle.uuid}/{what}"


def get(path: str, **headers: str) -> Any:
    return caller().get(path, headers=headers)


def body(response: Any) -> bytes:
    return b"".join(response.streaming_content) if response.streaming else response.content


def drawn(**terms: Any) -> Raffle:
    raffle: Raffle = RaffleFactory.create(state=State.DRAWN, **terms)
    return raffle


@pytest.mark.parametrize("what", ["commitment/", "proof/", "leaves/", "tickets/1/inclusion/"])
def test_nothing_to_show_before_the_seal(what: str) -> None:
    response = get(place(RaffleFactory.create(), what))
    assert (response.status_code, response.json()["detail"]) == (
        404,
        "The raffle has not been sealed yet",
    )


def test_commitment_is_signed_and_final() -> None:
    raffle = RaffleFactory.create(state=State.SEALED)
    sealed = get(place(raffle, "commitment/"))
    take_to(State.DRAWN, raffle)
    final = get(place(raffle, "commitment/"))
    assert final.json() == sealed.json()
    assert final["Cache-Control"] == IMMUTABLE
    assert get(place(raffle, "proof/"), **{"If-None-Match": "other"}).status_code == 200
    again = get(place(raffle, "commitment/"), **{"If-None-Match": final["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_proof_comes_with_the_draw() -> None:
    sealed = RaffleFactory.create(state=State.SEALED)
    response = get(place(sealed, "proof/"))
    assert (response.status_code, response.json()["code"]) == (404, "no_proof_yet")


def test_one_file_checks_everything_a_participant_keeps(tmp_path: Path) -> None:
    """The verifier as downloaded, in an empty folder, without a package."""
    raffle = RaffleFactory.create(total_tickets=40, prizes=(("Phone", 1), ("Pen", 5)))
    entries = [enter_nth(raffle, n) for n in range(40)]
    take_to(State.SEALED, raffle)
    files = {"commitment": body(get(place(raffle, "commitment/")))}
    take_to(State.DRAWN, raffle)
    ticket = f"tickets/{entries[7].ticket_number}/inclusion/"
    files |= {
        "proof": body(get(place(raffle, "proof/"))),
        "leaves": body(get(place(raffle, "leaves/"))),
        "inclusion": body(get(place(raffle, ticket))),
        "keys": body(get("/.well-known/raffle-keys.json")),
        "receipt": json.dumps(entries[7].receipt).encode(),
        "verify.py": body(get("/verify.py")),
    }
    for name, content in files.items():
        Path(tmp_path, name).write_bytes(content)
    options = [f"--{name}={name}" for name in files if name not in ("proof", "verify.py")]
    command = [sys.executable, "-I", "-S", "verify.py", "proof", *options]
    checked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert checked.stdout.splitlines()[-1] == "VALID, randomness vouched for by the operator only"
    assert checked.returncode == 0
    checksum = hashlib.sha256(files["verify.py"]).hexdigest()
    assert body(get("/verify.py.sha256")) == f"{checksum}  verify.py\n".encode()


@pytest.mark.parametrize("tickets", [1, 2, 255, 256, 257, 700])
def test_every_ticket_is_included(tickets: int) -> None:
    raffle = RaffleFactory.create(total_tickets=tickets + 50, closes_at=None)
    entries = [enter_nth(raffle, n) for n in range(tickets)]
    take_to(State.SEALED, raffle)
    leaves = body(get(place(raffle, "leaves/")))
    assert len(leaves) == 32 * tickets
    root = None
    for entry in entries[:: max(1, tickets // 40)]:
        shown = get(place(raffle, f"tickets/{entry.ticket_number}/inclusion/")).json()
        leaf_hash = bytes.fromhex(shown["leaf_hash"])
        index = shown["index"]
        assert leaves[32 * index : 32 * index + 32] == leaf_hash
        path = [bytes.fromhex(node) for node in shown["path"]]
        root = root_from_path(index, tickets, leaf_hash, path)
        assert root.hex() == shown["root"]
    assert root == bytes(raffle.pool.root)
    with pytest.raises(Invalid):
        root_from_path(index, tickets, leaf_hash, [*path, root])


def test_ticket_that_nobody_holds_has_no_inclusion() -> None:
    raffle = RaffleFactory.create(total_tickets=10)
    entry = enter_nth(raffle, 0)
    take_to(State.SEALED, raffle)
    other = entry.ticket_number % 10 + 1
    for number in (other, 0, 11, 10**12):
        response = get(place(raffle, f"tickets/{number}/inclusion/"))
        assert (response.status_code, response.json()["code"]) == (404, "no_such_ticket")


def test_pages_of_a_proof_make_the_whole() -> None:
    raffle = drawn(total_tickets=300, prizes=(("Pen", 7),), alternates=3)
    whole = json.loads(body(get(place(raffle, "proof/"))))
    winners, url = [], place(raffle, "proof/?limit=4")
    while url:
        page = get(url)
        winners += json.loads(body(page))["winners"]
        url = page.get("Link", "").partition("<")[2].partition(">")[0]
    assert winners == whole["winners"]
    assert len(winners) == 10
    assert verify(whole, {}).status == 0


@pytest.mark.parametrize(
    ("capacity", "tickets"), [(1, 1), (2, 2), (255, 255), (256, 256), (257, 257), (1_500, 600)]
)
def test_every_winner_is_proved_before_and_after_erasing(capacity: int, tickets: int) -> None:
    """Winners in every block: the last one full, of one leaf, and in between."""
    before = NOW - timedelta(hours=1)
    raffle = RaffleFactory.create(
        total_tickets=capacity,
        prizes=(("Pen", tickets),),
        alternates=0,
        closes_at=NOW,
        now=before,
    )
    for n in range(tickets):
        enter(raffle.uuid, identity=f"ip:{address(n)}", now=before)
    take_to(State.DRAWN, raffle)
    proof = body(get(place(raffle, "proof/")))
    assert verify(json.loads(proof), {}).status == 0
    winners = json.loads(proof)["winners"]
    assert sorted(winner["index"] for winner in winners) == list(range(tickets))
    for winner in winners[:: max(1, tickets // 10)]:
        shown = get(place(raffle, f"tickets/{winner['ticket_number']}/inclusion/")).json()
        assert (winner["index"], winner["path"]) == (shown["index"], shown["path"])
    assert erase_tickets(raffle, now=NOW) == tickets
    assert body(get(place(raffle, "proof/"))) == proof


@pytest.mark.skipif(connection.vendor == "postgresql", reason="COPY is not captured")
def test_proof_reads_each_block_once_and_those_of_its_winners_alone() -> None:
    """One winner, a page of them, all of them: their blocks, and neighbours in one query."""
    few = drawn(total_tickets=1_100, prizes=(("Phone", 1),), alternates=0)
    (index,) = (winner.index for winner in few.winners.all())
    assert blocks_read(few, "proof/") == [index // 256]
    many = drawn(total_tickets=1_100, prizes=(("Pen", 1_100),), alternates=0)
    assert blocks_read(many, "proof/") == [0, 1, 2, 3, 4]
    first = {winner.index // 256 for winner in many.winners.filter(rank__lte=2)}
    assert blocks_read(many, "proof/?limit=2") == sorted(first)


def blocks_read(raffle: Raffle, what: str) -> list[int]:
    """Return the blocks that a request reads, of a sold-out raffle, whose slots are its indices."""
    with CaptureQueriesContext(connection) as queries:
        body(get(place(raffle, what)))
    ranges = [
        re.search(r"slot >= (\d+) AND slot < (\d+)", query["sql"])
        for query in queries.captured_queries
    ]
    return [
        block
        for found in ranges
        if found
        for block in range(int(found[1]) // 256, -(-int(found[2]) // 256))
    ]


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "after=-1", "limit=١"])
def test_bad_page_is_refused(query: str) -> None:
    assert get(place(drawn(), f"proof/?{query}")).status_code == 400


def test_query_counts_do_not_grow_with_the_pool() -> None:
    counts = []
    for tickets in (3, 300):
        raffle = drawn(total_tickets=tickets)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            for what in ("commitment/", "proof/", "leaves/", "tickets/1/inclusion/"):
                body(get(place(raffle, what)))
        counts.append(len(queries))
    # One more for the kept levels of the tree; its two blocks are neighbours.
    assert counts[1] - counts[0] == 1


def test_keys_are_all_published_and_the_first_signs(settings: LazySettings) -> None:
    settings.RECEIPT_SEEDS = [bytes([n]) * 32 for n in (2, 1)]
    raffle = RaffleFactory.create()
    entry = enter(raffle.uuid, identity=f"ip:{address(1)}", now=NOW)
    since = int(NOW.timestamp())
    assert get("/.well-known/raffle-keys.json").json() == {
        "keys": [
            {"algorithm": "Ed25519", "public_key": public_key, "since": since, "until": 0}
            for public_key in signer().public_keys
        ]
    }
    assert entry.receipt["public_key"] == signer().public_keys[0]
