"""A draw from a list in the back office, as its user sees it from the file to the winners."""

from __future__ import annotations

import csv
from pathlib import Path
from urllib.parse import urlsplit

from django.contrib.auth.models import User

from raffles.models import Raffle
from raffles.tests.browser.test_back_office import WCAG, axe, boss
from raffles.tests.browser.test_every_page import inaccessible, pale_in_the_dark, too_wide
from raffles.tests.browser.visiting import BROWSER, Visit, Visitor

__all__ = ["axe", "boss"]  # fixtures

pytestmark = BROWSER


def unsound(visitor: Visitor, axe: str) -> list[str]:
    said = list(visitor.faults)
    found = [*inaccessible(visitor, axe, WCAG), *pale_in_the_dark(visitor), *too_wide(visitor)]
    visitor.page.set_viewport_size({"width": 1280, "height": 800})
    visitor.faults.clear()  # where a sheet imports another, axe itself tries inline styles
    return said + found


def test_a_list_is_mended_and_drawn_and_its_winners_saved(
    visit: Visit, axe: str, boss: User, tmp_path: Path
) -> None:
    file = tmp_path / "club.csv"
    file.write_bytes("Nr;Wer\r\n1;Änne\r\n2;Bo\r\n1;Änne\r\n".encode("cp1252"))
    visitor = visit(reduced_motion="reduce")
    visitor.log_in(boss)
    page = visitor.go("/admin/raffles/raffle/")
    page.get_by_role("link", name="New draw from a list").click()
    page.set_input_files("[name=file]", file)
    page.fill("[name=name]", "Club evening")
    page.fill("[name=prizes]", "A cake")
    visitor.press("Check")
    visitor.see("Write a number and a name")
    assert page.evaluate("document.activeElement.name") == "prizes"
    page.fill("[name=prizes]", "1 Cake")
    page.select_option("[name=holder]", "Nr")
    page.select_option("[name=name_column]", "Wer")
    visitor.press("Check again")
    visitor.see("the same holder as line 2")
    found = {"bad": unsound(visitor, axe)}
    page.fill("[name=text]", page.input_value("[name=text]").replace("1;Änne\n2", "3;Änne\n2"))
    visitor.press("Check again")
    visitor.see("Entrants, one ticket each: 3; prizes: 1.")
    found["checked"] = unsound(visitor, axe)
    assert not page.get_by_text("check it again first").is_visible()
    page.fill("#change [name=prizes]", "2 Cake")  # and not what was checked
    visitor.see("check it again first")
    assert page.get_by_role("button", name="Draw 1 of 3").is_disabled()
    visitor.press("Check again")
    visitor.see("prizes: 2.")
    page.fill("#change [name=prizes]", "1 Cake")
    visitor.press("Check again")
    visitor.press("Draw 1 of 3")
    visitor.see("The winners of “Club evening” are drawn, among 3 tickets.")
    found["drawn"] = unsound(visitor, axe)
    with page.expect_download() as saved:
        visitor.press("Save the winners as a table")
    with Path(saved.value.path()).open(encoding="utf-8-sig", newline="") as table:
        rows = list(csv.DictReader(table))
    first = Raffle.objects.get().winners.get(rank=1)
    assert int(rows[0]["ticket number"]) == first.ticket_number()
    assert {row["holder"]: row["name"] for row in rows} == {"1": "Änne", "2": "Bo", "3": "Änne"}
    assert found == {"bad": [], "checked": [], "drawn": []}


def test_everybody_gets_their_own_link_before_the_draw_and_finds_what_became_of_it(
    visit: Visit, axe: str, boss: User
) -> None:
    visitor = visit(reduced_motion="reduce")
    visitor.log_in(boss)
    page = visitor.go("/admin/raffles/raffle/own-list/")
    page.fill("[name=text]", "holder,tickets\nänne@example.org,2\nBo,1\n")
    page.fill("[name=name]", "Club evening")
    page.fill("[name=prizes]", "3 Cake")
    page.fill("[name=alternates]", "0")
    visitor.press("Check")
    visitor.press("Enter them, and draw later")
    visitor.see("All of them are entered, and nothing is drawn yet.")
    found = {"entered": unsound(visitor, axe)}
    with page.expect_download() as saved:
        visitor.press("Save the personal links")
    with Path(saved.value.path()).open(encoding="utf-8-sig", newline="") as table:
        rows = list(csv.DictReader(table))
    assert [row["holder"] for row in rows] == ["änne@example.org", "änne@example.org", "Bo"]

    address = urlsplit(rows[1]["link"])
    holder = visit()
    holder.go(f"{address.path}#{address.fragment}")
    assert holder.page.input_value("[name=ticket_number]") == rows[1]["number"]
    holder.press("Look it up")
    holder.see("Number and code belong together.")
    found["ticket"] = unsound(holder, axe)

    visitor.press("Draw now")
    visitor.see("The winners of “Club evening” are drawn, among 3 tickets.")
    bare = visit(java_script_enabled=False)
    bare.go(address.path)
    bare.write("Number or identifier", "Änne@example.org")
    bare.write("Code", rows[2]["code"])
    bare.press("Look it up")
    bare.see("Number or identifier and code do not belong together.")
    bare.write("Code", rows[1]["code"].lower())
    bare.press("Look it up")
    bare.see("You have won!")
    assert found == {"entered": [], "ticket": []}
