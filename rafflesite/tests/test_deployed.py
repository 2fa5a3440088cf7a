"""What is in deploy/: each file by its own program's check, and HAProxy at work."""

from __future__ import annotations

import json
import os
import random
import re
import shlex
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template
from typing import Any

import pytest
from django.conf import settings

from raffles.tests.serving import SITE, free_port, in_the_clear, running
from raffles.web.problems import unavailable
from rafflesite.health import backup_warnings
from rafflesite.tests.documents import blocks

pytestmark = pytest.mark.once

DEPLOY = SITE / "deploy"
UNITS = sorted((DEPLOY / "cluster").glob("*.service"))
OURS = sorted((DEPLOY / "systemd").iterdir())
ANSWER = unavailable()
SECRETS = dict.fromkeys(("SECRET_KEY", "TICKET_KEY", "RECEIPT_KEY"), "5e" * 32)


def program(name: str) -> str:
    """Return a program's path; a test without it is skipped."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/opt/patroni/bin")
    if not found:
        pytest.skip(f"needs {name}")
    return found


def facts(address: Callable[[int], str]) -> dict[str, str]:
    """Return what the units are told, with three addresses of this machine."""
    told = "".join((DEPLOY / f"cluster/{name}.env").read_text() for name in ("cluster", "patroni"))
    said = re.findall(r"^(\w+)=(.*)$", told, re.MULTILINE)
    return dict(said) | {f"HOST_{n}": address(n) for n in (1, 2, 3)} | {"HOST": address(1)}


@pytest.fixture
def addresses() -> dict[str, str]:
    net = f"127.{random.randrange(1, 255)}.{random.randrange(255)}"  # that nobody else listens on
    return facts(lambda n: f"{net}.{n}")


def command(unit: str, environment: dict[str, str]) -> list[str]:
    text = (DEPLOY / "cluster" / f"{unit}.service").read_text().replace("\\\n", " ")
    (line,) = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    return shlex.split(Template(line).substitute(environment))


def front(folder: Path, bind: str) -> list[str]:
    """Write HAProxy's files for this machine; return its options."""
    options = list[str]()
    for path in (DEPLOY / "haproxy.cfg", DEPLOY / "cluster/haproxy.cfg"):
        file = folder / f"{len(options)}.cfg"
        text = (
            path.read_text().replace("/srv/raffles", str(SITE)).replace("/run/haproxy", str(folder))
        )
        text = in_the_clear(text, bind)
        file.write_text(text.replace("127.0.0.1:5000", f"127.0.0.1:{free_port()}"))
        options += ["-f", str(file)]
    return options


# --- By their own checks


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Return a folder with tls.crt and tls.key, and both in draws.pem, of draws.example.org."""
    made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=draws.example.org"]
    files = ["-keyout", str(tmp_path / "tls.key"), "-out", str(tmp_path / "tls.crt")]
    subprocess.run([program("openssl"), *made, *files], check=True, capture_output=True)
    both = "".join((tmp_path / name).read_text() for name in ("tls.crt", "tls.key"))
    (tmp_path / "draws.pem").write_text(both)
    return tmp_path


def test_haproxy_takes_its_files(certificate: Path, addresses: dict[str, str]) -> None:
    files = list[str]()
    for path in (DEPLOY / "haproxy.cfg", DEPLOY / "cluster/haproxy.cfg"):
        text = path.read_text().replace("/etc/haproxy/draws.pem", f"{certificate}/draws.pem")
        (certificate / f"{len(files)}.cfg").write_text(text.replace("/srv/raffles", str(SITE)))
        files += ["-f", str(certificate / f"{len(files)}.cfg")]
    for environment, used in ((addresses, files), ({}, files[:2])):
        check = [program("haproxy"), "-c", *used]
        said = subprocess.run(check, env=environment, capture_output=True, text=True, check=False)
        assert (said.returncode, said.stderr) == (0, "")


def test_nginx_takes_its_file(certificate: Path) -> None:
    site = (DEPLOY / "nginx.conf").read_text().replace("/etc/raffles", str(certificate))
    site = site.replace("/srv/raffles", str(SITE)).replace("/var/cache/nginx", str(certificate))
    for port in ("443", "80"):  # it would listen there, and may not
        site = re.sub(rf"(?<=listen )(\[::\]:)?{port}\b", rf"\g<1>{free_port()}", site)
    conf = certificate / "nginx.conf"
    conf.write_text(f"pid {certificate}/pid; events {{}} http {{ access_log off;\n{site}\n}}")
    check = [program("nginx"), "-t", "-q", "-p", str(certificate), "-c", str(conf), "-e", "log"]
    said = subprocess.run(check, capture_output=True, text=True, check=False)
    assert (said.returncode, said.stderr) == (0, "")
    (certificate / "tls.key").unlink()
    assert subprocess.run(check, capture_output=True, check=False).returncode == 1


@pytest.mark.parametrize("has_own", [False, True])
def test_caddy_takes_its_file(certificate: Path, has_own: bool) -> None:
    text = (DEPLOY / "Caddyfile").read_text().replace("/etc/raffles", str(certificate))
    file = certificate / "Caddyfile"
    file.write_text(text.replace("# tls ", "tls ") if has_own else text)
    check = [program("caddy"), "validate", "--adapter", "caddyfile", "--config", str(file)]
    environment = os.environ | {"HOME": str(certificate)}
    said = subprocess.run(check, env=environment, capture_output=True, text=True, check=False)
    assert "Valid configuration" in said.stdout, said.stderr


def test_patroni_takes_its_file(tmp_path: Path, addresses: dict[str, str]) -> None:
    patroni, postgres = program("patroni"), sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1:]
    if not postgres:
        pytest.skip("needs postgres")
    words = command("patroni", addresses | {"HOST": "10.0.0.11"})
    text = Path(words[-1].replace("/srv/raffles", str(SITE))).read_text()
    assert "bin_dir: /usr/lib/postgresql/15/bin\n" in text
    file = tmp_path / "patroni.yml"
    file.write_text(text.replace("/usr/lib/postgresql/15/bin", str(postgres[0])))
    check = [*words[:-2], patroni, "--validate-config", "--ignore-listen-port", str(file)]
    with ExitStack() as stack:
        for n in (1, 2, 3):  # all it asks of etcd is that somebody listens
            stack.enter_context(socket.create_server((addresses[f"HOST_{n}"], 2379)))
        said = subprocess.run(check, env=addresses, capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_takes_each_unit(unit: Path) -> None:
    verify = program("systemd-analyze")
    program(Path(command(unit.stem, facts(str))[0]).name)
    said = subprocess.run([verify, "verify", unit], capture_output=True, text=True, check=False)
    assert unit.name not in said.stderr
    assert f"/etc/systemd/system/{unit.name}:" in unit.read_text()


def test_nobody_but_patroni_is_told_its_passwords() -> None:
    """Of which one is the superuser's: neither the site, nor what strangers talk to."""
    assert "PASSWORD" not in (DEPLOY / "cluster/cluster.env").read_text()
    told = {unit.stem: unit.read_text() for unit in UNITS}
    told |= {each.document: each.text for each in blocks() if "[Service]" in each.text}
    assert [name for name, text in told.items() if "patroni.env" in text] == ["patroni"]


def test_documents_keep_a_private_key_to_root(tmp_path: Path) -> None:
    lines = [
        line for each in blocks() for line in each.text.splitlines() if "/haproxy/draws.pem" in line
    ]
    lines = [line for line in lines if ">" in line]
    assert len(lines) >= 2
    for name in ("tls.crt", "tls.key", "draws.crt", "draws.key"):
        (tmp_path / name).touch()
    for line in lines:
        here = re.sub("/etc/(haproxy|raffles)", str(tmp_path), line)
        subprocess.run(["bash", "-euc", f"umask 022\n{here}"], cwd=tmp_path, check=True)
        made = tmp_path / "draws.pem"
        assert made.stat().st_mode & 0o777 == 0o600, line
        made.unlink()


def test_systemd_takes_our_units_together(tmp_path: Path) -> None:
    """Where the site is, since systemd looks for what it starts."""
    (tmp_path / "srv").symlink_to(SITE)
    venv = tmp_path / "venv"
    venv.symlink_to(sys.prefix)
    for unit in OURS:
        text = unit.read_text().replace("/srv/raffles/.venv", str(venv))
        (tmp_path / unit.name).write_text(text.replace("/srv/raffles", str(tmp_path / "srv")))
    files = [str(tmp_path / unit.name) for unit in OURS]
    check = [program("systemd-analyze"), "verify", "--man=no", *files]
    said = subprocess.run(check, capture_output=True, text=True, check=False)
    assert (said.returncode, said.stderr) == (0, "")


def test_no_command_runs_under_two_units() -> None:
    commands = [line for unit in OURS for line in re.findall(r"^ExecStart=(.*)", unit.read_text())]
    assert len(commands) == len(set(commands))
    assert {unit.stem for unit in OURS if unit.suffix == ".timer"} <= {
        unit.stem for unit in OURS if unit.suffix == ".service"
    }


def test_units_start_what_serves(tmp_path: Path) -> None:
    """The site and its stream, by their own lines, on ports of this machine."""
    for unit, there in (("raffles", "127.0.0.1:8000"), ("raffles-stream", "127.0.0.1 --port 8001")):
        text = (DEPLOY / f"systemd/{unit}.service").read_text().replace("\\\n", " ")
        (line,) = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
        port = free_port()
        line = line.replace(there, re.sub(r"800\d", str(port), there))
        words = shlex.split(line.replace("/srv/raffles/.venv", sys.prefix))
        with running(words, port, WEB_CONCURRENCY="1", ENV_FILE="", **SECRETS):
            asking = HTTPConnection("127.0.0.1", port, timeout=20)
            asking.request("GET", "/livez")
            assert asking.getresponse().status == 200


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, ""),
        ({"DRAW_ENTROPY": "Drand"}, "DRAW_ENTROPY is 'Drand': set system or drand."),
        ({"MANAGER_IPS": "0.0.0.0/0"}, "MANAGER_IPS holds every address there is"),
        ({"DRAIN_SECONDS": "abc"}, "DRAIN_SECONDS is 'abc': set a number, 0 or more."),
        ({"DRAIN_SECONDS": "-5"}, "DRAIN_SECONDS is '-5': set a number, 0 or more."),
        ({"DRAIN_SECONDS": "inf"}, "DRAIN_SECONDS is 'inf': set a number, 0 or more."),
        ({"WEB_CONCURRENCY": "0"}, "WEB_CONCURRENCY is '0': set a number, 1 or more."),
    ],
)
def test_a_reload_is_tried_before_a_worker_ends(
    tmp_path: Path, given: dict[str, str], sentence: str
) -> None:
    unit = (DEPLOY / "systemd/raffles.service").read_text()
    trial, reload = re.findall(r"^ExecReload=(.*)$", unit, re.MULTILINE)
    assert reload == "/bin/sh -c 'kill -HUP $MAINPID'"
    path, *words = shlex.split(trial)
    facts = {"ENV_FILE": "", "DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3", **SECRETS}
    done = subprocess.run(
        [f"{sys.prefix}/bin/{Path(path).name}", *words],
        cwd=SITE,
        env=os.environ | facts | given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert bool(done.returncode) is bool(sentence)
    assert sentence in done.stderr


def test_cron_runs_what_its_lines_say() -> None:
    """As the timers do: the same commands of the site, at the same times."""
    text = (DEPLOY / "cron.d/raffles").read_text()
    assert text.endswith("\n")  # cron drops a last line that does not end
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert len(lines) == 2
    for line, name in zip(lines, ("draw", "daily"), strict=True):
        minute, hour, *days, user, command = line.split(maxsplit=6)
        assert (days, user) == (["*", "*", "*"], "raffles")
        timer = (DEPLOY / f"systemd/raffles-{name}.timer").read_text()
        at = f"{hour.zfill(2)}:{minute.zfill(2)}:00" if hour != "*" else "*:*:00"
        assert f"OnCalendar=*-*-* {at}\n" in timer
        unit = (DEPLOY / f"systemd/raffles-{name}.service").read_text()
        for started in re.findall(r"^ExecStart=/srv/raffles/(.*)$", unit, re.MULTILINE):
            assert started in command
        subprocess.run(["sh", "-n", "-c", command], check=True)


def test_containers_run_what_the_units_run() -> None:
    yaml = pytest.importorskip("yaml")
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    assert services.keys() == {"database", "redis", "tables", "web", "stream", "worker", "cron"}
    image = (DEPLOY / "Containerfile").read_text()
    (serves,) = re.findall(r"^CMD (.*)$", image, re.MULTILINE)
    ours = {
        "raffles": json.loads(serves),
        "raffles-stream": services["stream"]["command"],
        "raffles-deliver": services["worker"]["command"],
    }
    for unit, words in ours.items():
        text = (DEPLOY / f"systemd/{unit}.service").read_text().replace("\\\n", " ")
        (line,) = re.findall(r"^ExecStart=/srv/raffles/.venv/bin/(.*)$", text, re.MULTILINE)
        within = " ".join(words).replace("=", " ").replace("0.0.0.0", "127.0.0.1")
        assert within.split() == line.split()
    for name in ("tables", "web", "stream", "worker", "cron"):  # nothing may write to the root
        service = services[name]
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert "." not in service["tmpfs"]
        given = service["environment"]  # a password may have any sign, which an address may not
        assert [name for name in given if "POSTGRES_PASSWORD" in given[name]] == ["PGPASSWORD"]
    assert all(port.startswith("127.0.0.1:") for port in services["web"]["ports"])
    loop = services["cron"]["command"][-1].replace("$$", "$")
    assert loop.startswith("while :; do python manage.py draw_winners -v 0;")
    subprocess.run(["sh", "-n", "-c", loop], check=True)
    pause = re.findall(r"\$\(\(.*\)\)", loop)[0]
    told = subprocess.run(["sh", "-c", f"echo {pause}"], capture_output=True, check=True)
    assert 1 <= int(told.stdout) <= 60


def test_image_has_what_is_installed_by_hashes_and_nothing_of_ours_that_is_secret() -> None:
    image = (DEPLOY / "Containerfile").read_text()
    assert "--require-hashes --requirement /srv/raffles/requirements.lock" in image
    assert re.search(r"^USER \d+:\d+$", image, re.MULTILINE)  # not root, by number: for everybody
    kept = (SITE / ".dockerignore").read_text().splitlines()
    taken = [line[1:] for line in kept if line.startswith("!")]
    assert "*" in kept
    assert [name for name in taken if not (SITE / name).exists()] == []
    for copied in re.findall(r"^COPY (?!--from)(\S+) ", image, re.MULTILINE):
        assert copied == "." or copied in taken
    assert {"manage.py", "gunicorn.conf.py", "raffles", "events", "rafflesite"} <= set(taken)
    assert ".env" not in taken


@pytest.fixture
def dumping(tmp_path: Path) -> dict[str, str]:
    """Return an environment in which PostgreSQL's programs note what they are told, or fail."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("pg_dump", "pg_restore"):
        file = programs / name
        file.write_text(
            f'#!/bin/sh\n[ -z "$FAILS" ] || exit 1\necho {name} "$@" >>"$LOG"\n'
            'case $2 in --file=*) echo dump >"${2#--file=}";; esac\n'
        )
        file.chmod(0o755)
    here = {"PATH": f"{programs}:{os.environ['PATH']}", "LOG": str(tmp_path / "log"), "FAILS": ""}
    return here | {"STATE_DIR": str(settings.STATE_DIR)}


def test_backup_is_whole_and_old_ones_go(tmp_path: Path, dumping: dict[str, str]) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    for days in (1, 20):
        old = kept / f"{days}.dump"
        old.touch()
        os.utime(old, (time.time() - days * 86400,) * 2)
    command = [str(DEPLOY / "backup"), str(kept), "postgresql://here/raffles"]
    subprocess.run(command, env=dumping, check=True)
    new = {path.name for path in kept.iterdir()}
    assert "1.dump" in new
    assert "20.dump" not in new
    assert len(new) == 2
    assert {oct(path.stat().st_mode)[-3:] for path in kept.iterdir() if path.stat().st_size} == {
        "600"
    }
    assert "pg_dump --format=custom" in (tmp_path / "log").read_text()
    assert (tmp_path / "log").read_text().count("postgresql://here/raffles") == 1
    failed = subprocess.run(command, env=dumping | {"FAILS": "yes"}, check=False)
    assert failed.returncode == 1
    assert {path.name for path in kept.iterdir()} == new  # nothing half done, nothing gone


def test_backup_that_fails_night_after_night_is_a_warning(
    tmp_path: Path, dumping: dict[str, str]
) -> None:
    (tmp_path / "deploy").mkdir()
    script = str(shutil.copy(DEPLOY / "backup", tmp_path / "deploy"))
    (tmp_path / ".env").write_text(f"STATE_DIR={dumping.pop('STATE_DIR')}\n")
    noted = settings.STATE_DIR / "backup"
    noted.parent.mkdir(parents=True)
    assert backup_warnings() == []  # where none is made

    failed = {"FAILS": "yes"}
    for warned in (0, 1, 1):
        subprocess.run([script, str(tmp_path)], env=dumping | failed, check=False)
        assert len(backup_warnings()) == warned
        os.utime(noted, (time.time() - 3.5 * 86400,) * 2)
    assert backup_warnings() == [
        (
            "No backup has succeeded on this machine for 3 days: run deploy/backup as its user to"
            f" see why. Where backups are made elsewhere, remove {noted}."
        )
    ]
    subprocess.run([script, str(tmp_path)], env=dumping, check=True)
    assert backup_warnings() == []


def head_of_install(folder: Path) -> str:
    """Write what deploy/install does before it touches anything, as if that were /srv/raffles."""
    program("apt-get")
    (folder / "deploy").mkdir()
    head, _, rest = (DEPLOY / "install").read_text().partition("# --- Packages")
    assert rest
    head = head.replace("/srv/raffles ]", f"{folder} ]").replace('"$(id -u)"', "0")
    (folder / "deploy/install").write_text(f"{head}echo went on\n")
    return str(folder / "deploy/install")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("", "by which name do people reach it?"),
        ("https://draws.example.org", "is not the name of a host"),
        ("Draws.example.org", "is not the name of a host"),
        ("draws", "is not the name of a host"),
        ("draws.example.org two.example.org", "one name only"),
        ("draws.example.org --what", "there is no option --what"),
        ("draws.example.org --key", "--key needs a value"),
        ("draws.example.org --key /nowhere", "--key needs --certificate"),
        ("draws.example.org --certificate /nowhere --key /nowhere", "/nowhere cannot be read"),
    ],
)
def test_install_refuses_before_it_touches_anything(
    words: str, sentence: str, tmp_path: Path
) -> None:
    run = ["bash", head_of_install(tmp_path), *words.split()]
    said = subprocess.run(run, capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout) == (2, "")
    assert sentence in said.stderr
    settings = (
        "DATABASE_URL=postgres:///raffles\nPUBLIC_URL=https://a.example\nMANAGER_IPS=192.0.2.10\n"
    )
    for gone, told in (("postgres:///raffles", "DATABASE_URL"), ("https:", "begin with https://")):
        (tmp_path / ".env").write_text(settings.replace(gone, ""))
        said = subprocess.run(run[:2], capture_output=True, text=True, check=False)
        assert (said.returncode, said.stdout) == (2, "")
        assert told in said.stderr
    (tmp_path / ".env").write_text(settings)
    for more, expected in (
        ([], "went on\n"),
        (["a.example"], "went on\n"),
        (["b.example"], ""),
        (["--managers", "192.0.2.11"], ""),
    ):
        again = [*run[:2], *more]
        assert subprocess.run(again, capture_output=True, text=True, check=False).stdout == expected


@pytest.mark.parametrize("brought", [None, 0o600, 0o666])
def test_install_gives_settings_their_owner_and_mode(tmp_path: Path, brought: int | None) -> None:
    shutil.copy(SITE / ".env.example", tmp_path)
    file = tmp_path / ".env"
    if brought:
        file.write_text("DATABASE_URL=postgres:///raffles\n")
        file.chmod(brought)
    text = (DEPLOY / "install").read_text()
    section = text.partition("# --- Settings\n")[2].partition("# --- Database")[0]
    stubs = 'say() { :; }; manage() { :; }; chown() { echo "$1"; }; host=a.example managers=\n'
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", stubs + section],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, oct(file.stat().st_mode & 0o777)) == ("root:raffles\n", "0o640")


def of_a_host(folder: Path, name: str) -> None:
    """Make a certificate and a key of that host there."""
    made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    made += ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    files = ["-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.crt")]
    subprocess.run([program("openssl"), *made, *files], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--managers 192.0.2.256", "--managers: '192.0.2.256' does not appear to be an IPv4"),
        ("--managers 10.0.0.1/8", "--managers: 10.0.0.1/8 has host bits set."),
        ("--certificate a.example.crt --key b.example.key", "b.example.key is not the key of a"),
        ("--certificate b.example.crt --key b.example.key", "b.example.crt is not for a.example"),
    ],
)
def test_install_looks_closer_before_it_touches_anything(
    words: str, sentence: str, tmp_path: Path
) -> None:
    script = head_of_install(tmp_path)
    for name in ("a.example", "b.example"):
        of_a_host(tmp_path, name)
    run = ["bash", script, "a.example", "--managers", "192.0.2.10, 2001:db8:10::/48"]
    run += ["--certificate", "a.example.crt", "--key", "a.example.key"]
    right = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (right.returncode, right.stdout) == (0, "went on\n"), right.stderr

    run = ["bash", script, "a.example", *words.split()]
    said = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout) == (2, "")
    assert sentence in said.stderr


def test_install_refuses_an_old_python_before_it_touches_anything(tmp_path: Path) -> None:
    script = head_of_install(tmp_path)
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\n[ $1 = --version ] || exit 1\necho Python 3.9.2\n")
    old.chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    run = ["bash", script, "a.example"]
    said = subprocess.run(run, env=environment, capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout) == (2, "")
    assert "Python 3.9.2 is too old" in said.stderr


def in_install(function: str, script: str, folder: Path) -> str:
    """Return what a script says with a function of deploy/install, in a folder for /etc/raffles."""
    text = (DEPLOY / "install").read_text()
    (found,) = re.findall(rf"^{function}\(\) {{.*?^}}\n", text, re.MULTILINE | re.DOTALL)
    script = f"set -euo pipefail\n{found.replace('/etc/raffles', str(folder))}\n{script}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    return done.stdout


def test_install_follows_the_version_but_keeps_what_was_edited(tmp_path: Path) -> None:
    file = tmp_path / "nginx.conf"
    put = f"put {file} <<<"
    assert in_install("put", f"{put}one; {put}one; {put}two", tmp_path) == ""
    assert file.read_text() == "two\n"
    file.write_text("mine\n")
    assert f"{file} was edited and stays" in in_install("put", f"{put}three", tmp_path)
    assert file.read_text() == "mine\n"
    file.unlink()
    assert in_install("put", f"{put}three; {put}four", tmp_path) == ""
    assert file.read_text() == "four\n"


def test_install_renews_its_own_certificate_alone(tmp_path: Path) -> None:
    program("openssl")
    made = (
        f"make() {{ openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=x -out {tmp_path}/tls.crt"
        f" -keyout {tmp_path}/tls.key -days $2 -addext subjectAltName=DNS:$1 2>/dev/null; }}\n"
        "say() { if is_old; then echo old; else echo good; fi; }\nhost=a.example\n"
    )
    said = in_install(
        "is_old",
        f"{made}make a.example 99; say; make a.example 9; say; make b.example 99; say\n"
        f"mv {tmp_path}/tls.crt {tmp_path}/theirs; ln -s theirs {tmp_path}/tls.crt; say",
        tmp_path,
    )
    assert said.split() == ["good", "old", "old", "good"]


def test_etcd_takes_its_options(tmp_path: Path, addresses: dict[str, str]) -> None:
    words = command("etcd", addresses)
    words[0] = program("etcd")
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [word.replace("/var/lib/etcd", str(tmp_path)) for word in words], stderr=log
        )
    try:  # it asks for the other two
        until(lambda: "became candidate" in (tmp_path / "log").read_text() or process.poll())
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


def test_pgbouncer_takes_its_file(tmp_path: Path) -> None:
    port, file = free_port(), tmp_path / "pgbouncer.ini"
    text = (DEPLOY / "cluster/pgbouncer.ini").read_text().replace("6432", str(port))
    (tmp_path / "userlist.txt").write_text('"raffles" "secret"\n')
    file.write_text(text.replace("/etc/pgbouncer", str(tmp_path)))
    for path in (tmp_path, *tmp_path.parents[:2]):
        path.chmod(0o755)
    with running([program("pgbouncer"), "-u", "nobody", str(file)], port) as process:
        assert process.poll() is None


# --- HAProxy in front of three hosts


class Node:
    """A host's site: what it answers to checks, and what it was asked besides."""

    def __init__(self, address: str) -> None:
        self.is_ready, self.is_alive, self.asked = True, True, list[str]()
        node = self

        class Exchange(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/readyz":
                    good = node.is_ready
                else:
                    good = node.is_alive
                    if self.path != "/livez":
                        node.asked.append(self.path)
                self.send_response(200 if good else 503)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer((address, 8000), Exchange)
        threading.Thread(target=self._server.serve_forever, args=(0.02,)).start()

    def end(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextmanager
def three(folder: Path, addresses: dict[str, str]) -> Iterator[tuple[int, list[Node]]]:
    """Provide the port of an HAProxy, and the three nodes behind it."""
    port = free_port()
    with ExitStack() as stack:
        nodes = []
        for n in (1, 2, 3):
            nodes.append(Node(addresses[f"HOST_{n}"]))
            stack.callback(nodes[-1].end)
        words = [program("haproxy"), "-db", *front(folder, f"127.0.0.1:{port}")]
        stack.enter_context(running(words, port, **addresses))
        yield port, nodes


def ask(port: int) -> tuple[int, str | None, bytes]:
    line = HTTPConnection("127.0.0.1", port, timeout=20)
    line.request("GET", "/")
    response = line.getresponse()
    body = response.read()
    line.close()
    return response.status, response.getheader("Retry-After"), body


def answering(port: int, nodes: list[Node]) -> set[int]:
    """Return which nodes were asked by thirty requests, all of which must be answered."""
    for node in nodes:
        node.asked.clear()
    assert {ask(port)[0] for _ in range(30)} == {200}
    return {n for n, node in enumerate(nodes) if node.asked}


@pytest.mark.slow
def test_only_nodes_that_are_ready_are_asked_until_none_is(
    tmp_path: Path, addresses: dict[str, str]
) -> None:
    with three(tmp_path, addresses) as (port, nodes):
        assert answering(port, nodes) == {0, 1, 2}
        nodes[0].is_ready = False
        until(lambda: answering(port, nodes) == {1, 2})
        nodes[1].end()  # nobody listens: not one request may fail
        assert answering(port, nodes) == {2}
        nodes[2].is_ready = False  # no database anywhere
        until(lambda: answering(port, nodes) == {0, 2})
        for node in nodes:
            node.is_alive = False
        nodes[0].end()
        nodes[2].end()
        until(lambda: ask(port)[0] == 503)
        status, retry_after, body = ask(port)
    assert (status, retry_after) == (503, ANSWER["Retry-After"])
    assert json.loads(body) == json.loads(ANSWER.content)


def test_haproxys_own_answer_is_whole() -> None:
    head, _, body = (DEPLOY / "503.http").read_bytes().partition(b"\r\n\r\n")
    assert f"\r\nContent-Length: {len(body)}".encode() in head
    assert f"\r\nContent-Type: {ANSWER['Content-Type']}\r\n".encode() in head
