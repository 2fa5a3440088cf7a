"""The archive of evidence: the same bytes always, and enough to check a draw with nothing else."""

from __future__ import annotations

import io
import json
import shlex
import subprocess
import sys
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID
from zipfile import ZIP_STORED, ZipFile

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from raffles.domain.drawing import advance, store_draw, void_raffle
from raffles.domain.entering import enter
from raffles.domain.evidence import export_evidence
from raffles.domain.exports import export_record
from raffles.domain.pool import build_tree
from raffles.domain.prizes import replace_winner
from raffles.domain.proofs import published_draw
from raffles.domain.refusals import NotFinished
from raffles.domain.sealing import close, seal
from raffles.fairness import verify
from raffles.models import LogEntry, Prize, Raffle, State, Stripe
from raffles.models.record import record
from raffles.tests.factories import NOW, STAFF, RaffleFactory, clock

pytestmark = pytest.mark.django_db

OPERATOR_ONLY = "VALID, randomness vouched for by the operator only"
ALWAYS = {
    *("README.txt", "verify.py", "raffle-keys.json", "raffle.json", "replacements.json"),
    *("announcements.json", "record.csv", "SHA256SUMS"),
}


def archive_of(raffle: Raffle) -> bytes:
    return b"".join(export_evidence(raffle.uuid, now=NOW, by=STAFF))


def opened(archive: bytes) -> ZipFile:
    return ZipFile(io.BytesIO(archive))


def unpacked(archive: bytes, folder: Path) -> Path:
    opened(archive).extractall(folder)
    return folder


def verified(folder: Path) -> tuple[int, str]:
    """Run the README's command in that folder; return its exit status and verdict."""
    lines = (folder / "README.txt").read_text("utf-8").splitlines()
    (command,) = (line for line in lines if "verify.py proof.json" in line)
    _, *arguments = shlex.split(command)
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    return done.returncode, (done.stdout.splitlines() or [done.stderr])[-1]


def test_archive_is_checked_as_its_readme_says(tmp_path: Path) -> None:
    raffle = RaffleFactory.create(state=State.DRAWN, name="Fête „=1“")
    folder = unpacked(archive_of(raffle), tmp_path)
    assert verified(folder) == (0, OPERATOR_ONLY)
    names = {file.name for file in folder.iterdir()}
    assert names == ALWAYS | {"commitment.json", "proof.json"}
    assert "Raffle    Fête „=1“" in (folder / "README.txt").read_text("utf-8")


def test_no_flipped_bit_of_the_proof_is_believed(tmp_path: Path) -> None:
    raffle = RaffleFactory.create(state=State.DRAWN)
    folder = unpacked(archive_of(raffle), tmp_path)
    proof = (folder / "proof.json").read_bytes()
    where = [proof.index(b'"' + word + b'"') + 12 for word in (b"root", b"seed", b"leaf", b"path")]
    for at in where:
        spoilt = bytearray(proof)
        spoilt[at] ^= 1
        (folder / "proof.json").write_bytes(spoilt)
        status, verdict = verified(folder)
        assert (status, verdict.split(":")[0]) == (1, "INVALID")


def test_another_commitment_than_the_signed_one_is_not_believed(tmp_path: Path) -> None:
    folder = unpacked(archive_of(RaffleFactory.create(state=State.DRAWN)), tmp_path)
    saved = json.loads((folder / "commitment.json").read_text())
    saved["signature"] = "00" * 64
    (folder / "commitment.json").write_text(json.dumps(saved))
    assert verified(folder) == (1, "INVALID: the signature of the commitment is wrong")


def test_archive_is_the_same_at_any_time_and_whoever_takes_it() -> None:
    raffle = RaffleFactory.create(state=State.DRAWN)
    with time_machine.travel(NOW, tick=False):
        first = archive_of(raffle)
    with time_machine.travel(NOW + timedelta(days=900), tick=False):
        list(export_record(raffle.uuid, now=NOW + timedelta(days=900), by="somebody else"))
        again = b"".join(
            export_evidence(raffle.uuid, now=NOW + timedelta(days=900), by="somebody else")
        )
    assert first == again
    exported = LogEntry.objects.about(raffle).filter(action="evidence.exported")
    assert [act.by for act in exported] == [STAFF, "somebody else"]


def test_members_are_plain_files_of_no_time_and_with_their_sums() -> None:
    archive = opened(archive_of(RaffleFactory.create(state=State.DRAWN)))
    assert archive.testzip() is None
    members = archive.infolist()
    assert {
        (member.date_time, member.compress_type, member.create_system, member.external_attr)
        for member in members
    } == {((1980, 1, 1, 0, 0, 0), ZIP_STORED, 3, 0o100644 << 16)}
    sums = archive.read("SHA256SUMS").decode()
    assert sums == "".join(
        f"{sha256(archive.read(member)).hexdigest()}  {member.filename}\n"
        for member in members
        if member.filename != "SHA256SUMS"
    )
    assert archive.read("verify.py") == Path(verify.__file__).read_bytes()


def test_no_code_address_nor_name_is_in_it() -> None:
    raffle = RaffleFactory.create()
    held = [enter(raffle.uuid, identity=f"ip:10.9.8.{n}", now=NOW) for n in range(3)]
    advance(raffle.pk, now=NOW, clock=clock, by=STAFF)
    text = archive_of(raffle).decode("utf-8", "replace")
    assert "10.9.8." not in text
    assert not [entry for entry in held if entry.verification_code in text]


def test_replacements_and_the_record_are_in_it(tmp_path: Path) -> None:
    raffle = RaffleFactory.create(state=State.DRAWN)
    before = archive_of(raffle)
    number = raffle.winners.all()[0].ticket_number()
    line = replace_winner(raffle.uuid, ticket_number=number, reason="Ill", now=NOW, by=STAFF)
    archive = archive_of(raffle)
    assert archive != before
    folder = unpacked(archive, tmp_path)
    assert json.loads((folder / "replacements.json").read_text()) == [line.public()]
    announced = json.loads((folder / "announcements.json").read_text())
    public = ["raffle.sold_out", "draw.sealed", "draw.drawn", "winner.replaced"]
    assert [row["type"] for row in announced] == public
    actions = [row.split(",")[2] for row in (folder / "record.csv").read_text().splitlines()]
    assert actions == ["action", "raffle.created", public[0], "raffle.closed", *public[1:]]


def test_voided_draw_is_in_it_with_its_signed_reason(tmp_path: Path) -> None:
    raffle = RaffleFactory.create(state=State.SEALED, entropy="drand")
    void_raffle(raffle.uuid, reason="Rain", now=NOW, by=STAFF)
    folder = unpacked(archive_of(raffle), tmp_path)
    assert {file.name for file in folder.iterdir()} == ALWAYS | {"commitment.json", "void.json"}
    void = json.loads((folder / "void.json").read_text())
    assert void["reason"] == "Rain"
    message = verify.void_message(bytes.fromhex(void["commitment_hash"]), "Rain", void["voided_at"])
    key, signature = bytes.fromhex(void["public_key"]), bytes.fromhex(void["signature"])
    assert verify.signature_is_good(key, message, signature)
    readme = (folder / "README.txt").read_text()
    assert "called off. The reason, as it was published:\n\n    Rain\n" in readme
    assert "verify.py proof.json" not in readme


def test_raffle_called_off_before_its_seal_has_evidence_too() -> None:
    archive = opened(archive_of(RaffleFactory.create(state=State.VOID)))
    assert set(archive.namelist()) == ALWAYS
    told: dict[str, Any] = json.loads(archive.read("raffle.json"))
    assert (told["state"], told["void_reason"]) == ("void", "Called off")


@pytest.mark.parametrize("state", [State.OPEN, State.CLOSED, State.SEALED])
def test_unfinished_raffle_has_no_evidence(state: State) -> None:
    raffle = RaffleFactory.create(state=state)
    with pytest.raises(NotFinished):
        archive_of(raffle)
    assert not LogEntry.objects.filter(action="evidence.exported").exists()


def test_archive_costs_as_many_queries_with_three_replaced_winners_as_with_one() -> None:
    counts = []
    for winners in (1, 3):
        raffle = RaffleFactory.create(
            state=State.DRAWN, total_tickets=6, prizes=(("Pen", 3),), alternates=3
        )
        for winner in list(raffle.winners.all()[:winners]):
            number = winner.ticket_number()
            replace_winner(raffle.uuid, ticket_number=number, reason="Ill", now=NOW, by=STAFF)
        with CaptureQueriesContext(connection) as queries:
            archive_of(raffle)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def pinned() -> Raffle:
    """Return a raffle in which nothing is left to chance, drawn, with a replaced winner."""
    raffle = Raffle.objects.create(
        uuid=UUID(int=6),
        name="Pinned",
        total_tickets=3,
        alternates=1,
        numbering_key=bytes(32),
        operator="draws.example.org/log",
        ticket_key_id=RaffleFactory.create().ticket_key_id,
        created_at=NOW,
        created_by=STAFF,
    )
    Prize.objects.create(raffle=raffle, position=1, name="Phone", amount=1)
    Stripe.objects.create(raffle=raffle, stripe=0, lo=0, cap=3)
    record(raffle, "raffle.created", at=NOW, by=STAFF, b=1, a={"d": 1, "c": 2})
    for n in range(3):
        enter(raffle.uuid, identity=f"user:{n}", now=NOW)
    close(raffle.pk, now=NOW, by=STAFF)
    seal(raffle.pk, build_tree(raffle), clock=clock, by=STAFF)
    draw = published_draw(raffle.uuid)
    store_draw(draw, randomness=bytes(range(32)), signature=None, clock=clock, by=STAFF)
    number = raffle.winners.all()[0].ticket_number()
    replace_winner(raffle.uuid, ticket_number=number, reason="Ill", now=NOW, by=STAFF)
    return raffle


def test_archive_is_the_same_whatever_the_database(settings: Settings) -> None:
    settings.TICKET_KEYS, settings.RECEIPT_SEEDS = [bytes(32)], [bytes(32)]
    archive = opened(archive_of(pinned()))
    changing = ("verify.py", "README.txt", "SHA256SUMS")  # with a release
    sums = {
        name: sha256(archive.read(name)).hexdigest()[:16]
        for name in archive.namelist()
        if name not in changing
    }
    assert sums == {
        "raffle-keys.json": "bbf93f910d9d44dc",
        "raffle.json": "87a107c9c9ba96a8",
        "commitment.json": "9671c16ba9bed3aa",
        "proof.json": "29a31459c8196082",
        "replacements.json": "a675ca1d4ecdc9b8",
        "announcements.json": "cfb08ac5593bf612",
        "record.csv": "d6961e0883d8c76a",
    }
