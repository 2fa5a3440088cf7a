"""A site's database is put back to an older state while it is served: does everything notice?

    python -m benchmarks.restores [NAME ...]
    python -m benchmarks.restores --crashes 500

Starts a PostgreSQL of its own, gunicorn, a worker that delivers and runs of `draw_winners`, and
plays each of: dump, base (a base backup started plainly), point (recovery to a point in time), file
and copy (SQLite: yesterday's file in place of the other, or written over it). No ticket may be
handed out and nothing drawn until `after_restore`. Then what must not stop anything: failover (to a
synchronous standby) and crashes (of the database, and kills of what serves). Prints
what happened and exits 1 when something was wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.servers import programs
from raffles.tests.serving import SITE, free_port, running

_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "wal_level": "replica",
    "archive_mode": "on",
    "max_connections": "60",
    "autovacuum": "off",
    "checkpoint_timeout": "1d",
}
_ACCOUNT = "postgres" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
_SEED = 1


class Wrong(Exception):
    """Something did not happen as it should."""


def expect(is_so: bool, words: object) -> None:
    """Raise Wrong with those words unless it is so."""
    if not is_so:
        raise Wrong(words)


# --- PostgreSQL --------------------------------------------------------------------------


class Cluster:
    """A PostgreSQL in a folder, and copies of it."""

    def __init__(self, folder: Path, name: str = "pg") -> None:
        self.home, self.archive, self.port = folder / name, folder / "archive", free_port()
        self.folder = folder

    def make(self) -> None:
        """Make a new one, and start it."""
        folder = self.archive
        folder.mkdir()
        if _ACCOUNT:
            shutil.chown(folder, _ACCOUNT)
            shutil.chown(self.folder, _ACCOUNT)
        run("initdb", "-D", self.home, "-U", "postgres", "-A", "trust", "--no-sync")
        self.write("postgresql.conf", **_OPTIONS)
        self.settle()

    def settle(self, **options: str) -> None:
        """Write what depends on the place, and start."""
        own = {"port": str(self.port), "unix_socket_directories": ""}  # its lock would be copied
        own["archive_command"] = f"cp %p {self.archive}/%f"
        self.write("postgresql.conf", **own, **options)
        self.start()

    def write(self, name: str, **options: str) -> None:
        """Append settings to a file."""
        with (self.home / name).open("a") as file:
            file.writelines(f"{key} = '{value}'\n" for key, value in options.items())

    def start(self) -> None:
        self.control("start", "-l", str(self.home / "log"))

    def control(self, *words: str) -> None:
        try:
            run("pg_ctl", "-D", self.home, "-w", "-t", "120", *words)
        except Wrong as error:
            log = self.home / "log"
            told = log.read_text().splitlines()[-5:] if log.exists() else []
            raise Wrong(" | ".join((f"{error}", *words, *told))) from None

    def stop(self, mode: str = "immediate") -> None:
        self.control("stop", "-m", mode)

    def base_backup(self, target: Path) -> None:
        run("pg_basebackup", "-D", target, *self.account(), "-c", "fast", "-X", "stream")

    def account(self) -> tuple[str, ...]:
        return ("-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres")

    def sql(self, command: str, database: str = "postgres") -> str:
        return run("psql", *self.account(), "-d", database, "-Atc", command).strip()


def run(program: str, *words: str | Path) -> str:
    """Run one of PostgreSQL's programs and return what it wrote. Raises Wrong."""
    done = subprocess.run(
        [programs() / program, *words],
        user=_ACCOUNT,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL if program == "pg_ctl" else subprocess.PIPE,
        stderr=subprocess.DEVNULL if program == "pg_ctl" else subprocess.STDOUT,
        text=True,
        check=False,
    )
    expect(done.returncode == 0, f"{program}: {done.stdout}")
    return done.stdout or ""


# --- The site ----------------------------------------------------------------------------


class Site:
    """The site's processes over a database, and somebody who takes part."""

    def __init__(self, folder: Path, url: str) -> None:
        self.port, self.state = free_port(), folder / "state"
        keys = {name: secrets.token_hex(32) for name in ("SECRET_KEY", "TICKET_KEY", "RECEIPT_KEY")}
        self.environment = {
            **keys,
            "ENV_FILE": "",
            "DATABASE_URL": url,
            "STATE_DIR": str(self.state),
            "MANAGER_IPS": "192.0.2.1",
            "TRUSTED_PROXIES": "127.0.0.1",
            "PUBLIC_URL": "http://draws.example",
            "LOG_LEVEL": "ERROR",
            "THROTTLE_ENTRY": "",
        }
        self._people = 0
        self.raffle = ""
        self.crons: Counter[int] = Counter()

    @contextmanager
    def served(self) -> Iterator[None]:
        """Run gunicorn as documented, and the worker that delivers."""
        command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{self.port}"]
        with running([*command, "--workers", "2"], self.port, **self.environment) as process:
            self.pid = process.pid
            watch = [sys.executable, "manage.py", "deliver_announcements", "--watch"]
            with subprocess.Popen(
                watch, cwd=SITE, env=os.environ | self.environment, stderr=subprocess.DEVNULL
            ) as self.worker:
                try:
                    yield
                finally:
                    self.worker.kill()

    def manage(self, *words: str) -> tuple[int, str]:
        """Run a command; return its exit status and what it said."""
        done = subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=SITE,
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def cron(self) -> int:
        """Run what is due, as cron does."""
        status, _ = self.manage("draw_winners", "-v", "0")
        self.crons[status] += 1
        return status

    def ask(self, method: str, path: str, body: Any = None, *, by: str = "192.0.2.1") -> Any:
        """Return status and JSON of a request; 0 where the server hung up."""
        content = json.dumps(body) if body is not None else None
        headers = {"X-Forwarded-For": by, "Content-Type": "application/json"}
        try:
            with closing(HTTPConnection("127.0.0.1", self.port, timeout=60)) as line:
                line.request(method, path, content, headers if content else {"X-Forwarded-For": by})
                answer = line.getresponse()
                said = answer.read()
        except (OSError, HTTPException):
            return 0, {}
        is_json = "json" in (answer.getheader("Content-Type") or "")
        return answer.status, json.loads(said) if is_json and said else {}

    def insist(self, method: str, path: str, body: Any = None, *, by: str = "192.0.2.1") -> Any:
        """Ask until the database is there again, for at most a minute."""
        until = time.monotonic() + 60
        while True:
            status, said = self.ask(method, path, body, by=by)
            is_away = status == 0 or (status == 503 and said.get("code") == "unavailable")
            if not is_away or time.monotonic() > until:
                return status, said
            time.sleep(0.1)

    def create(self, total: int = 1000, **terms: Any) -> str:
        body = {"name": "Fair", "total_tickets": total, "prizes": [{"name": "Cake", "amount": 1}]}
        status, made = self.insist("POST", "/raffles/", body | terms)
        expect(status == 201, (status, made))
        return str(made["id"])

    def enter(self, raffle: str = "") -> tuple[int, str]:
        """Let one more person take part; return the status and the code of a problem."""
        self._people += 1
        by = f"10.0.{self._people >> 8 & 255}.{self._people & 255}"
        status, said = self.ask("POST", f"/raffles/{raffle or self.raffle}/participate/", by=by)
        return status, said.get("code", "")

    def enter_many(self, count: int) -> None:
        """Have so many people take part, and the mark be older than a second."""
        answers = Counter(self.enter() for _ in range(count))
        expect(set(answers) == {(201, "")}, answers)

    def draw_one(self) -> str:
        """Sell out a raffle of one ticket and draw it: two statements, three with the winners."""
        raffle = self.create(1)
        status, said = self.insist("POST", f"/raffles/{raffle}/participate/", by="10.9.9.9")
        expect(status in (201, 403), (status, said))  # 403: the first answer was lost
        status, said = self.insist("POST", f"/raffles/{raffle}/winners/")
        expect(status in (200, 201) or said["code"] == "already_drawn", (status, said))
        return raffle


# --- Restores ----------------------------------------------------------------------------


def play(site: Site, backup: Callable[[], None], restore: Callable[[], None]) -> str:
    """Restore under a site that serves; return in a few words what happened. Raises Wrong."""
    status, said = site.manage("migrate", "-v", "0")
    expect(status == 0, said)
    with site.served():
        site.raffle = site.create()
        site.enter_many(60)
        twice = site.create(1)
        expect(site.enter(twice) == (201, ""), "the ticket of a raffle that is drawn twice")
        backup()
        site.enter_many(30)
        time.sleep(1.1)
        site.enter_many(1)
        expect(site.ask("POST", f"/raffles/{twice}/winners/")[0] in (200, 201), "the draw")
        lost = site.draw_one()
        restore()
        answers: Counter[tuple[int, str]] = Counter()
        until = time.monotonic() + 5
        while time.monotonic() < until:
            answers[site.enter()] += 1
            status, said = site.ask("POST", f"/raffles/{twice}/winners/")
            answers[status, said.get("code", "")] += 1
        expect(site.cron() == 1, "draw_winners goes on")
        expect(set(answers) <= {(503, "restored"), (503, "unavailable")}, answers)
        expect(answers[503, "restored"] > 0, answers)
        # A thread that has not been asked since meets its broken connection now.
        status, said = site.insist("GET", f"/raffles/{site.raffle}/")
        expect(status == 200, ("reading", status, said))
        expect("was restored" in str(site.insist("GET", "/readyz")), "/readyz is silent")
        status, said = site.manage("check_draws")
        expect(status == 1 and "was restored" in said, said)
        status, said = site.manage("after_restore", "--reason", "The disk was lost.")
        expect(status == 0, said)
        time.sleep(1.2)
        for raffle in (site.raffle, twice):
            status, said_of_it = site.insist("GET", f"/raffles/{raffle}/")
            expect(said_of_it.get("state") == "void", f"{raffle}: {status} {said_of_it}")
        status, words = site.manage("verify_log")
        expect(status == 0, words)
        site.raffle = site.create()
        people = Counter(site.enter() for _ in range(20))  # by such a thread, too
        expect(set(people) <= {(201, ""), (503, "unavailable")}, people)
        expect(people[201, ""] > 10, people)
        site.draw_one()
        expect(site.cron() == 0, "draw_winners after it")
        expect(site.worker.poll() is None, "the worker has ended")
        put_back = said.count("put back")
        void = said.count("void ")
        expect(f"{lost}, which is lost" not in said, "a drawn raffle is not called off")
    return f"{sum(answers.values())} requests refused, {put_back} put back, {void} called off"


def dump(folder: Path) -> str:
    with cluster(folder) as server:
        server.sql("CREATE DATABASE raffles")
        file = folder / "dump"
        file.touch()
        file.chmod(0o666)

        def backup() -> None:
            run("pg_dump", *server.account(), "-Fc", "-f", file, "raffles")

        def restore() -> None:
            server.sql("DROP DATABASE raffles WITH (FORCE)")
            server.sql("CREATE DATABASE raffles")
            people = Counter(site.enter() for _ in range(20))  # who meet no tables
            expect((201, "") not in people, people)
            run("pg_restore", *server.account(), "--single-transaction", "-d", "raffles", file)

        site = Site(folder, url(server, "raffles"))
        return play(site, backup, restore)


def base(folder: Path) -> str:
    with cluster(folder) as server:
        copy = folder / "copy"

        def restore() -> None:
            server.stop()
            shutil.rmtree(server.home)
            copy.rename(server.home)
            server.start()

        return play(Site(folder, url(server)), lambda: server.base_backup(copy), restore)


def point(folder: Path) -> str:
    with cluster(folder) as server:
        copy, target = folder / "copy", []
        server.base_backup(copy)

        def backup() -> None:
            target.append(server.sql("SELECT pg_current_wal_lsn()"))

        def restore() -> None:
            server.sql("SELECT pg_switch_wal()")
            time.sleep(1)
            server.stop("fast")
            shutil.rmtree(server.home)
            copy.rename(server.home)
            server.write(
                "postgresql.conf",
                restore_command=f"cp {server.archive}/%f %p",
                recovery_target_lsn=target[0],
                recovery_target_action="promote",
            )
            (server.home / "recovery.signal").touch()
            server.start()
            while server.sql("SELECT pg_is_in_recovery()") == "t":
                time.sleep(0.2)

        return play(Site(folder, url(server)), backup, restore)


def file(folder: Path) -> str:
    """Yesterday's file is moved into the place of today's."""

    def restore() -> None:
        for name in ("-wal", "-shm"):
            (folder / f"db.sqlite3{name}").unlink(missing_ok=True)
        (folder / "yesterday").rename(folder / "db.sqlite3")

    return _sqlite(folder, restore)


def copy(folder: Path) -> str:
    """Yesterday's content is written over today's, in the same file."""

    def restore() -> None:
        _copy(folder / "yesterday", folder / "db.sqlite3")

    return _sqlite(folder, restore)


def _sqlite(folder: Path, restore: Callable[[], None]) -> str:
    site = Site(folder, f"sqlite:///{folder}/db.sqlite3")
    return play(site, lambda: _copy(folder / "db.sqlite3", folder / "yesterday"), restore)


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)


# --- What must not stop anything ---------------------------------------------------------


def failover(folder: Path) -> str:
    """A synchronous standby is promoted; nothing that was acknowledged is missing."""
    with cluster(folder) as server:
        standby = Cluster(folder, "standby")
        server.base_backup(standby.home)
        line = f"host=127.0.0.1 port={server.port} user=postgres application_name=standby"
        (standby.home / "standby.signal").touch()
        standby.settle(primary_conninfo=line)
        try:
            server.sql("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
            server.sql("SELECT pg_reload_conf()")
            hosts = f"127.0.0.1:{server.port},127.0.0.1:{standby.port}"
            where = f"postgres://postgres@{hosts}/postgres?target_session_attrs=read-write"
            site = Site(folder, where)
            status, said = site.manage("migrate", "-v", "0")
            expect(status == 0, said)
            with site.served():
                site.raffle = site.create()
                site.enter_many(40)
                server.stop()
                standby.control("promote")
                answers = Counter(site.enter() for _ in range(60))
                site.draw_one()
                expect(set(answers) <= {(201, ""), (503, "unavailable")}, answers)
                expect(answers[201, ""] > 30, answers)
                expect(site.cron() == 0, "draw_winners stops")
                epoch = standby.sql("SELECT epoch FROM raffles_lineage")
                expect(epoch == "2", f"epoch {epoch}")
                expect("was restored" not in str(site.ask("GET", "/readyz")), "/readyz")
            server.start()  # for the end
        finally:
            standby.stop()
    return f"{answers[201, '']} of 60 entered after it, epoch {epoch}"


def crashes(folder: Path, count: int) -> str:
    """The database crashes and what serves is killed, while people take part."""
    chance = Random(_SEED)
    with cluster(folder) as server:
        site = Site(folder, url(server))
        status, said = site.manage("migrate", "-v", "0")
        expect(status == 0, said)
        with site.served():
            site.raffle = site.create(1_000_000)
            answers: Counter[tuple[int, str]] = Counter()
            done: Counter[str] = Counter()
            for turn in range(count):
                answers.update(site.enter() for _ in range(chance.randrange(1, 6)))
                if turn % 5 == 0:
                    server.control("restart", "-m", "immediate", "-l", str(server.home / "log"))
                    done["crashes"] += 1
                else:
                    os.kill(chance.choice(workers(site.pid)), signal.SIGKILL)
                    done["kills"] += 1
                    while len(workers(site.pid)) < 2:
                        time.sleep(0.02)
                if turn % 50 == 0:
                    site.draw_one()
                    site.cron()
            expect(site.crons[1] == 0, "draw_winners stops")
            expect((503, "restored") not in answers, answers)
            answers.update(site.enter() for _ in range(20))
            expect(answers[201, ""] > count, answers)
    return f"{done['crashes']} crashes, {done['kills']} kills, answers {dict(answers)}"


def workers(pid: int) -> list[int]:
    """Return the processes of a gunicorn."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


# --- Running -----------------------------------------------------------------------------


def url(server: Cluster, database: str = "postgres") -> str:
    """Return the address of a database."""
    return f"postgres://postgres@127.0.0.1:{server.port}/{database}"


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Run a new PostgreSQL, whichever way it is restored meanwhile."""
    server = Cluster(folder)
    with ExitStack() as stack:
        server.make()
        stack.callback(server.stop)
        yield server


RESTORES: dict[str, Callable[[Path], str]] = {
    act.__name__: act for act in (dump, base, point, file, copy, failover)
}


def main() -> int:
    """Play what was asked for, or all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(RESTORES))
    parser.add_argument("--crashes", type=int, default=0, metavar="N", help="crashes and kills")
    options = parser.parse_args()
    if unknown := set(options.names) - set(RESTORES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    names = options.names or ([] if options.crashes else RESTORES)
    acts = {name: RESTORES[name] for name in names}
    if options.crashes:
        acts["crashes"] = lambda folder: crashes(folder, options.crashes)
    wrong = 0
    for name, act in acts.items():
        with TemporaryDirectory(prefix="restores-") as folder:
            Path(folder).chmod(0o755)
            try:
                said = act(Path(folder))
            except Wrong as fault:
                said, wrong = f"WRONG: {fault}", wrong + 1
        print(f"{name:10} {said}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
