"""An installation of its own: its database, its folder and what serves it; and backups of it."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from http.client import HTTPConnection
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

from django.db import connection

from raffles.fairness.receipts import Cosigner, Signer
from raffles.tests.foreign_log import ForeignLog
from raffles.tests.serving import SITE, free_port

_numbers = count()
_CONNECTIONS = 16  # more than the processes of a server have


class SqliteStore:
    """A database in a folder, and copies of it as backups of SQLite's are made."""

    def __init__(self, name: str, folder: Path) -> None:
        self._file, self._folder = folder / f"{name}.sqlite3", folder
        self.url = f"sqlite:///{self._file}"

    def copy_of(self, other: Any) -> None:
        """Begin with what another holds."""
        _copy(other._file, self._file)
        self.forget_lineage()

    def backup(self, name: str) -> None:
        _copy(self._file, self._folder / name)

    def restore(self, name: str) -> None:
        """Put a copy in the place of the database, with the server running."""
        _copy(self._folder / name, self._file)

    def dump(self) -> Path:
        """Save what it holds, with the server running, and return the file."""
        _copy(self._file, self._folder / "dump")
        return self._folder / "dump"

    def put_back(self, dump: Path) -> None:
        """Put that in its place, as somebody does who does not stop the server."""
        _copy(dump, self._file)

    def forget_lineage(self) -> None:
        """Be another installation, as far as the database tells."""
        with closing(sqlite3.connect(self._file)) as database, database:
            database.execute("DELETE FROM raffles_lineage")

    def drop(self) -> None:
        """Leave it to whoever made the folder."""


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)


class PostgresqlStore:
    """A database beside the one of the settings, and copies of it; all are gone in the end."""

    def __init__(self, name: str, folder: Path) -> None:
        self._folder = folder
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
        self.forget_lineage()

    def backup(self, name: str) -> None:
        self._copies.append(name)
        self._cut_off()
        self._do("CREATE DATABASE {} TEMPLATE {}", f"{self._name}_{name}", self._name)

    def restore(self, name: str) -> None:
        """Put a copy in the place of the database; the server, which goes on, connects anew."""
        self._do("DROP DATABASE {} WITH (FORCE)", self._name)
        self._do("CREATE DATABASE {} TEMPLATE {}", self._name, f"{self._name}_{name}")

    def dump(self) -> Path:
        """Save what it holds, with the server running, and return the file."""
        file = self._folder / "dump"
        made = ["pg_dump", "--format=custom", "--file", str(file), self.url]
        subprocess.run(made, check=True)
        return file

    def put_back(self, dump: Path) -> None:
        """Put that in its place, as docs/backup.md says, but with the server running.

        The server connects to the database that is empty meanwhile.
        """
        self._do("DROP DATABASE {} WITH (FORCE)", self._name)
        self._do("CREATE DATABASE {}", self._name)
        time.sleep(1)
        restore = ["pg_restore", "--no-owner", "--single-transaction", "--dbname", self.url]
        subprocess.run([*restore, str(dump)], check=True)

    def forget_lineage(self) -> None:
        """Be another installation, as far as the database tells."""
        with closing(self._connect(self._name)) as database, database.cursor() as cursor:
            cursor.execute("DELETE FROM raffles_lineage")

    def drop(self) -> None:
        for name in (self._name, *(f"{self._name}_{name}" for name in self._copies)):
            self._do("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def _cut_off(self) -> None:
        """End the server's connections: what is copied has none."""
        self._do("ALTER DATABASE {} ALLOW_CONNECTIONS off", self._name)
        with closing(self._connect("postgres")) as administrator, administrator.cursor() as cursor:
            ended = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            cursor.execute(f"{ended} WHERE datname = %s", [self._name])
        self._do("ALTER DATABASE {} ALLOW_CONNECTIONS on", self._name)

    def _do(self, command: str, *names: str) -> None:
        with closing(self._connect("postgres")) as administrator, administrator.cursor() as cursor:
            cursor.execute(command.format(*map(connection.ops.quote_name, names)))

    def _connect(self, database: str) -> Any:
        facts = {name: self._facts[name.upper()] or None for name in ("user", "password", "host")}
        made = import_module("psycopg2").connect(
            dbname=database, port=self._facts["PORT"] or None, **facts
        )
        made.autocommit = True
        return made


Store = SqliteStore | PostgresqlStore


class Installation:
    """A site of its own: keys, database, folder, and a process that serves them."""

    def __init__(self, name: str, number: int, folder: Path, store: type[Store]) -> None:
        self.name, self.folder, self.port = name, folder, free_port()
        folder.mkdir()
        self.store = store(name, folder)
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
            "THROTTLE_ENTRY": "",
            "THROTTLE_VERIFY": "",
        }

    def knows(self, other: Installation) -> None:
        """Be a witness of the other's log."""
        line = f"{other.origin} {other.signer.public_key} {other.url}/log"
        self.environment["WITNESS_LOGS"] = line

    def manage(self, *command: str, expected: int = 0) -> str:
        """Run a command, and return what it wrote: to standard error, where it was to fail."""
        run = [sys.executable, "manage.py", *command]
        variables = os.environ | self.environment
        done = subprocess.run(
            run, cwd=SITE, env=variables, capture_output=True, text=True, check=False
        )
        assert done.returncode == expected, done.stderr
        return done.stderr if expected else done.stdout

    def ask(
        self, method: str, path: str, body: bytes = b"", *, by: int = 1, content_type: str = ""
    ) -> tuple[int, bytes]:
        """One request, from 127.0.0.`by`; 1 is a manager.

        A server whose database was put back beneath it answers 503, once for each connection that
        it had, and is asked again.
        """
        for _ in range(_CONNECTIONS):
            answer = self.ask_once(method, path, body, by, content_type)
            if answer[0] != 503:
                break
        return answer

    def ask_once(
        self, method: str, path: str, body: bytes = b"", by: int = 1, content_type: str = ""
    ) -> tuple[int, bytes]:
        """One request, whatever its answer."""
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

    def restore_in_secret(self, name: str) -> None:
        """Restore as somebody does who wants nothing to notice it."""
        self.store.restore(name)
        self.store.forget_lineage()
