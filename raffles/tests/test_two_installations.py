"""Two installations vouch for each other: two databases, two folders, real HTTP between them.

One is restored from a backup and goes on: the other signs nothing of it, however often it tries.
`WITNESS_ROUNDS=100 pytest raffles/tests/test_two_installations.py` tries a hundred times; with a
DATABASE_URL of PostgreSQL in front of it, in two databases of that server.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from raffles.fairness.receipts import Cosigner, Signer
from raffles.fairness.verify import COSIGNATURE, lines_of, parse_note, time_of_cosignature
from raffles.tests.foreign_log import ForeignLog
from raffles.tests.serving import SITE, free_port, running

pytestmark = pytest.mark.slow

ROUNDS = int(os.environ.get("WITNESS_ROUNDS", "2"))
IS_ON_POSTGRESQL = "WITNESS_ROUNDS" in os.environ and connection.vendor == "postgresql"

_numbers = count()
_CONNECTIONS = 8  # more than a server's process has


class SqliteStore:
    """A database in a folder, and copies of it as backups of SQLite's are made."""

    def __init__(self, name: str, folder: Path) -> None:
        self._file, self._folder = folder / f"{name}.sqlite3", folder
        self.url = f"sqlite:///{self._file}"

    def copy_of(self, other: Any) -> None:
        """Begin with what another holds."""
        _copy(other._file, self._file)

    def backup(self, name: str) -> None:
        _copy(self._file, self._folder / name)

    def restore(self, name: str) -> None:
        """Put a copy in the place of the database, with the server running."""
        _copy(self._folder / name, self._file)

    def drop(self) -> None:
        """Leave it to whoever made the folder."""


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)


class PostgresqlStore:
    """A database beside the one of the settings, and copies of it; all are gone in the end."""

    def __init__(self, name: str, _folder: Path) -> None:
        self._facts = connection.settings_dict
        self._name = f"two_installations_{os.getpid()}_{next(_numbers)}_{name}"
        self._copies: list[str] = []
        host, port = self._facts["HOST"], self._facts["PORT"] or 5432
        who = f"{self._facts['USER']}:{self._facts['PASSWORD']}".removesuffix(":")
        self.url = f"postgres://{who}@{host}:{port}/{self._name}"
        self._do("CREATE DATABASE {}", self._name)

    def copy_of(self, other: Any) -> None:
        """Begin with what another holds."""
        self._do("DROP DATABASE {}", self._name)
        self._do("CREATE DATABASE {} TEMPLATE {}", self._name, other._name)

    def backup(self, name: str) -> None:
        self._copies.append(name)
        self._cut_off()
        self._do("CREATE DATABASE {} TEMPLATE {}", f"{self._name}_{name}", self._name)

    def restore(self, name: str) -> None:
        """Put a copy in the place of the database; the server, which goes on, connects anew."""
        self._do("DROP DATABASE {} WITH (FORCE)", self._name)
        self._do("CREATE DATABASE {} TEMPLATE {}", self._name, f"{self._name}_{name}")

    def drop(self) -> None:
        for name in (self._name, *(f"{self._name}_{name}" for name in self._copies)):
            self._do("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def _cut_off(self) -> None:
        """End the server's connections: what is copied has none."""
        self._do("ALTER DATABASE {} ALLOW_CONNECTIONS off", self._name)
        with closing(self._administrator()) as administrator, administrator.cursor() as cursor:
            ended = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            cursor.execute(f"{ended} WHERE datname = %s", [self._name])
        self._do("ALTER DATABASE {} ALLOW_CONNECTIONS on", self._name)

    def _do(self, command: str, *names: str) -> None:
        with closing(self._administrator()) as administrator, administrator.cursor() as cursor:
            cursor.execute(command.format(*map(connection.ops.quote_name, names)))

    def _administrator(self) -> Any:
        facts = {name: self._facts[name.upper()] or None for name in ("user", "password", "host")}
        administrator = import_module("psycopg2").connect(
            dbname="postgres", port=self._facts["PORT"] or None, **facts
        )
        administrator.autocommit = True
        return administrator


class Installation:
    """A site of its own: keys, database, folder, and a process that serves them."""

    def __init__(self, name: str, number: int, folder: Path) -> None:
        self.name, self.folder, self.port = name, folder, free_port()
        folder.mkdir()
        self.store = (PostgresqlStore if IS_ON_POSTGRESQL else SqliteStore)(name, folder)
        seal, witness = (bytes([number, kind]) * 16 for kind in (1, 2))
        self.signer = Signer([seal])
        self.cosigner = Cosigner("127.0.0.1/witness", witness)
        self.origin, self.url = f"{name}.example/log", f"http://127.0.0.1:{self.port}"
        self.environment = {
            "ENV_FILE": "",
            "SECRET_KEY": name * 50,
            "TICKET_KEY": seal.hex(),
            "RECEIPT_KEY": seal.hex(),
            "WITNESS_KEY": witness.hex(),
            "DATABASE_URL": self.store.url,
            "STATE_DIR": str(folder / "state"),
            "LOG_ORIGIN": self.origin,
            "PUBLIC_URL": self.url,
            "MANAGER_IPS": "127.0.0.1",
            "DRAND_RELAYS": "http://127.0.0.1:9",
            "THROTTLE_VERIFY": "",
        }

    def knows(self, other: Installation) -> None:
        """Be a witness of the other's log."""
        line = f"{other.origin} {other.signer.public_key} {other.url}/log"
        self.environment["WITNESS_LOGS"] = line

    def manage(self, *command: str) -> str:
        run = [sys.executable, "manage.py", *command]
        variables = os.environ | self.environment
        done = subprocess.run(
            run, cwd=SITE, env=variables, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ask(
        self, method: str, path: str, body: bytes = b"", *, by: int = 1, content_type: str = ""
    ) -> tuple[int, bytes]:
        """One request, from 127.0.0.`by`; 1 is a manager.

        A server whose database was put back beneath it answers 503, once for each connection that
        it had, and is asked again.
        """
        for _ in range(_CONNECTIONS):
            answer = self._ask(method, path, body, by, content_type)
            if answer[0] != 503:
                break
        return answer

    def _ask(
        self, method: str, path: str, body: bytes, by: int, content_type: str
    ) -> tuple[int, bytes]:
        client = HTTPConnection("127.0.0.1", self.port, 60, source_address=(f"127.0.0.{by}", 0))
        with closing(client):
            client.request(method, path, body, {"Content-Type": content_type})
            answer = client.getresponse()
            return answer.status, answer.read()

    def seal_a_raffle(self) -> None:
        """Make a raffle, sell it out and have it sealed: two statements."""
        terms = {"name": "Fair", "total_tickets": 1, "prizes": [{"name": "Cake", "amount": 1}]}
        body = json.dumps(terms | {"entropy": "drand"}).encode()
        status, made = self.ask("POST", "/raffles/", body, content_type="application/json")
        assert status == 201, made
        raffle = f"/raffles/{json.loads(made)['id']}"
        assert self.ask("POST", f"{raffle}/participate/", by=7)[0] == 201
        assert self.ask("POST", f"{raffle}/winners/")[0] == 202

    def log(self) -> ForeignLog:
        """The log as it is served now, for somebody who makes proofs of it."""
        served = ForeignLog(self.origin)
        served.signer = self.signer
        served.entries = self.ask("GET", "/log/statements")[1].splitlines()
        checkpoint = self.ask("GET", "/log/checkpoint")[1].decode()
        assert checkpoint == served.checkpoint()
        return served

    def backup(self, name: str) -> str:
        self.store.backup(name)
        return name

    def restore(self, name: str) -> None:
        self.store.restore(name)


def submit(log: ForeignLog, witness: Installation, old: int) -> tuple[int, bytes]:
    return witness.ask(
        "POST", "/witness/add-checkpoint", log.request(old), content_type="text/plain"
    )


def is_cosigned(log: ForeignLog, witness: Installation, old: int) -> bool:
    """Send a checkpoint, and begin again where the witness says; whether it signed."""
    status, answer = submit(log, witness, old)
    if status == 409 and int(answer) <= len(log.entries):
        status, answer = submit(log, witness, int(answer))
    if status != 200:
        return False
    note = parse_note(log.checkpoint() + answer.decode())
    key = bytes.fromhex(witness.cosigner.public_key)
    (line,) = lines_of(note, witness.cosigner.name, COSIGNATURE, key)
    return time_of_cosignature(note.text, line.signature, key) is not None


def two(folder: Path) -> tuple[Installation, Installation]:
    """Return two clubs that are each other's witness."""
    one, other = Installation("a", 1, folder / "a"), Installation("b", 2, folder / "b")
    one.knows(other)
    other.knows(one)
    return one, other


@pytest.fixture(scope="module")
def new_clubs(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Installation, Installation]]:
    """The two on their first day: to migrate takes longer than all that is tested."""
    clubs = two(tmp_path_factory.mktemp("new"))
    with ExitStack() as stack:
        for club in clubs:
            stack.callback(club.store.drop)
            club.manage("migrate", "--verbosity=0")
        yield clubs


@pytest.fixture
def clubs(
    new_clubs: tuple[Installation, Installation], tmp_path: Path
) -> Iterator[tuple[Installation, Installation]]:
    """The two, being served."""
    clubs = two(tmp_path)
    with ExitStack() as stack:
        for club, new in zip(clubs, new_clubs, strict=True):
            stack.callback(club.store.drop)
            club.store.copy_of(new.store)
            serve = [sys.executable, "-m", "gunicorn", "--workers", "1"]
            serve += ["--bind", f"127.0.0.1:{club.port}"]
            stack.enter_context(running(serve, club.port, **club.environment))
        yield clubs


def test_two_clubs_vouch_for_each_other(clubs: tuple[Installation, Installation]) -> None:
    one, two = clubs
    for club, witness in (clubs, reversed(clubs)):
        club.seal_a_raffle()
        log = club.log()
        assert [kind(entry) for entry in log.entries] == ["key", "sold_out", "sealed"]
        assert is_cosigned(log, witness, 0)
        club.seal_a_raffle()
        assert is_cosigned(club.log(), witness, 3)
        assert "5 statements" in club.manage("verify_log")

    # One goes on from a backup: its raffles are sealed once more, or others in their place.
    backup, latest = one.backup("backup"), one.log()
    one.seal_a_raffle()
    one.seal_a_raffle()
    assert is_cosigned(one.log(), two, 5)
    lost = one.backup("lost")
    refused = 0
    for _ in range(ROUNDS):
        one.restore(backup)
        assert one.log().entries == latest.entries
        answers = [submit(one.log(), two, 5)[0]]  # a size that was signed before
        for _ in range(3):
            one.seal_a_raffle()
            log = one.log()
            answers += [submit(log, two, old)[0] for old in (5, min(9, len(log.entries)))]
        refused += set(answers) <= {409, 422} and not is_cosigned(one.log(), two, 5)
    assert refused == ROUNDS

    # What had been witnessed is found again, and the log is signed as before.
    one.restore(lost)
    one.seal_a_raffle()
    assert is_cosigned(one.log(), two, 9)


def test_a_restored_witness_signs_nothing_behind_itself(
    clubs: tuple[Installation, Installation],
) -> None:
    one, two = clubs
    one.seal_a_raffle()
    assert is_cosigned(one.log(), two, 0)
    before, log_before = two.backup("before"), one.backup("before")
    one.seal_a_raffle()
    honest = one.log()
    assert is_cosigned(honest, two, 3)
    two.restore(before)
    one.restore(log_before)
    one.seal_a_raffle()
    fork = one.log()
    assert submit(fork, two, 3) == (409, b"5\n")
    assert not is_cosigned(fork, two, 3)


def test_a_long_log_is_caught_up_with(clubs: tuple[Installation, Installation]) -> None:
    one, two = clubs
    said = two.manage("witness_catch_up").splitlines()
    assert said == [
        "Who is to be our witness adds to WITNESS_LOGS:",
        f"  {one.environment['WITNESS_LOGS']}",
        "Whose witness we are to be adds to COSIGNERS:",
        f"  127.0.0.1/witness {two.cosigner.public_key} {two.url}/witness",
        "a.example/log: 1 entries have been read.",
    ]


def kind(entry: bytes) -> Any:
    return json.loads(entry)["kind"]
