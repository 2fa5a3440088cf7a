"""What the tests of the API do over it: create, take part, sell out, draw; and what they expect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import uuid4

from rest_framework.test import APIClient

if TYPE_CHECKING:  # a name of the stubs alone
    from rest_framework.response import _MonkeyPatchedResponse

Answer: TypeAlias = "_MonkeyPatchedResponse"

MANAGER = "192.0.2.1"
STRANGER = "198.51.100.1"
PROXY = "10.0.0.1"
NOWHERE = str(uuid4())  # the id of no raffle

TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    410: "Gone",
    412: "Precondition Failed",
    422: "Unprocessable Content",
    503: "Service Unavailable",
}
INVALID = "The request is not valid; errors says why, by field."

MANAGERS_ONLY = (403, "managers_only", "Only managers may do this.")
NOT_FOUND = (404, "not_found", "There is nothing at this address.")
SOLD_OUT = (410, "sold_out", "Tickets to this raffle are no longer available")
CLOSED = (410, "closed", "Tickets to this raffle are no longer available")
ENTERED = (403, "already_entered", "Your ip address has already participated in this raffle")


def caller(address: str = STRANGER, **headers: Any) -> APIClient:
    """Return a client that calls from `address`, with `headers` as in META."""
    return APIClient(REMOTE_ADDR=address, **headers)


def manager() -> APIClient:
    """Return a client that calls from the manager's address."""
    return caller(MANAGER)


def holder(number: int) -> str:
    """Return the address of the participant of that number."""
    return f"203.0.{number // 250}.{number % 250 + 1}"


def terms(**changes: Any) -> dict[str, Any]:
    """Return the body that creates a raffle of three tickets and one prize."""
    return {
        "name": "Spring fair",
        "total_tickets": 3,
        "prizes": [{"name": "Bicycle", "amount": 1}],
    } | changes


def created(**changes: Any) -> dict[str, Any]:
    """Create a raffle and return it as it was answered."""
    response = manager().post("/raffles/", terms(**changes))
    assert response.status_code == 201, response.json()
    body: dict[str, Any] = response.json()
    return body


def participate(raffle_id: str, address: str, **headers: Any) -> Answer:
    """Take part from `address`."""
    return caller(address).post(f"/raffles/{raffle_id}/participate/", **headers)


def sold_out(**changes: Any) -> tuple[str, dict[int, str]]:
    """Create a raffle and take every ticket; returns its id and the codes by number."""
    raffle = created(**changes)
    return raffle["id"], entered(raffle["id"], raffle["total_tickets"])


def entered(raffle_id: str, count: int) -> dict[int, str]:
    """Let that many holders take part; returns the codes by number."""
    codes = {}
    for number in range(count):
        response = participate(raffle_id, holder(number))
        assert response.status_code == 201, response.json()
        ticket = response.json()
        codes[ticket["ticket_number"]] = ticket["verification_code"]
    return codes


def draw(raffle_id: str) -> Answer:
    """Draw as the manager."""
    return manager().post(f"/raffles/{raffle_id}/winners/")


def drawn(**changes: Any) -> tuple[str, dict[int, str], list[dict[str, Any]]]:
    """Create, sell out and draw a raffle; returns its id, the codes by number, the winners."""
    raffle_id, codes = sold_out(**changes)
    response = draw(raffle_id)
    assert response.status_code == 201, response.json()
    return raffle_id, codes, response.json()


def verify(raffle_id: str, number: int, code: str) -> Answer:
    """Ask whether a ticket has won."""
    body = {"ticket_number": number, "verification_code": code}
    return caller().post(f"/raffles/{raffle_id}/verify-ticket/", body)


def links(response: Answer) -> dict[str, str]:
    """Return the addresses of the Link header by relation."""
    found = {}
    for link in response.get("Link", "").split(", "):
        if link:
            url, relation = link.split("; ")
            found[relation.removeprefix('rel="').removesuffix('"')] = url.strip("<>")
    return found


def refused(response: Answer) -> tuple[int, str, str]:
    """Return status, code and sentence of a problem without errors by field, and check its form."""
    body = response.json()
    assert response["Content-Type"] == "application/problem+json"
    assert body == {
        "type": "about:blank",
        "title": TITLES[response.status_code],
        "status": response.status_code,
        "detail": body["detail"],
        "code": body["code"],
    }
    return response.status_code, body["code"], body["detail"]


def faults(response: Answer) -> dict[str, list[str]]:
    """Return the errors by field of a request that is not valid, and check the problem's form."""
    body = response.json()
    assert response["Content-Type"] == "application/problem+json"
    assert body == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": INVALID,
        "code": "invalid",
        "errors": body["errors"],
    }
    assert response.status_code == 400
    errors: dict[str, list[str]] = body["errors"]
    return errors
