"""Being a witness of somebody else's log, over the API: what is signed, and what never is."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from raffles.domain.keys import signer
from raffles.domain.witnesses.being_one import cosigning
from raffles.domain.witnesses.being_one.memory import Known, alone, remember
from raffles.fairness.receipts import Cosigner, Signer
from raffles.fairness.verify import COSIGNATURE, lines_of, parse_note, time_of_cosignature
from raffles.models import State, WitnessedLog, WitnessedSeal
from raffles.tests.api.acting import STRANGER, caller
from raffles.tests.factories import RaffleFactory
from raffles.tests.foreign_log import ORIGIN, Answering, ForeignLog, Served, tiles

pytestmark = pytest.mark.django_db

WITNESS = Cosigner("testserver/witness", b"the key of a witness, 32 bytes..")
ZERO = b64encode(bytes(32)).decode() + "\n"


@pytest.fixture
def log(settings: Settings) -> Iterator[Served]:
    """A log of a key and two seals, which we are a witness of."""
    settings.WITNESS_SEED = b"the key of a witness, 32 bytes.."
    with Served(ForeignLog().seal(1, 2)) as served:
        settings.WITNESS_LOGS = served.log.watched(served.url)
        yield served


def send(body: bytes, **headers: str) -> Any:
    client = Client(REMOTE_ADDR=STRANGER)
    return client.post("/witness/add-checkpoint", body, "text/plain", headers=headers)


def status(body: bytes) -> tuple[int, str]:
    """The status of the answer, with the word for it, or the body that has none."""
    response = send(body)
    if response["Content-Type"] == "application/problem+json":
        return response.status_code, response.json()["code"]
    return response.status_code, response.content.decode()


def signed_at(response: Any, checkpoint: str) -> int:
    """When the answer says that the witness saw the checkpoint; it has to be its signature."""
    assert (response.status_code, response["Content-Type"]) == (200, "text/plain; charset=utf-8")
    note = parse_note(checkpoint + response.content.decode())
    public_key = bytes.fromhex(WITNESS.public_key)
    (line,) = lines_of(note, WITNESS.name, COSIGNATURE, public_key)
    at = time_of_cosignature(note.text, line.signature, public_key)
    assert at is not None
    return at


def signed_size() -> int:
    return WitnessedLog.objects.get().size


def test_a_log_is_witnessed_as_it_grows(log: Served) -> None:
    before = int(time.time())
    first = signed_at(send(log.log.request()), log.log.checkpoint())
    log.log.seal(3, 4, 5)
    signed_at(send(log.log.request(old=3)), log.log.checkpoint())
    again = signed_at(send(log.log.request(old=6)), log.log.checkpoint())
    assert before <= first <= again <= int(time.time())
    assert signed_size() == 6
    assert log.asked == ["/log/tile/entries/000.p/3", "/log/tile/entries/000.p/6"]
    assert [seal.n for seal in WitnessedSeal.objects.order_by("n")] == [1, 2, 3, 4, 5]


def test_what_was_signed_is_in_a_file_too(log: Served, settings: Settings) -> None:
    send(log.log.request())
    file = Path(settings.STATE_DIR, "witness", sha256(ORIGIN.encode()).hexdigest())
    assert file.read_text() == parse_note(log.log.checkpoint()).text


def test_an_old_size_that_is_not_ours_is_answered_with_it(log: Served) -> None:
    assert status(log.log.request(old=2)) == (409, "0\n")
    send(log.log.request(size=2))
    response = send(log.log.request())
    assert (response.status_code, response["Content-Type"]) == (409, "text/x.tlog.size")
    assert response.content == b"2\n"
    assert send(log.log.request(old=2)).status_code == 200
    assert status(log.log.request(old=1, size=2)) == (409, "3\n")
    assert signed_size() == 3


def test_a_fork_is_never_signed(log: Served) -> None:
    fork = log.log.fork()
    log.log.seal(3)
    fork.seal(4)
    send(log.log.request())
    assert status(fork.request(old=4)) == (409, "4\n")
    fork.seal(5, 6)
    log.log = fork
    assert status(fork.request(old=4)) == (422, "not_consistent")
    assert status(fork.request(old=3)) == (409, "4\n")
    assert status(fork.request(old=0)) == (409, "4\n")
    assert signed_size() == 4


def test_unknown_logs_and_keys(log: Served) -> None:
    assert status(ForeignLog("other.example/log").request()) == (404, "unknown_log")
    assert status(ForeignLog(seed=b"o" * 32).request()) == (403, "unknown_key")
    body = log.log.request().decode()
    text, _, line = body.rpartition("— ")
    name, _, code = line.partition(" ")
    other = f"{text}— {name} {code[:20]}{'A' if code[20] != 'A' else 'B'}{code[21:]}"
    assert status(other.encode()) == (403, "unknown_key")
    assert status(f"{other}— {line}".encode()) == (403, "unknown_key")  # every line must verify
    assert not WitnessedLog.objects.exists()
    strangers = ForeignLog(seed=b"o" * 32).checkpoint().rpartition("\n\n")[2]
    assert status(f"{body}{strangers}".encode())[0] == 200


def test_a_log_with_two_keys_is_known_by_either(log: Served, settings: Settings) -> None:
    both = Signer([b"new" + bytes(29), b"old" + bytes(29)])
    watched = settings.WITNESS_LOGS[ORIGIN]._replace(keys=(both.public_keys[1],))
    settings.WITNESS_LOGS = {ORIGIN: watched}
    log.log.signer = both
    assert send(log.log.request()).status_code == 200


@pytest.mark.parametrize(
    "head",
    [f"old 0\n{ZERO}\n", f"old 2\n{ZERO}\n", f"old 2\n{ZERO * 63}\n", "old 2\n\n"],
)
def test_a_proof_that_leads_nowhere(log: Served, head: str) -> None:
    if head.startswith("old 2"):
        send(log.log.request(size=2))
    size = WitnessedLog.objects.values_list("size", flat=True).first()
    assert status(f"{head}{log.log.checkpoint()}".encode()) == (422, "not_consistent")
    assert WitnessedLog.objects.values_list("size", flat=True).first() == (size or 0)


MALFORMED: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda _: b"",
    "json": lambda _: b'{"old": 0}',
    "not UTF-8": lambda good: good + b"\xff",
    "a NUL": lambda good: good + b"\0",
    "a byte order mark": lambda good: b"\xef\xbb\xbf" + good,
    "no old": lambda good: good.removeprefix(b"old 0\n"),
    "old without a size": lambda good: good.replace(b"old 0", b"old", 1),
    "another word": lambda good: good.replace(b"old 0", b"new 0", 1),
    "a leading zero": lambda good: good.replace(b"old 0", b"old 00", 1),
    "a negative size": lambda good: good.replace(b"old 0", b"old -1", 1),
    "digits of another script": lambda good: good.replace(b"old 0", "old ٠".encode(), 1),
    "a size beyond all": lambda good: good.replace(b"old 0", b"old " + b"9" * 17, 1),
    "a size beyond the checkpoint": lambda good: good.replace(b"old 0", b"old 4", 1),
    "two spaces": lambda good: good.replace(b"old 0", b"old  0", 1),
    "CR LF": lambda good: good.replace(b"\n", b"\r\n"),
    "no empty line": lambda good: good.replace(b"\n\n", b"\n", 1),
    "64 lines of proof": lambda good: good.replace(b"\n\n", f"\n{ZERO * 64}\n".encode(), 1),
    "a short hash": lambda good: good.replace(b"\n\n", b"\nAAAA\n\n", 1),
    "a loose bit": lambda good: good.replace(b"\n\n", f"\n{ZERO[:42]}B=\n\n".encode(), 1),
    "no checkpoint": lambda _: b"old 0\n\n",
    "no signature": lambda good: good[: good.rindex("—".encode())],
    "a cut-off line": lambda good: good[:-1],
    "something after it": lambda good: good + b"\n",
    "a fourth line": lambda good: good.replace(b"=\n\n", b"=\nmore\n\n", 1),
    "a checkpoint of 10^16": lambda good: good.replace(b"\n3\n", b"\n9999999999999999\n", 1),
    "65 signatures": lambda good: good + good[good.rindex("—".encode()) :] * 64,
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_bodies(log: Served, name: str) -> None:
    assert status(MALFORMED[name](log.log.request())) == (400, "not_a_checkpoint")
    assert (log.asked, WitnessedLog.objects.count()) == ([], 0)


def test_too_large_a_body_is_not_read(log: Served) -> None:
    assert status(log.log.request() + b"x" * 65_536) == (413, "too_large")


def test_other_methods_and_foreign_pages(log: Served) -> None:
    assert caller().get("/witness/add-checkpoint").status_code == 405
    foreign = send(log.log.request(), Origin="https://evil.example")
    assert (foreign.status_code, foreign.json()["code"]) == (403, "foreign_origin")
    assert not WitnessedLog.objects.exists()


def test_asking_is_limited_by_address(log: Served, settings: Settings) -> None:
    settings.THROTTLE_VERIFY = "2/day"
    body = log.log.request()
    assert [send(body).status_code, send(body).status_code, send(body).status_code][1:] == [
        409,
        429,
    ]


def test_without_a_key_of_its_own_it_is_no_witness(log: Served, settings: Settings) -> None:
    settings.WITNESS_SEED = None
    assert status(log.log.request()) == (404, "not_a_witness")
    settings.RECEIPT_SEEDS = [b"the key of our own seals........"]
    settings.WITNESS_SEED = settings.RECEIPT_SEEDS[0]
    RaffleFactory.create(state=State.SEALED)
    assert signer().public_key
    assert status(log.log.request()) == (404, "not_a_witness")


# --- Reading the log ---


def test_a_second_seal_of_a_raffle_is_refused_from_then_on(log: Served) -> None:
    send(log.log.request())
    log.log.seal(3, 2)
    response = send(log.log.request(old=3))
    flaw = f"statement 4 seals raffle {2:032x}, as statement 2 did"
    sentence = f"This witness signs nothing more of this log: {flaw}"
    assert (response.status_code, response.json()["detail"]) == (403, sentence)
    honest = log.log.fork()
    honest.entries = honest.entries[:4]
    for other in (log.log, honest, honest.seal(5)):
        log.log = other
        for body in (other.request(old=3), other.request(), other.request(old=3, size=3)):
            assert status(body) == (403, "log_refused")
    assert signed_size() == 3


def test_a_second_seal_long_after_the_first(log: Served) -> None:
    log.log.seal(*range(10, 600), 2)
    assert status(log.log.request()) == (403, "log_refused")


@pytest.mark.parametrize(
    "change",
    [
        lambda entry: entry.replace(b'"at"', b' "at"'),
        lambda entry: entry.replace(b'"n":2', b'"n":3'),
        lambda entry: entry.replace(b"club", b"klub"),
        lambda _: b"not a statement",
        lambda _: b"",
    ],
)
def test_an_entry_that_is_no_statement_of_the_log_is_refused(log: Served, change: Any) -> None:
    log.log.entries[2] = change(log.log.entries[2])
    response = send(log.log.request())
    flaw = "This witness signs nothing more of this log: entry 2 is not statement 2 of this log"
    assert (response.status_code, response.json()["detail"]) == (403, flaw)


def cut_off(log: ForeignLog, path: str) -> tuple[int, bytes]:
    return 200, tiles(log, path)[1][:-1]


def of_another_log(_: ForeignLog, path: str) -> tuple[int, bytes]:
    return tiles(ForeignLog().seal(7, 8), path)


def with_a_second_seal(_: ForeignLog, path: str) -> tuple[int, bytes]:
    return tiles(ForeignLog().seal(1, 1), path)


def moved(log: ForeignLog, path: str) -> tuple[int, bytes]:
    return 302, tiles(log, path)[1]


def always(status: int, body: bytes = b"") -> Answering:
    return lambda _log, _path: (status, body)


@pytest.mark.parametrize(
    "answer",
    [
        cut_off,
        of_another_log,
        with_a_second_seal,
        moved,
        always(404),
        always(500),
        always(200),
        always(200, bytes(10_000)),
        always(200, b"\xff\xff"),
    ],
)
def test_entries_that_cannot_be_had_are_waited_for(log: Served, answer: Answering) -> None:
    log.answer = answer
    response = send(log.log.request())
    assert (response.status_code, response.json()["code"]) == (503, "unsigned")
    assert response["Retry-After"] == "5"
    assert signed_size() == 0
    log.answer = tiles
    assert send(log.log.request()).status_code == 200


def test_a_log_that_nobody_serves_is_waited_for(log: Served, settings: Settings) -> None:
    settings.WITNESS_LOGS = log.log.watched("http://127.0.0.1:9/log")
    assert status(log.log.request()) == (503, "unsigned")


def test_a_long_log_is_read_in_several_requests(
    log: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cosigning, "BUNDLES", 2)
    log.log.seal(*range(10, 800))
    response = send(log.log.request())
    sentence = "Nothing was signed: 512 of 793 entries have been read so far."
    assert (response.status_code, response.json()["detail"]) == (503, sentence)
    assert (response["Retry-After"], signed_size()) == ("5", 0)
    assert status(log.log.request(size=300)) == (503, "unsigned")  # older than what was read
    signed_at(send(log.log.request()), log.log.checkpoint())
    assert log.asked == [f"/log/tile/entries/{name}" for name in ("000", "001", "002", "003.p/25")]
    assert WitnessedSeal.objects.count() == 792


def test_what_was_read_of_another_log_is_forgotten(log: Served) -> None:
    """Entries count once a signed checkpoint has their root; until then they were only said."""
    log.log.seal(*range(10, 400))
    honest = log.log.fork()
    log.log.entries[1:3] = ForeignLog().seal(5, 5).entries[1:]
    assert status(honest.request()) == (503, "unsigned")
    assert WitnessedLog.objects.get().flaw == ""
    log.log = honest
    assert send(honest.request()).status_code == 200


# --- What is remembered ---


def test_a_restored_database_signs_nothing_behind_the_file(log: Served) -> None:
    """The database has forgotten what the file knows: that sizes up to 5 were signed."""
    send(log.log.request())
    was = log.log.seal(3, 4).fork()
    note = parse_note(was.checkpoint())
    remember(ORIGIN, Known(note.size, note.root, ""))
    assert status(log.log.request(old=3, size=4)) == (409, "5\n")
    assert status(log.log.seal(6).request(old=3)) == (409, "5\n")
    fork = was.fork()
    fork.entries.pop()
    log.log, honest = fork.seal(8, 9), log.log
    assert status(fork.request(old=5)) == (422, "not_consistent")
    log.log = honest
    assert send(honest.request(old=5)).status_code == 200
    assert [seal.n for seal in WitnessedSeal.objects.order_by("n")] == [1, 2, 3, 4, 5]


def test_a_lost_folder_signs_nothing_behind_the_database(log: Served, settings: Settings) -> None:
    send(log.log.request())
    settings.STATE_DIR = settings.STATE_DIR.with_name("another")
    assert status(log.log.request(old=2, size=2)) == (409, "3\n")
    assert send(log.log.seal(3).request(old=3)).status_code == 200


def test_an_older_file_signs_nothing_behind_the_database(log: Served) -> None:
    send(log.log.request())
    older = parse_note(log.log.checkpoint(size=2))
    remember(ORIGIN, Known(older.size, older.root, ""))
    assert status(log.log.request(old=2)) == (409, "3\n")


def test_a_refusal_is_remembered_by_the_file_alone(log: Served) -> None:
    """A database from before the second seal, and a log that goes on as if it had not been."""
    note = parse_note(log.log.checkpoint())
    with alone():
        remember(ORIGIN, Known(note.size, note.root, "statement 4 seals it again"))
    response = send(log.log.seal(3).request(old=3))
    sentence = "This witness signs nothing more of this log: statement 4 seals it again"
    assert (response.status_code, response.json()["detail"]) == (403, sentence)


@pytest.mark.parametrize(
    "text", ["", "\0", "a\nb\nc", f"{ORIGIN}\n03\n{ZERO}", f"{ORIGIN}\n3\nAAAA\n"]
)
def test_a_file_that_cannot_be_read_signs_nothing(
    log: Served, settings: Settings, text: str
) -> None:
    send(log.log.request())
    (file,) = Path(settings.STATE_DIR, "witness").glob("?" * 64)
    file.write_text(text)
    assert status(log.log.request(old=3)) == (503, "unsigned")


def test_a_memory_that_contradicts_itself_signs_nothing(log: Served) -> None:
    send(log.log.request())
    other = parse_note(ForeignLog().seal(7, 8).checkpoint())
    remember(ORIGIN, Known(other.size, other.root, ""))
    assert status(log.log.seal(3).request(old=3)) == (503, "unsigned")


def test_a_folder_that_cannot_be_written_signs_nothing(log: Served, settings: Settings) -> None:
    Path(settings.STATE_DIR).write_text("")
    assert status(log.log.request()) == (503, "unsigned")
    assert signed_size() == 0
