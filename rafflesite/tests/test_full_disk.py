"""A disk that is full, a small one of memory: 503 until there is room, and /readyz says so."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from pytest_django import Settings

from raffles.models import Raffle
from raffles.tests.factories import RaffleFactory
from rafflesite.health import disk_warnings

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount"),
]
MEGABYTE = 1024 * 1024


class Disk:
    """A file system that can be filled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self) -> None:
        with self._filler.open("wb", buffering=0) as filler:
            while free := shutil.disk_usage(self.folder).free:
                filler.write(bytes(min(free, MEGABYTE)))

    def clear(self) -> None:
        self._filler.unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """Yield a disk of 24 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=24m,mode=0777", "none", str(folder)]
    if subprocess.run(mounting, check=False, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        yield Disk(folder)
    finally:
        connection.close()
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def tickets_on(disk: Disk) -> Iterator[None]:
    """Have the database's tickets, and what it spills, on that disk; SQLite's whole file."""
    if connection.vendor == "sqlite":
        name = connection.settings_dict["NAME"]
        connection.close()  # which leaves one file
        connection.settings_dict["NAME"] = shutil.copy(name, disk.folder / "db.sqlite3")
        try:
            yield
        finally:
            connection.close()
            connection.settings_dict["NAME"] = name
        return
    for place in (*disk.folder.parents[:-2], disk.folder):  # below /tmp, pytest's are its user's
        place.chmod(place.stat().st_mode | 0o011)
    shutil.chown(disk.folder, "postgres")
    name = f"small_{os.getpid()}"
    said(f"CREATE TABLESPACE {name} LOCATION '{disk.folder}'")
    try:
        said(f"ALTER TABLE raffles_ticket SET TABLESPACE {name}", f"SET temp_tablespaces = {name}")
        yield
    finally:
        said("ALTER TABLE raffles_ticket SET TABLESPACE pg_default", "RESET temp_tablespaces")
        said(f"DROP TABLESPACE {name}")


def said(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def take_part(client: Client, raffle: Raffle, address: str) -> int:
    path = f"/raffles/{raffle.uuid}/participate/"
    answer = client.post(path, content_type="application/json", REMOTE_ADDR=address)
    assert (answer.status_code == 503) == ("Retry-After" in answer)
    return answer.status_code


@pytest.mark.usefixtures("unpooled")
def test_database_whose_disk_is_full_is_503_until_there_is_room(client: Client, disk: Disk) -> None:
    if connection.vendor == "postgresql" and connection.settings_dict["HOST"] != "127.0.0.1":
        pytest.skip("the server's disk is not ours")
    raffle = RaffleFactory.create(total_tickets=1_000)
    with tickets_on(disk):
        assert client.get("/readyz").status_code == 200
        disk.fill()
        # SQLite's log may have room of its own for some.
        seen = [take_part(client, raffle, f"203.0.113.{n}") for n in range(200)]
        assert seen[-1] == 503
        assert set(seen) <= {201, 503}
        assert client.get("/readyz").status_code == 503
        assert client.get(f"/raffles/{raffle.uuid}/").status_code == 200
        disk.clear()
        assert client.get("/readyz").status_code == 200
        assert take_part(client, raffle, "203.0.113.250") == 201
        issued = raffle.tickets.count()
    assert issued == seen.count(201) + 1


def test_state_folder_with_little_room_is_a_warning(disk: Disk, settings: Settings) -> None:
    settings.STATE_DIR = disk.folder / "state"
    assert disk_warnings() == [f"The disk of STATE_DIR ({settings.STATE_DIR}) has 24 MB left."]
