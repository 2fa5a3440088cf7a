"""What a server has done before it answers: its keys are in the log. Real servers and files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from raffles.fairness.receipts import Signer
from raffles.tests.serving import SITE, free_port, running

pytestmark = pytest.mark.slow

OLD, NEW = "0a" * 32, "0b" * 32
PUBLIC = {seed: Signer([bytes.fromhex(seed)]).public_key for seed in (OLD, NEW)}
APPLICATION = "rafflesite.asgi:application"
SERVERS = {
    "gunicorn": ["-m", "gunicorn", "--workers", "2", "--bind", "127.0.0.1:{port}"],
    "gunicorn with preload": ["-m", "gunicorn", "--preload", "--bind", "127.0.0.1:{port}"],
    "granian": ["-m", "granian", "--interface", "asgi", "--port", "{port}", APPLICATION],
    "runserver": ["manage.py", "runserver", "--noreload", "127.0.0.1:{port}"],
}


def environment(folder: Path, **more: str) -> dict[str, str]:
    return {
        "ENV_FILE": "",
        "DATABASE_URL": f"sqlite:///{folder / 'db.sqlite3'}",
        "STATE_DIR": str(folder / "state"),
        "SECRET_KEY": "s" * 60,
        "TICKET_KEY": "ab" * 32,
        "RECEIPT_KEY": OLD,
        **more,
    }


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a database that `migrate` made, whose log knows one key."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
    subprocess.run(command, cwd=SITE, env=os.environ | environment(folder), check=True)
    return folder


@contextmanager
def serving(server: str, variables: dict[str, str]) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, *(word.format(port=port) for word in SERVERS[server])]
    with running(command, port, **variables):
        yield f"http://127.0.0.1:{port}"


def get(url: str) -> tuple[int, Any]:
    try:
        with urlopen(url, timeout=60) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        return error.code, json.load(error)


@pytest.mark.parametrize("server", SERVERS)
def test_a_new_key_is_announced_before_the_first_answer(
    server: str, migrated: Path, tmp_path: Path
) -> None:
    shutil.copytree(migrated, tmp_path / "site")
    variables = environment(tmp_path / "site", RECEIPT_KEY=f"{NEW},{OLD}")
    with serving(server, variables) as site:
        status, answer = get(f"{site}/.well-known/raffle-keys.json")
    announced = [(key["public_key"], key["until"]) for key in answer["keys"]]
    assert (status, announced) == (200, [(PUBLIC[OLD], 0), (PUBLIC[NEW], 0)])


@pytest.mark.parametrize("server", SERVERS)
def test_a_server_comes_up_before_its_database(server: str, tmp_path: Path) -> None:
    with serving(server, environment(tmp_path)) as site:
        assert get(f"{site}/livez") == (200, {"status": "ok"})
        status, answer = get(f"{site}/readyz")
    assert (status, answer["code"]) == (503, "not_migrated")


@pytest.mark.parametrize("server", ["gunicorn", "granian"])
def test_a_server_comes_up_without_its_database(server: str, tmp_path: Path) -> None:
    away = f"postgres://nobody@127.0.0.1:{free_port()}/away"
    with serving(server, environment(tmp_path, DATABASE_URL=away)) as site:
        status, answer = get(f"{site}/readyz")
    assert (status, answer["code"]) == (503, "unavailable")
