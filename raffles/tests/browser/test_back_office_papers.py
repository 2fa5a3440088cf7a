"""A member of the staff takes files away and prints tickets, and a participant checks one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone

from raffles.domain.drawing import advance
from raffles.models import Raffle
from raffles.tests.browser.visiting import BROWSER, Visit, Visitor
from raffles.tests.factories import STAFF, RaffleFactory, enter_nth

pytestmark = BROWSER

FIELDS = ("ticket_number", "verification_code")
SPLIT = """() => [...document.querySelectorAll(".ticket")].filter((ticket) => {
  const inner = ticket.getBoundingClientRect();
  const sheet = ticket.closest(".sheet").getBoundingClientRect();
  return inner.bottom > sheet.bottom || inner.right > sheet.right;
}).length"""
CUT_OFF = """() => [...document.querySelectorAll(".ticket")].filter((ticket) =>
  ticket.scrollHeight > ticket.clientHeight || ticket.scrollWidth > ticket.clientWidth).length"""


@pytest.fixture
def manager() -> User:
    user = User.objects.create_user("mia", is_staff=True)
    user.groups.set([Group.objects.get(name="Manager")])
    return user


def change(raffle: Raffle) -> str:
    return f"/admin/raffles/raffle/{raffle.pk}/change/"


def saved(visitor: Visitor, name: str, folder: Path) -> Path:
    """Return the file that a button or link of that name gives."""
    with visitor.page.expect_download() as download:
        visitor.press(name)
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def drawn() -> Raffle:
    raffle = RaffleFactory.create(name="Tombola")
    for n in range(3):
        enter_nth(raffle, n)
    advance(raffle.pk, now=timezone.now(), clock=timezone.now, by=STAFF)
    return raffle


def test_files_are_taken_away_and_the_evidence_holds(
    visit: Visit, manager: User, tmp_path: Path
) -> None:
    visitor = visit(width=360, accept_downloads=True)
    visitor.log_in(manager)
    visitor.go(change(drawn()))
    visitor.press("Export")
    table = saved(visitor, "Winners (csv)", tmp_path)
    assert table.read_text("utf-8-sig").splitlines()[1].startswith("Tombola,")
    ZipFile(saved(visitor, "Evidence (zip)", tmp_path)).extractall(tmp_path / "empty")
    command = ["verify.py", "proof.json", "--commitment", "commitment.json"]
    done = subprocess.run(
        [sys.executable, "-I", *command, "--keys", "raffle-keys.json"],
        cwd=tmp_path / "empty",
        env={},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    verdict = "VALID, randomness vouched for by the operator only"
    assert done.stdout.splitlines()[-1] == verdict
    assert visitor.run("() => document.documentElement.scrollWidth") == 360


def test_tickets_are_printed_and_one_is_looked_up(
    visit: Visit, manager: User, tmp_path: Path
) -> None:
    # The widest that can come: everything as long as it may be.
    raffle = RaffleFactory.create(
        name="W" * 200, total_tickets=10_000_000, claim={"claim_place": "W" * 200}
    )
    visitor = visit(accept_downloads=True)
    visitor.log_in(manager)
    visitor.go(change(raffle))
    visitor.press("Tickets on paper")
    visitor.page.get_by_label("Tickets:").fill("13")
    visitor.press("Hand out and show")
    visitor.see("13 tickets, 2 sheets of A4.")
    paper = visitor.page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", paper)) == 2
    assert (visitor.run(SPLIT), visitor.run(CUT_OFF)) == (0, 0)
    assert "verification_code" not in saved(visitor, "Save the receipts", tmp_path).read_text()
    ticket = visitor.page.locator(".ticket").first
    number, code = (ticket.locator(f".{part} b").inner_text() for part in ("number", "code"))

    holder = visit(width=360)
    holder.go(f"/r/{raffle.uuid}/ticket/#{number}.{code}")
    filled = [holder.page.locator(f"input[name={name}]").input_value() for name in FIELDS]
    assert filled == [number, code]
