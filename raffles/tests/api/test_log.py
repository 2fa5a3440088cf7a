"""The operator's log as a stranger reads it: C2SP checkpoints and tiles, and lines."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from django.db import transaction

from raffles.domain.announcing import announce
from raffles.domain.keys import signer
from raffles.domain.log import size
from raffles.fairness.verify import (
    ED25519,
    TreeBuilder,
    hash_leaf,
    lines_of,
    parse_note,
    read_statement,
    signature_is_good,
)
from raffles.models import Announcement, State
from raffles.tests.api.acting import caller
from raffles.tests.factories import NOW, STAFF, RaffleFactory

pytestmark = pytest.mark.django_db


def get(path: str, **headers: str) -> Any:
    return caller().get(f"/log/{path}", headers=headers)


def body(response: Any) -> bytes:
    return b"".join(response.streaming_content) if response.streaming else response.content


def stated(count: int) -> None:
    """Write a log of that many statements: the key's, and dates that nobody entered."""
    nobody = {"event": "daily", "name": "Daily", "reason": "Nobody took part"}
    adds: dict[str, Any] = {
        "commitment_hash": "0" * 64,
        "reason_hash": hashlib.sha256(b"Nobody").hexdigest(),
    }
    while size() < count:
        with transaction.atomic():
            announce(Announcement.Kind.VOIDED, None, nobody, at=NOW, by=STAFF, **adds)


def test_log_is_empty_before_the_first_act() -> None:
    assert get("checkpoint").status_code == 404
    assert body(get("statements")) == b""
    assert get("tile/0/000.p/1").status_code == 404


def test_checkpoint_is_signed_over_every_statement() -> None:
    RaffleFactory.create(state=State.DRAWN)
    response = get("checkpoint")
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    note = parse_note(response.content.decode())
    lines = body(get("statements")).splitlines()
    builder = TreeBuilder()
    for line in lines:
        builder.add(hash_leaf(line))
    kinds = [read_statement(line)["kind"] for line in lines]
    assert kinds == ["key", "sold_out", "sealed", "drawn"]
    assert (note.origin, note.size, note.root) == (
        "testserver/log",
        4,
        builder.finish().root,
    )
    public_key = bytes.fromhex(signer().public_key)
    (signed,) = lines_of(note, note.origin, ED25519, public_key)
    assert signature_is_good(public_key, note.text.encode(), signed.signature)
    assert get("checkpoint", **{"If-None-Match": response["ETag"]}).status_code == 304


def test_checkpoint_is_another_after_an_act() -> None:
    RaffleFactory.create(state=State.SEALED)
    first = get("checkpoint")
    RaffleFactory.create(state=State.VOID)
    assert get("checkpoint", **{"If-None-Match": first["ETag"]}).status_code == 200


def test_tiles_hold_the_statements_and_their_hashes() -> None:
    stated(258)
    lines = body(get("statements")).splitlines()
    entries = body(get("tile/entries/000"))
    assert entries == b"".join(len(line).to_bytes(2, "big") + line for line in lines[:256])
    hashes = b"".join(map(hash_leaf, lines))
    assert body(get("tile/0/000")) == hashes[: 256 * 32]
    assert body(get("tile/0/001.p/2")) == hashes[256 * 32 :]
    assert body(get("tile/0/001.p/1")) == hashes[256 * 32 : 257 * 32]
    builder = TreeBuilder()
    for line in lines[:256]:
        builder.add(hash_leaf(line))
    assert body(get("tile/1/000.p/1")) == builder.finish().root
    assert "immutable" in get("tile/0/000")["Cache-Control"]


@pytest.mark.parametrize(
    "path",
    [
        *("tile/0/000", "tile/0/000.p/4", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/001"),
        *("tile/1/000", "tile/63/000", "tile/64/000", "tile/00/000", "tile/0/x000/000.p/9"),
        *("tile/0/0", "tile/0/0000", "tile/entries/000", "tile/entries/000.p/4", "tile/-1/000"),
        *("tile/0/x999/x999/x999/999", "tile/0/000.p/03", "tile/0/000/", "checkpoint/"),
    ],
)
def test_what_is_not_there_is_404(path: str) -> None:
    stated(3)
    assert get(path).status_code == 404


def test_nothing_is_written_by_strangers() -> None:
    for path in ("checkpoint", "statements", "tile/0/000"):
        assert caller().post(f"/log/{path}").status_code == 405
