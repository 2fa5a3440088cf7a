"""Three hosts as in deploy/cluster, each a network namespace; importing this sets up Django.

Hence a name that sorts before those of modules with models. The files are those that are deployed:
addresses, passwords and folders are replaced, nothing else.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from pwd import getpwnam
from string import Template
from typing import Any
from urllib.request import urlopen

from benchmarks.harness import set_up
from benchmarks.servers import Unavailable, programs, require
from raffles.tests.serving import SITE

DEPLOY = SITE / "deploy"
SWITCH, NAMES = "10.77.0.1", ("one", "two", "three")
ADDRESSES = {name: f"10.77.0.{n}" for n, name in enumerate(NAMES, 11)}
PATIENCE = 120.0  # seconds
PASSWORD = "benchmark"
_ALONE = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
_MARK = "BENCHMARKS_ALONE"
_ROOM = "1g"  # for the data of a host, whose disk can be full
_ASYNCHRONOUS = {"synchronous_mode: true": "synchronous_mode: false"}
_ASYNCHRONOUS |= {"synchronous_mode_strict: true": "synchronous_mode_strict: false"}
_SITE = {"PUBLIC_URL": "https://localhost", "TRUSTED_PROXIES": ",".join(ADDRESSES.values())}
_SITE |= {"WEBHOOK_NETWORKS": SWITCH, "LOG_ORIGIN": "localhost/log"}

set_up(
    f"postgres://raffles:{PASSWORD}@{','.join(ADDRESSES.values())}:5432/raffles"
    "?target_session_attrs=read-write",
    log_level="ERROR",
    **_SITE,
)


def alone() -> None:
    """Go on in namespaces of our own, with an empty /mnt and /run.

    Processes, files and networks end with them. Raises Unavailable where that is not allowed.
    """
    if _MARK in os.environ:
        child = os.fork()
        if child == 0:
            os.setsid()
            for folder in ("/mnt", "/run"):
                run("mount", "-t", "tmpfs", "tmpfs", folder)
            return
        with suppress(KeyboardInterrupt):
            while True:  # the first process of a namespace is the parent of all orphans
                pid, status = os.wait()
                if pid == child:
                    os._exit(os.waitstatus_to_exitcode(status))
        os._exit(130)
    for program in ("unshare", "ip", "etcd", "haproxy", "pgbouncer", "openssl"):
        require(program)
    if subprocess.run([*_ALONE, "true"], stderr=subprocess.DEVNULL, check=False).returncode:
        raise Unavailable("needs root and network namespaces, which are not allowed here")
    os.environ[_MARK] = "yes"
    os.execvp(_ALONE[0], [*_ALONE, sys.executable, *sys.orig_argv[1:]])


def until(is_done: Callable[[], object], what: str, *, seconds: float = PATIENCE) -> None:
    """Wait for it. Raises RuntimeError when it takes too long."""
    deadline = time.monotonic() + seconds
    while not is_done():
        if time.monotonic() > deadline:
            raise RuntimeError(f"after {seconds:.0f} s still not: {what}")
        time.sleep(0.2)


def run(*command: str | Path) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


class Host:
    """One host: its network, its disk, and the programs on it by name."""

    def __init__(self, name: str, folder: Path, patroni: Path, changes: Mapping[str, str]) -> None:
        self.name, self.address, self.folder = name, ADDRESSES[name], folder / name
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._changes = dict(changes) | {
            "/srv/raffles/deploy/haproxy.cfg": str(self.folder / "front.cfg"),
            "/srv/raffles/deploy/cluster": str(self.folder),
            "/srv/raffles": str(SITE),
            "/opt/patroni": str(patroni),
            "/usr/lib/postgresql/15/bin": str(programs()),
            "/var/lib/postgresql": str(self.folder / "disk"),
            "/etc/pgbouncer/userlist.txt": str(self.folder / "userlist.txt"),
            "/var/lib/etcd": str(self.folder / "etcd"),
            "/etc/haproxy": str(folder),
            **{f"/run/{name}": str(self.folder) for name in ("haproxy", "postgresql")},
            # A second port at which callers say who they are, as many as there are.
            "bind :443": f"bind :8443 accept-proxy ssl crt {folder}/draws.pem\n    bind :443",
        }
        self.site = {
            "DATABASE_URL": f"postgres://raffles:{PASSWORD}@127.0.0.1:6432/raffles",
            "STATE_DIR": str(self.folder / "state"),
        }
        self._connect()
        self._lay_out()

    def _connect(self) -> None:
        run("ip", "netns", "add", self.name)
        run("ip", "link", "add", self.name, "type", "veth", "peer", "eth0", "netns", self.name)
        run("ip", "link", "set", self.name, "master", "switch", "up")
        for words in ("addr add {}/24 dev eth0", "link set eth0 up", "link set lo up"):
            run("ip", "-n", self.name, *words.format(self.address).split())

    def _lay_out(self) -> None:
        disk = self.folder / "disk"
        for folder in (disk, self.folder / "etcd"):
            folder.mkdir(parents=True)
        run("mount", "-t", "tmpfs", "-o", f"size={_ROOM}", "tmpfs", disk)
        run("chmod", "777", self.folder, disk, self.folder / "etcd")  # for several accounts
        facts = "".join(
            (DEPLOY / f"cluster/{name}.env").read_text() for name in ("cluster", "patroni")
        )
        facts = facts.replace("change-me", PASSWORD)
        facts = re.sub("^NAME=.*", f"NAME={self.name}", facts, flags=re.MULTILINE)
        facts = re.sub("^HOST=.*", f"HOST={self.address}", facts, flags=re.MULTILINE)
        facts = facts.replace("10.0.0.", "10.77.0.")
        self.environment = dict(re.findall(r"^(\w+)=(.*)$", facts, re.MULTILINE))
        for file in ("patroni.yml", "haproxy.cfg", "pgbouncer.ini"):
            (self.folder / file).write_text(self._here((DEPLOY / "cluster" / file).read_text()))
        (self.folder / "front.cfg").write_text(self._here((DEPLOY / "haproxy.cfg").read_text()))
        (self.folder / "userlist.txt").write_text(f'"raffles" "{PASSWORD}"\n')

    def _here(self, text: str) -> str:
        """Return a deployed file's text as it is on this host."""
        for there, here in self._changes.items():
            text = text.replace(there, here)
        return text

    # --- Programs

    def start_unit(self, name: str) -> None:
        """Start a program as its systemd unit in deploy/cluster says."""
        unit = (DEPLOY / "cluster" / f"{name}.service").read_text().replace("\\\n", " ")
        facts = dict(re.findall(r"^(User|ExecStart)=(.*)$", unit, re.MULTILINE))
        command = shlex.split(Template(self._here(facts["ExecStart"])).substitute(self.environment))
        self.start(name, *command, user=facts.get("User", ""), **self.environment)

    def start(self, name: str, *command: str, user: str = "", **environment: str) -> None:
        """Start a program on this host; what it says is in its log."""
        as_user = []
        if user:
            account = getpwnam("postgres")  # the one that there is wherever PostgreSQL is
            as_user = [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
            as_user.insert(0, "setpriv")
            environment["HOME"] = str(self.folder)
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                ["ip", "netns", "exec", self.name, *as_user, *command],
                cwd=SITE,
                env=os.environ | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def signal(self, number: signal.Signals, *names: str) -> None:
        """Send a signal to programs and all their processes; `postgres` is Patroni's."""
        for name in names:
            for pid in self.processes(name):
                with suppress(ProcessLookupError):
                    os.kill(pid, number)

    def processes(self, name: str) -> list[int]:
        if name != "postgres":
            return [self._processes[name].pid]
        try:
            first = (self.folder / "disk/raffles/postmaster.pid").read_text().split()[0]
            children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        except FileNotFoundError:
            return []
        return [int(first), *map(int, children)]

    def wait(self, name: str) -> int:
        """Return a program's exit status once it has ended."""
        return self._processes[name].wait()

    def kill(self, *names: str) -> None:
        self.signal(signal.SIGKILL, *names)
        for name in names:
            if name != "postgres":
                self._processes[name].wait()

    def cut(self, *, off: bool) -> None:
        """Take the host off the network, with everything on it going on, or put it back."""
        run("ip", "link", "set", self.name, "down" if off else "up")

    def sql(self, *statements: str) -> None:
        """Have the PostgreSQL here do something as its superuser."""
        words = [word for statement in statements for word in ("-c", statement)]
        url = f"postgres://postgres:{PASSWORD}@{self.address}/postgres"
        run("psql", "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", *words, url)

    def is_ready(self) -> bool:
        """Return whether the site here says that it is."""
        with suppress(OSError), urlopen(f"http://{self.address}:8000/readyz", timeout=5):
            return True
        return False

    # --- What Patroni says

    def said(self) -> dict[str, Any]:
        """Return what this host's Patroni knows of all members; nothing if it does not answer."""
        with (
            suppress(OSError, ValueError),
            urlopen(f"http://{self.address}:8008/cluster", timeout=3) as said,
        ):
            told: dict[str, Any] = json.load(said)
            return {member["name"]: member for member in told["members"]}
        return {}


class Cluster:
    """All three hosts, running."""

    def __init__(self, folder: Path, patroni: Path, is_asynchronous: bool = False) -> None:
        if not (patroni / "bin/patroni").exists():
            raise Unavailable(f"there is no Patroni in {patroni}: see docs/performance.md")
        self.folder = folder
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "switch", "type", "bridge")
        run("ip", "addr", "add", f"{SWITCH}/24", "dev", "switch")
        run("ip", "link", "set", "switch", "up")
        _certify(folder)
        changes = _ASYNCHRONOUS if is_asynchronous else {}
        self._roles = ("leader", "replica", "replica" if is_asynchronous else "sync_standby")
        self.hosts = {name: Host(name, folder, patroni, changes) for name in NAMES}
        for unit in ("etcd", "patroni", "haproxy"):
            for host in self:
                host.start_unit(unit)
        until(self.leader, "a leader")
        until(self.is_whole, "two standbys, one of them synchronous")
        for host in self:
            host.start(
                "pgbouncer", "pgbouncer", str(host.folder / "pgbouncer.ini"), user="pgbouncer"
            )

    def __iter__(self) -> Iterator[Host]:
        return iter(self.hosts.values())

    def members(self) -> dict[str, dict[str, Any]]:
        """Return what the first Patroni that answers knows of all."""
        return next(filter(None, (host.said() for host in self)), {})

    def leader(self) -> Host | None:
        return self._who_is("leader")

    def standby(self) -> Host | None:
        """Return one whose word the leader waits for; any, if it waits for none."""
        return self._who_is("sync_standby") or self._who_is("replica")

    def _who_is(self, role: str) -> Host | None:
        names = [name for name, member in self.members().items() if member["role"] == role]
        return self.hosts[names[0]] if names else None

    def is_whole(self) -> bool:
        """Return whether each host plays its part again, on one timeline."""
        facts = self.members().values()
        return (
            sorted(fact["role"] for fact in facts) == sorted(self._roles)
            and {fact["state"] for fact in facts} == {"running", "streaming"}
            and len({fact.get("timeline") for fact in facts}) == 1
        )


def _certify(folder: Path) -> None:
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    run(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
        *("-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", key, "-out", certificate),
    )
    (folder / "draws.pem").write_text(certificate.read_text() + key.read_text())
