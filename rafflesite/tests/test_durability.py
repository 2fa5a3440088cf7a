"""What the database promises is read from the server: `check --database default`."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection

from rafflesite.durability import Promises, broken, check_durability


def ids() -> list[str | None]:
    return [each.id for each in check_durability(databases=["default"])]


@pytest.mark.parametrize(
    ("promises", "expected"),
    [
        (Promises("on", "on", 0), []),
        (Promises("on", "remote_apply", 0), []),
        (Promises("off", "on", 0), ["rafflesite.W005"]),
        (Promises("on", "local", 0), ["rafflesite.W006"]),
        (Promises("on", "remote_write", 0), ["rafflesite.W006"]),
        (Promises("on", "on", 2), ["rafflesite.W007"]),
    ],
)
def test_each_broken_promise_is_a_warning_with_a_hint(
    promises: Promises, expected: list[str]
) -> None:
    found = list(broken(promises))
    assert [each.id for each in found] == expected
    assert all(each.hint for each in found)


@pytest.mark.postgres
@pytest.mark.django_db
@pytest.mark.parametrize(("value", "expected"), [("on", []), ("off", ["rafflesite.W006"])])
def test_the_setting_of_this_role_in_this_database_counts(value: str, expected: list[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL synchronous_commit = {value}")
    assert ids() == expected


@pytest.mark.django_db
def test_it_is_asked_only_when_databases_are_checked() -> None:
    written = StringIO()
    call_command("check", stdout=written, stderr=written)
    assert "W006" not in written.getvalue()
    call_command("check", databases=["default"], stdout=written, stderr=written)
    is_asked = connection.vendor == "postgresql"  # whose tests wait for no flush
    assert ("rafflesite.W006" in written.getvalue()) == is_asked


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.usefixtures("unpooled")  # in no transaction, in which the statistics stand still
@pytest.mark.skipif(not shutil.which("pg_receivewal"), reason="pg_receivewal is not installed")
def test_a_standby_that_nobody_waits_for_is_a_warning(tmp_path: Path) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = on")
    facts = connection.settings_dict
    server = ["-h", facts["HOST"] or "127.0.0.1", "-p", str(facts["PORT"] or 5432)]
    follower = subprocess.Popen(
        ["pg_receivewal", *server, "-U", facts["USER"], "-w", "-D", str(tmp_path), "--no-loop"],
        env=os.environ | {"PGPASSWORD": facts["PASSWORD"]},
    )
    try:
        deadline = time.monotonic() + 20
        while ids() == [] and follower.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        if follower.poll() is not None:
            pytest.skip("the server lets nobody follow it")
        assert ids() == ["rafflesite.W007"]
    finally:
        follower.kill()
        follower.wait()
        connection.close()
