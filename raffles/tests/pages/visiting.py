"""What a visitor does on the pages, without a browser."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from uuid import UUID

from django.test import Client

VISITOR = "198.51.100.7"
PAGES = ("", "ticket/", "result/", "certificate/", "stage/")


def visitor(address: str = VISITOR, **headers: str) -> Client:
    """Return a client that calls from `address`, with headers by their names."""
    return Client(REMOTE_ADDR=address, headers=headers)


def press(path: str, *, address: str = VISITOR, site: str = "same-origin", **fields: Any) -> Any:
    """Send a page's form as a browser does that says which `site` it is from."""
    return visitor(address, **{"Sec-Fetch-Site": site}).post(path, fields)


def take_part(raffle_id: UUID, address: str = VISITOR, **fields: Any) -> Any:
    """Press the one button."""
    return press(f"/r/{raffle_id}/", address=address, **fields)


def text_of(response: Any) -> str:
    """Return what can be read on a page without scripts: no tags, single spaces."""
    scripted = '<section class="keeping.*?</section>'
    body = re.sub(f"(?s)<head>.*?</head>|{scripted}|<[^>]*>", " ", response.content.decode())
    return " ".join(unescape(body).split())


def head_of(response: Any) -> dict[str, str]:
    """Return what a page's head says: metas by name or property, links by `rel` and type."""
    head = response.content.decode().partition("</head>")[0]
    said = dict(re.findall(r'<meta (?:name|property)="([^"]+)" content="([^"]*)"', head))
    for rel, rest in re.findall(r'<link rel="([^"]+)"([^>]*)>', head):
        kind = re.search(r' type="([^"]+)"', rest)
        address = re.search(r' href="([^"]+)"', rest)
        said.setdefault(f"{rel} {kind[1]}" if kind else rel, address[1] if address else "")
    return {name: unescape(value) for name, value in said.items()}


def notice(response: Any) -> str:
    """Return the refusal on a page; empty without one."""
    found = re.search(
        r'(?s)<div class="notice" role="alert" data-notice[^>]*>(.*?)</div>',
        response.content.decode(),
    )
    return " ".join(unescape(re.sub("<[^>]*>", " ", found[1])).split()) if found else ""


def ticket_on(response: Any) -> tuple[int, str]:
    """Return number and code of the ticket card."""
    body = response.content.decode()
    number = re.search(r'class="ticket-number".*?<b data-number>(\d+)</b>', body)
    code = re.search(r'class="code".*?<b data-code>(.*?)</b>', body)
    assert number, "no ticket on the page"
    assert code, "no code on the page"
    return int(number[1]), re.sub("<[^>]*>", "", code[1])
