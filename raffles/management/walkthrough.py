"""A whole raffle over real HTTP: created, sold out, drawn, verified, from many addresses.

Every participant calls from an address of its own in 127.0.0.0/8. Only the HTTP API is used: what
is shown is what a client sees.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from threading import Thread
from typing import Any

from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application

from raffles.fairness import verify
from raffles.management.progress import Bar

MANAGER = "127.0.0.1"
_FIRST = IPv4Address("127.1.0.1")  # participants call from here upwards
_PRIZES = [{"name": "Telescope", "amount": 1}, {"name": "Kettle", "amount": 3}]


@dataclass(frozen=True)
class PlayedStep:
    """One line of the table: what was done, by whom, and what came back."""

    act: str
    caller: str
    answer: str


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Log nothing: the table has it."""


@contextmanager
def served() -> Iterator[int]:
    """Serve the site on a free port of 127.0.0.1 in a thread; yield the port."""
    server = ThreadedWSGIServer((MANAGER, 0), _Quiet)
    server.set_app(get_wsgi_application())
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass(frozen=True)
class Client:
    """Calls the site at a port from given addresses."""

    port: int

    def call(
        self, method: str, path: str, body: Any = None, *, caller: str = MANAGER
    ) -> tuple[int, Any]:
        """Return the status and the JSON of the answer."""
        connection = http.client.HTTPConnection(
            MANAGER, self.port, timeout=60, source_address=(caller, 0)
        )
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(method, path, payload, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()


def play(client: Client, participants: int) -> Iterator[PlayedStep]:
    """Play the raffle, and yield each step as it is done."""
    asked = {"name": "Walkthrough", "total_tickets": participants, "prizes": _PRIZES}
    status, raffle = client.call("POST", "/raffles/", asked)
    yield PlayedStep("create the raffle", MANAGER, f"{status}, {participants:,} tickets")
    place = f"/raffles/{raffle['id']}"

    addresses = [str(_FIRST + n) for n in range(participants)]
    bar, tickets = Bar("taking part"), []
    status, refused = client.call("POST", f"{place}/participate/", caller=addresses[0])
    tickets.append(refused)
    status, refused = client.call("POST", f"{place}/participate/", caller=addresses[0])
    yield PlayedStep("take part twice", addresses[0], f"{status} {refused['detail']}")
    status, refused = client.call("POST", f"{place}/winners/")
    yield PlayedStep("draw too early", MANAGER, f"{status} {refused['detail']}")
    for address in addresses[1:]:
        status, ticket = client.call("POST", f"{place}/participate/", caller=address)
        tickets.append(ticket)
        bar(len(tickets), participants)
    numbers = {ticket["ticket_number"] for ticket in tickets}
    each_once = numbers == set(range(1, participants + 1))
    yield PlayedStep(
        "take part",
        f"{addresses[0]} … {addresses[-1]}",
        f"{len(tickets):,} tickets, numbers 1 to {participants:,} "
        + ("each once" if each_once else "NOT each once"),
    )
    late = str(_FIRST + participants)
    status, refused = client.call("POST", f"{place}/participate/", caller=late)
    yield PlayedStep("take part when sold out", late, f"{status} {refused['detail']}")
    status, refused = client.call("POST", f"{place}/winners/", caller=addresses[0])
    yield PlayedStep("draw as a participant", addresses[0], f"{status} {refused['detail']}")
    status, winners = client.call("POST", f"{place}/winners/")
    yield PlayedStep("draw", MANAGER, f"{status}, {len(winners)} winners")
    for winner in winners:
        yield PlayedStep(
            f"  rank {winner['rank']}", f"ticket {winner['ticket_number']}", winner["prize"]
        )
    status, refused = client.call("POST", f"{place}/winners/")
    yield PlayedStep("draw again", MANAGER, f"{status} {refused['detail']}")
    yield _verified_tickets(client, place, tickets, winners)
    yield _verified_proof(client, place)


def _verified_tickets(
    client: Client, place: str, tickets: list[dict[str, Any]], winners: list[dict[str, Any]]
) -> PlayedStep:
    """Verify each ticket; those that have won must be the winners."""
    prizes = {winner["ticket_number"]: winner["prize"] for winner in winners}
    bar, agreed = Bar("verifying  "), 0
    for done, ticket in enumerate(tickets, start=1):
        number = ticket["ticket_number"]
        asked = {"ticket_number": number, "verification_code": ticket["verification_code"]}
        caller = str(_FIRST + done - 1)
        _, answer = client.call("POST", f"{place}/verify-ticket/", asked, caller=caller)
        agreed += answer == {"has_won": number in prizes, "prize": prizes.get(number)}
        bar(done, len(tickets))
    return PlayedStep("verify every ticket", "its holder", f"{agreed:,} of {len(tickets):,} agree")


def _verified_proof(client: Client, place: str) -> PlayedStep:
    """Check the published proof with the single-file verifier, in a process of its own."""
    _, proof = client.call("GET", f"{place}/proof/")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "proof.json")
        file.write_text(json.dumps(proof))
        command = [sys.executable, "-I", "-S", verify.__file__, str(file)]
        checked = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return PlayedStep("verify the proof", "verify.py", checked.stdout.strip().splitlines()[-1])
