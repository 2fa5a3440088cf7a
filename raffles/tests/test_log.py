"""The operator's log: its statements, its keys, and the tree that is kept of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.db.transaction import TransactionManagementError
from pytest_django import Settings

from raffles.domain import log
from raffles.domain.announcing import announce
from raffles.domain.drawing import void_raffle
from raffles.domain.keys import KeyMissing, signer
from raffles.domain.log import LogTree, announce_keys, announced_keys, published_keys, take_turn
from raffles.domain.prizes import replace_winner
from raffles.fairness.verify import (
    TreeBuilder,
    check_consistency,
    hash_leaf,
    lines_of,
    parse_note,
    read_statement,
    root_from_path,
    signature_is_good,
)
from raffles.models import Announcement, LogNode, State
from raffles.tests.factories import NOW, STAFF, RaffleFactory

pytestmark = pytest.mark.django_db

KEY = Announcement.Kind.KEY
SEEDS = [bytes([n]) * 32 for n in range(1, 4)]
SECONDS = int(NOW.timestamp())
NOBODY = {"raffle_id": "0" * 32, "commitment_hash": "0" * 64, "reason_hash": "0" * 64}


def said() -> list[dict[str, object]]:
    """Return all statements."""
    return [read_statement(line) for line in log.statements(0, log.size())]


def kinds() -> list[str]:
    """Return the kinds of all statements."""
    return [str(line["kind"]) for line in said()]


# --- Statements


def test_a_raffle_is_told_from_its_key_to_its_replacement() -> None:
    raffle = RaffleFactory.create(state=State.DRAWN)
    first = raffle.winners.get(rank=1)
    replace_winner(
        raffle.uuid, ticket_number=first.ticket_number(), reason="Ill", now=NOW, by=STAFF
    )
    about = {"raffle_id": raffle.uuid.hex}
    commitment = {"commitment_hash": bytes(raffle.draw.commitment_hash).hex()}
    same = {"v": "raffle-draw-v2", "origin": "testserver/log", "at": SECONDS}
    every = [same | {"n": n} for n in range(4)]
    assert said()[:4] == [
        every[0] | {"kind": "key", "public_key": signer().public_key},
        every[1] | {"kind": "sold_out"} | about,
        every[2] | {"kind": "sealed"} | about | commitment,
        every[3]
        | {"kind": "drawn", "randomness": bytes(raffle.draw.randomness or b"").hex()}
        | about
        | commitment,
    ]
    assert (kinds()[4:], said()[4]["rank"], said()[4]["by_rank"]) == (["replaced"], 1, 2)
    assert raffle.draw.statement == 2
    assert int(raffle.draw.closed_at.timestamp()) == SECONDS


def test_time_never_goes_back() -> None:
    RaffleFactory.create(state=State.VOID)
    earlier = RaffleFactory.create()
    void_raffle(earlier.uuid, reason="Rain", now=NOW - timedelta(hours=1), by=STAFF)
    assert [line["at"] for line in said()] == [SECONDS] * 3


def test_what_is_undone_leaves_no_gap() -> None:
    raffle = RaffleFactory.create()
    with transaction.atomic():
        void_raffle(raffle.uuid, reason="Rain", now=NOW, by=STAFF)
        transaction.set_rollback(True)
    assert said() == []
    void_raffle(raffle.uuid, reason="Snow", now=NOW, by=STAFF)
    assert [line["n"] for line in said()] == [0, 1]
    assert list(Announcement.objects.values_list("sequence", flat=True)) == [1, 2]


def test_a_raffle_is_sealed_once_for_ever() -> None:
    raffle = RaffleFactory.create(state=State.SEALED)
    other = "ab" * 32
    with pytest.raises(IntegrityError), transaction.atomic():
        announce(Announcement.Kind.SEALED, raffle, {}, at=NOW, by=STAFF, commitment_hash=other)
    assert kinds().count("sealed") == 1


@pytest.mark.django_db(transaction=True)
def test_nothing_is_stated_outside_of_a_transaction() -> None:
    with pytest.raises(TransactionManagementError):
        take_turn(NOW)


def test_its_origin_stays_what_the_first_statement_says(settings: Settings) -> None:
    settings.LOG_ORIGIN = "draws.example.org/log"
    RaffleFactory.create(state=State.VOID)
    settings.LOG_ORIGIN = "elsewhere.example.org/log"
    RaffleFactory.create(state=State.VOID)
    assert {line["origin"] for line in said()} == {"draws.example.org/log"}
    assert RaffleFactory.create().operator == "draws.example.org/log"


# --- Keys


@contextmanager
def signing_with(settings: Settings, *seeds: bytes) -> Iterator[list[str]]:
    """Serve with the keys of these seeds, which the log learns first; yields them in hex."""
    settings.RECEIPT_SEEDS, settings.EPHEMERAL_SECRETS = list(seeds), []
    announce_keys(NOW)
    yield signer().public_keys


def test_keys_are_announced_once_before_anything_else(settings: Settings) -> None:
    with signing_with(settings, SEEDS[0], SEEDS[1]) as public_keys:
        announce_keys(NOW)
        assert [(line["kind"], line["public_key"]) for line in said()] == [
            ("key", public_key) for public_key in public_keys
        ]


def test_a_key_that_the_log_lacks_is_announced_before_it_signs(settings: Settings) -> None:
    settings.RECEIPT_SEEDS = [SEEDS[0]]
    RaffleFactory.create(state=State.SEALED)
    settings.RECEIPT_SEEDS = [SEEDS[1], SEEDS[0]]
    raffle = RaffleFactory.create(state=State.SEALED)
    assert kinds() == ["key", "sold_out", "sealed", "key", "sold_out", "sealed"]
    assert raffle.draw.public_key == said()[3]["public_key"] == signer().public_key


def test_a_key_retires_when_it_left_the_list_and_no_seal_of_it_waits(settings: Settings) -> None:
    with signing_with(settings, SEEDS[0]) as (old,):
        waiting = RaffleFactory.create(state=State.SEALED, entropy="drand")
    with signing_with(settings, SEEDS[1]) as (new,):
        assert announced_keys() == {old, new}
    void_raffle(waiting.uuid, reason="Rain", now=NOW, by=STAFF)
    announce_keys(NOW + timedelta(seconds=5))
    assert announced_keys() == {new}
    assert kinds()[-1] == "key_retired"
    since = {"algorithm": "Ed25519", "since": SECONDS}
    assert published_keys()["keys"] == [
        since | {"public_key": old, "until": SECONDS + 5},
        since | {"public_key": new, "until": 0},
    ]


def test_a_retired_key_signs_nothing_ever_again(settings: Settings) -> None:
    """A verifier refuses what it signs, so the service does before it is signed."""
    with signing_with(settings, SEEDS[0]) as (old,):
        pass
    with signing_with(settings, SEEDS[1]):
        assert announced_keys() == {signer().public_key}
    length, published = log.size(), published_keys()
    with pytest.raises(KeyMissing) as at_start, signing_with(settings, SEEDS[0], SEEDS[1]):
        pass
    with pytest.raises(KeyMissing) as later:
        RaffleFactory.create(state=State.VOID)
    for missing in (at_start.value, later.value):
        assert old in missing.for_operators()
        assert "put a new one in front" in missing.for_operators()
    assert (log.size(), published_keys()) == (length, published)
    with signing_with(settings, SEEDS[2], SEEDS[0], SEEDS[1]) as (newest, _, new):
        assert announced_keys() == {newest, new}
    assert kinds() == ["key", "key", "key_retired", "key"]


def test_a_key_that_was_announced_again_has_its_first_span(settings: Settings) -> None:
    with signing_with(settings, SEEDS[0]) as (old,):
        pass
    with signing_with(settings, SEEDS[1]), transaction.atomic():
        log.write(take_turn(NOW + timedelta(days=1)), KEY, {"public_key": old})
    assert log.keys()[0] == (old, SECONDS, SECONDS)
    assert old not in announced_keys()


def test_a_key_of_one_process_alone_retires_no_other(settings: Settings) -> None:
    with signing_with(settings, SEEDS[0]) as (old,):
        pass
    settings.RECEIPT_SEEDS, settings.EPHEMERAL_SECRETS = [SEEDS[1]], ["RECEIPT_KEY"]
    announce_keys(NOW)
    assert announced_keys() == {old, signer().public_key}


def test_a_checkpoint_has_a_line_by_each_announced_key_and_by_no_other(settings: Settings) -> None:
    with signing_with(settings, SEEDS[0], SEEDS[1]) as announced:
        pass
    settings.RECEIPT_SEEDS = SEEDS
    note = parse_note(log.checkpoint(LogTree(log.size())))
    assert (note.origin, note.size, len(note.lines)) == ("testserver/log", 2, 2)
    for public_key in announced:
        key = bytes.fromhex(public_key)
        (line,) = lines_of(note, note.origin, 0x01, key)
        assert signature_is_good(key, note.text.encode(), line.signature)


# --- The tree


def fill(count: int) -> list[bytes]:
    """Make the log this long, rows at once and nodes as they are kept; returns the leaf hashes."""
    lines = [b"statement %d" % n for n in range(count)]
    Announcement.objects.bulk_create(
        [
            Announcement(
                sequence=n + 1,
                kind=KEY,
                statement=line,
                payload={},
                announced_at=NOW,
                announced_by=STAFF,
            )
            for n, line in enumerate(lines)
        ],
        batch_size=5_000,
    )
    hashes = [hash_leaf(line) for line in lines]
    for level in (8, 16):
        LogNode.objects.bulk_create(
            LogNode(
                level=level, index=index, hash=over(hashes[index << level : (index + 1) << level])
            )
            for index in range(count >> level)
        )
    return hashes


def over(hashes: list[bytes]) -> bytes:
    """Return the root over these leaves, from the leaves alone."""
    builder = TreeBuilder()
    for leaf_hash in hashes:
        builder.add(leaf_hash)
    return builder.finish().root


def check_tree(hashes: list[bytes], size: int, olds: list[int]) -> None:
    """Compare roots and paths of the kept tree over the first `size` with the leaves alone."""
    tree, root = LogTree(size), over(hashes[:size])
    assert tree.root() == root
    for n in {0, 1, size // 2, max(size - 2, 0), size - 1}:
        if n < size:
            assert root_from_path(n, size, hashes[n], tree.inclusion(n)) == root
    for old in olds:
        if old <= size:
            check_consistency(old, size, over(hashes[:old]), root, tree.consistency(old))


def test_no_statement_makes_the_empty_tree() -> None:
    assert LogTree(0).root() == over([])


def test_every_small_tree_and_those_at_the_ends_of_blocks() -> None:
    hashes = fill(770)
    for size in (*range(1, 20), *range(254, 259), *range(510, 515), *range(767, 771)):
        check_tree(hashes, size, [1, 2, 3, 7, 8, 255, 256, 257, 511, 512, 513, size])


@pytest.mark.slow
def test_trees_at_the_ends_of_a_kept_level() -> None:
    hashes = fill(65_537 + 256)
    for size in (65_535, 65_536, 65_537, 65_537 + 256):
        check_tree(hashes, size, [1, 255, 256, 257, 32_768, 65_280, 65_535, 65_536, 65_537])


def test_nodes_are_kept_as_statements_complete_them() -> None:
    with transaction.atomic():
        while log.size() < 513:
            log.write(take_turn(NOW), Announcement.Kind.VOIDED, NOBODY, payload={})
    leaves = [hash_leaf(line) for line in log.statements(0, 513)]
    kept = {
        (node.level, node.index): bytes(node.hash) for node in LogNode.objects.order_by("index")
    }
    assert kept == {(8, 0): over(leaves[:256]), (8, 1): over(leaves[256:512])}
    check_tree(leaves, 513, [1, 256, 512])
    assert LogTree(513).tile(0, 2) == leaves[512]
    assert LogTree(513).tile(1, 0) == b"".join(kept.values())
