"""Our log and our witness as somebody else's implementation of C2SP sees them: aics-tlog."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.utils import timezone
from pytest_django import Settings

from raffles.domain.keys import signer
from raffles.domain.log import LogTree, size
from raffles.domain.witnesses.being_one.cosigning import cosign
from raffles.fairness.receipts import Cosigner, Signer
from raffles.fairness.verify import (
    COSIGNATURE,
    ED25519,
    check_consistency,
    lines_of,
    parse_note,
    signature_is_good,
    time_of_cosignature,
)
from raffles.models import State
from raffles.tests.api.acting import caller
from raffles.tests.api.test_log import body, stated
from raffles.tests.factories import RaffleFactory
from raffles.tests.foreign_log import ForeignLog, Served

pytestmark = pytest.mark.django_db

ROOT = bytes(range(32))
LOG_SEED, WITNESS_SEED = b"l" * 32, b"w" * 32
# What aics-tlog 0.2.1 writes with these keys, for machines that it does not run on.
THEIRS = (
    "club.example/log\n1234\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n\n"
    "— club.example/log xR15WXD6kpmkfGSSBjClBbwMQMiu4SdNy86SoMdhP44dL0j6XJT/NVRuqSSQEbyP3Ssp"
    "2B+wMrMGdQy3WbPUOUI9qwE=\n"
    "— w.example/witness ySFGpwAAAABrSdIAO38GVIAXCB7w65xqLft45iaS/Sb7QbF4Rmc+hE9a6wC/WP2o/fsS"
    "atrVKg71TRdfMplRK2EIT8tFyjZG4cKaDQ==\n"
)


@pytest.fixture(scope="module")
def aics() -> Any:
    """The package, where it runs."""
    return pytest.importorskip(
        "aics_tlog", reason="needs requirements-dev.txt, and Python 3.12 for aics-tlog"
    )


class OurTiles:
    """Tiles and entries over our API, for the other implementation."""

    def __init__(self, aics: Any) -> None:
        self._paths = aics.tiles

    def read_tile(self, level: int, index: int, width: int | None) -> bytes | None:
        return self._read(self._paths.tile_path(level, index, width))

    def read_entry_bundle(self, index: int, width: int | None) -> bytes | None:
        return self._read(self._paths.entry_bundle_path(index, width))

    def _read(self, path: str) -> bytes | None:
        response = caller().get(f"/log/{path}")
        return body(response) if response.status_code == 200 else None


def test_what_they_wrote_is_what_we_write() -> None:
    """The same keys, the same tree, the same second: the same bytes."""
    operator = Signer([LOG_SEED])
    ours = operator.checkpoint("club.example/log", 1_234, ROOT, operator.public_keys)
    text = parse_note(ours).text
    assert ours + Cosigner("w.example/witness", WITNESS_SEED).cosign(text, 1_800_000_000) == THEIRS


def test_they_write_what_they_wrote(aics: Any) -> None:
    log_key, witness_key = map(Ed25519PrivateKey.from_private_bytes, (LOG_SEED, WITNESS_SEED))
    checkpoint = aics.Checkpoint("club.example/log", 1_234, ROOT)
    note = aics.sign_checkpoint(checkpoint, log_key, "club.example/log")
    _, line = aics.sign_cosignature(
        witness_key, "w.example/witness", 1_800_000_000, "club.example/log", 1_234, ROOT
    )
    both = aics.Note(text=note.text, signatures=(*note.signatures, line))
    assert both.serialise() == THEIRS


def test_we_read_what_they_wrote() -> None:
    note = parse_note(THEIRS)
    assert (note.origin, note.size, note.root) == ("club.example/log", 1_234, ROOT)
    log_key, witness_key = (
        bytes.fromhex(Signer([seed]).public_key) for seed in (LOG_SEED, WITNESS_SEED)
    )
    (line,) = lines_of(note, note.origin, ED25519, log_key)
    assert signature_is_good(log_key, note.text.encode(), line.signature)
    (line,) = lines_of(note, "w.example/witness", COSIGNATURE, witness_key)
    assert time_of_cosignature(note.text, line.signature, witness_key) == 1_800_000_000


def test_they_audit_our_log(aics: Any) -> None:
    RaffleFactory.create(state=State.DRAWN)
    stated(600)
    text = caller().get("/log/checkpoint").content.decode()
    checkpoint = aics.parse_checkpoint(aics.parse_note(text).text)
    report = aics.audit_tiles(OurTiles(aics), checkpoint.size, checkpoint.root)
    assert (report.size, report.bundles) == (size(), 3)
    for old in (1, 2, 255, 256, 257, 511, 599, 600):
        proof = LogTree(600).consistency(old)
        roots = LogTree(old).root(), checkpoint.root
        assert aics.verify_consistency(old, 600, *roots, proof)
        assert proof == aics.consistency_proof_from_tiles(OurTiles(aics), old, 600)


def test_they_count_our_witness(aics: Any, settings: Settings) -> None:
    settings.WITNESS_SEED = WITNESS_SEED
    with Served(ForeignLog().seal(1, 2)) as served:
        settings.WITNESS_LOGS = served.log.watched(served.url)
        line = cosign(served.log.request(), clock=timezone.now)
    log_key = bytes.fromhex(served.log.signer.public_key)
    witness_key = bytes.fromhex(Cosigner("testserver/witness", WITNESS_SEED).public_key)
    verdict = aics.verify_checkpoint(
        aics.parse_note(served.log.checkpoint() + line),
        aics.vkey_from_ed25519(served.log.origin, log_key),
        [aics.cosignature_vkey("testserver/witness", witness_key)],
        quorum=1,
        expected_origin=served.log.origin,
        max_age_seconds=60,
    )
    assert verdict.ok, verdict


def test_we_take_their_consistency_proofs(aics: Any) -> None:
    tree = aics.MerkleTree([b"entry %d" % n for n in range(40)])
    for new in range(1, 41):
        for old in range(1, new + 1):
            proof = tree.consistency_proof(old, new)
            check_consistency(old, new, tree.root(old), tree.root(new), proof)


def test_they_know_our_key(aics: Any) -> None:
    RaffleFactory.create(state=State.SEALED)
    text = caller().get("/log/checkpoint").content.decode()
    key = aics.vkey_from_ed25519("testserver/log", bytes.fromhex(signer().public_key))
    assert aics.verify_checkpoint(aics.parse_note(text), key).ok
