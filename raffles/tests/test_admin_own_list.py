"""A new draw from a list in the admin."""

from __future__ import annotations

import csv
import re
from hashlib import sha256
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from raffles.admin.own_list import ListForm
from raffles.domain.drawing import void_raffle
from raffles.models import LogEntry, Raffle, Ticket

pytestmark = pytest.mark.django_db

PAGE = "/admin/raffles/raffle/own-list/"
TERMS = {
    "name": "Spring fair",
    "prizes": "1 Phone, 3 Mug",
    "alternates": 2,
    "entropy": "system",
    "privacy": "number",
}


def table(*changed: tuple[int, str]) -> str:
    lines = ["Number;Name;Town", *(f"K-{n};Zoë {n};Köln" for n in range(2, 202))]
    for number, line in changed:
        lines[number - 1] = line
    return "\r\n".join(lines)


@pytest.fixture
def staff() -> Client:
    return of_group("Manager")


def of_group(name: str) -> Client:
    user = User.objects.create_user(name, is_staff=True)
    user.groups.add(Group.objects.get(name=name))
    client = Client()
    client.force_login(user)
    return client


def post(client: Client, text: str = "", **fields: Any) -> tuple[int, str, Any]:
    answer = client.post(PAGE, TERMS | {"text": text} | fields)
    return answer.status_code, answer.content.decode(), answer.context


def test_a_file_is_checked_mended_drawn_and_its_winners_saved(staff: Client) -> None:
    bad = table((51, "k-7;Twice;Bonn"), (121, ";Nobody;Bonn"))
    file = SimpleUploadedFile("list.csv", bad.encode("cp1252"))
    status, page, context = post(staff, file=file)
    assert status == 400
    assert context["form"].errors == {"holder": ["Choose the column that tells entrants apart."]}
    assert "was read as Windows-1252" in page
    assert '<option value="Number">Number</option>' in page

    chosen = {"holder": "Number", "name_column": "Name"}
    status, page, context = post(staff, bad, **chosen)
    assert (status, context["bad"]) == (
        400,
        [
            (51, "k-7;Twice;Bonn", "the same holder as line 7"),
            (121, ";Nobody;Bonn", "holder: it is empty"),
        ],
    )
    status, page, context = post(staff, table(), **chosen)
    assert (status, context["summary"].tickets, context["more"]) == (200, 200, 190)
    assert "Draw 4 of 200" in page
    assert post(staff, table(), **chosen, step="")[2]["summary"].tickets == 200  # none of ours
    assert Raffle.objects.count() == 0

    status, page, context = post(staff, table(), **chosen, step="draw")
    raffle = Raffle.objects.get()
    assert (status, raffle.state, raffle.name, raffle.entry) == (
        200,
        "drawn",
        "Spring fair",
        "list",
    )
    again = post(staff, table().replace("\r\n", "\n"), **chosen, step="draw")
    assert again[2]["winners"] == context["winners"]
    saved = staff.post(PAGE, TERMS | chosen | {"text": table(), "step": "winners"})
    rows = list(csv.reader(StringIO(b"".join(saved).decode("utf-8-sig"))))
    assert rows[1:] == [[str(cell or "") for cell in row] for row in context["winners"]]
    assert [row[1] for row in rows[1:]] == ["Phone", "Mug", "Mug", "Mug", "", ""]
    for _, _, _, line, holder, name in rows[1:]:
        assert (holder, name) == (f"K-{line}", f"Zoë {line}")
    assert Ticket.objects.filter(username__isnull=True).count() == 200
    assert LogEntry.objects.get(action="entries.added").by.startswith("staff Manager from ")


def test_several_tickets_and_channels_come_from_columns_of_the_table(staff: Client) -> None:
    text = "holder,Orders,Way\na,3,paid\nb,1,postal\nc,,\n"
    chosen = {"tickets_column": "Orders", "channel_column": "Way", "max_wins_per_holder": "1"}
    asked = chosen | {"prizes": "2 Mug", "alternates": "0"}
    status, page, context = post(staff, text, **asked, tickets_per_holder="2")
    assert (status, context["bad"]) == (
        400,
        [(2, "a,3,paid", "tickets: at most 2 for a holder")],
    )
    status, page, context = post(staff, text, **asked)
    assert (status, context["summary"].tickets) == (200, 5)
    assert "Entrants: 3, with 5 tickets, at most 3 of one; prizes: 2." in page
    assert "Draw 2 of 5" in page
    post(staff, text, **asked, step="draw")
    raffle = Raffle.objects.get()
    assert (raffle.tickets_per_holder, raffle.max_wins_per_holder) == (3, 1)
    told = raffle.tickets.order_by("slot").values_list("nth", "channel")
    assert [*told] == [(0, "paid"), (1, "paid"), (2, "paid"), (0, "postal"), (0, None)]


def test_rules_go_through_every_step_into_the_terms(staff: Client) -> None:
    written, kept = "One ticket each.\r\n\r\nFrom 18 on. ", "One ticket each.\n\nFrom 18 on.\n"
    status, _, context = post(staff, "holder\na\nb\n", rules="a\n\u202eb", prizes="1 Mug")
    assert (status, list(context["form"].errors)) == (400, ["rules"])
    asked = {"prizes": "1 Mug", "alternates": "0"}
    status, page, _ = post(staff, "holder\na\nb\n", **asked, rules=written)
    found = re.search(r'<input type="hidden" name="rules" value="([^"]*)">', page)
    assert found
    assert status == 200
    assert "<dd><p>One ticket each.</p>\n\n<p>From 18 on." in page  # before it is drawn
    _, _, context = post(staff, "holder\na\nb\n", **asked, rules=found[1], step="draw")
    raffle = Raffle.objects.get()
    assert raffle.rules_hash == sha256(kept.encode()).hexdigest()
    again = post(staff, "holder\na\nb\n", **asked, rules=kept, step="draw")
    assert again[2]["winners"] == context["winners"]
    assert Raffle.objects.count() == 1


def test_a_file_that_is_too_large_is_told_beside_it(staff: Client) -> None:
    assert "At most 2 MB." in staff.get(PAGE).content.decode()
    file = SimpleUploadedFile("list.csv", b"holder\n" + b"a" * 9_000_000)
    status, page, context = post(staff, file=file)
    assert (status, context["form"].errors) == (
        400,
        {"file": ["The file has more than 2,000,000 bytes."]},
    )
    assert f'value="{TERMS["name"]}"' in page


def test_a_table_is_no_larger_for_being_sent_again_by_a_browser(
    monkeypatch: pytest.MonkeyPatch, staff: Client
) -> None:
    monkeypatch.setattr(ListForm, "most", 20)
    file = SimpleUploadedFile("list.csv", b"holder\na\nb\nc\nd\ne\n")
    assert post(staff, file=file)[0] == 200
    status, _, context = post(staff, "holder\r\na\r\nb\r\nc\r\nd\r\ne\r\n")
    assert (status, context["summary"].tickets) == (200, 5)


def test_a_slip_in_the_column_of_tickets_is_told_beside_its_line(staff: Client) -> None:
    text = "holder,tickets\na,1\nb,1000000\nc,1\n"
    fault = "at most 500,000 tickets; this and all below"
    for more in ({}, {"step": "draw"}):
        status, page, context = post(staff, text, **more)
        assert (status, context["bad"]) == (400, [(3, "b,1000000", fault)])
        assert "manage.py draw_list" in page
    assert Raffle.objects.count() == 0


def links(client: Client, text: str, **fields: Any) -> list[dict[str, str]]:
    """Save the personal links, and return the rows."""
    answer = client.post(PAGE, TERMS | fields | {"text": text, "step": "links"})
    assert answer["Content-Disposition"].startswith('attachment; filename="entries-')
    assert "no-store" in answer["Cache-Control"]
    return list(csv.DictReader(StringIO(b"".join(answer).decode("utf-8-sig"), newline="")))


def test_personal_links_are_saved_before_the_draw_and_after_it(staff: Client) -> None:
    text, asked = "holder,tickets\na,2\nb,1\n", {"prizes": "1 Cake"}
    page = post(staff, text, **asked)[1]
    assert "Enter them, and draw later" in page
    status, page, _ = post(staff, text, **asked, step="enter")
    raffle = Raffle.objects.get()
    assert (status, raffle.state, raffle.tickets.count()) == (200, "open", 3)
    assert "All of them are entered, and nothing is drawn yet." in page
    assert "Save the personal links" in page
    assert "Draw now" in page
    before = links(staff, text, **asked)
    assert [row["holder"] for row in before] == ["a", "a", "b"]
    assert Raffle.objects.get().state == "open"
    page = post(staff, text, **asked, step="draw")[1]
    assert Raffle.objects.get().state == "drawn"
    assert "Save the personal links" in page
    assert links(staff, text, **asked) == before
    for row in before:
        assert row["link"].endswith(f"/r/{raffle.uuid}/ticket/#{row['number']}.{row['code']}")
        assert row["code"] not in page
    acts = LogEntry.objects.filter(action="links.exported")
    assert acts.count() == 2
    assert {act.by.startswith("staff Manager from ") for act in acts} == {True}


def test_links_are_for_those_who_may_export(staff: Client) -> None:
    user = User.objects.create_user("maker", is_staff=True)
    names = ("add_raffle", "view_raffle", "run_raffle")
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    maker = Client()
    maker.force_login(user)
    text, asked = "holder\na\nb\n", {"prizes": "1 Cake"}
    assert post(maker, text, **asked, step="links")[0] == 403
    assert Raffle.objects.count() == 0
    status, page, _ = post(maker, text, **asked, step="enter")
    assert (status, "personal links" in page) == (200, False)
    void_raffle(Raffle.objects.get().uuid, reason="Rain", now=timezone.now(), by="staff")
    status, page, _ = post(staff, text, **asked, step="links")
    assert (status, "personal links" in page, "called off: Rain" in page) == (200, False, True)


def test_the_same_table_opens_its_draw_under_a_newer_key_too(
    staff: Client, settings: Settings
) -> None:
    text, asked = "holder\na\nb\n", {"prizes": "1 Cake"}
    post(staff, text, **asked, step="draw")
    before = links(staff, text, **asked)
    settings.TICKET_KEYS = [b"a newer key of 32 bytes, at least", *settings.TICKET_KEYS]
    assert links(staff, text, **asked) == before
    assert Raffle.objects.count() == 1


def test_what_is_wrong_is_beside_its_field_and_nothing_is_lost(staff: Client) -> None:
    text = "holder\na\nb\nc\nd\n"
    for field, value, sentence in (
        ("prizes", "Phone", "Write a number and a name, such as 3 Mug, for “Phone”."),
        ("prizes", "\u202ePhone", "Write a number and a name, such as 3 Mug, for “\ufffdPhone”."),
        ("prizes", "5 Phone", "Too many prizes"),
        ("name", "", "This field is required."),
        ("holder", "Nummer", "Choose the column that tells entrants apart."),
        ("alternates", "-1", "Ensure this value is greater than or equal to 0."),
    ):
        status, page, context = post(staff, text, **{field: value})
        assert (status, context["form"].errors) == (400, {field: [sentence]})
        assert "a\nb" in page
    file = SimpleUploadedFile("list.csv", text.encode())
    status, page, context = post(staff, file=file, prizes="")
    assert (status, context["form"].errors) == (400, {"prizes": ["This field is required."]})
    assert "a\nb" in page  # the file's lines are there still
    assert post(staff)[0] == 400
    assert Raffle.objects.count() == 0


def test_it_is_for_those_who_may_add_and_run_raffles(staff: Client) -> None:
    assert (
        'href="/admin/raffles/raffle/own-list/"'
        in staff.get("/admin/raffles/raffle/").content.decode()
    )
    for group in ("Operator", "Auditor"):
        client = of_group(group)
        assert client.get(PAGE).status_code == 403
        assert "own-list" not in client.get("/admin/raffles/raffle/").content.decode()


def test_a_sealed_list_waits_and_goes_on(staff: Client) -> None:
    asked = {"entropy": "drand", "prizes": "1 Cake", "step": "draw"}
    status, page, context = post(staff, "holder\na\nb\n", **asked)
    raffle = Raffle.objects.get()
    assert (status, raffle.state, context["winners"]) == (200, "sealed", [])
    assert "The pool is sealed and its fingerprint is public" in page
    assert "Go on" in page
    void_raffle(raffle.uuid, reason="Rain", now=timezone.now(), by="staff")
    page = post(staff, "holder\na\nb\n", **asked)[1]
    assert "was called off: Rain" in page
    assert "Go on" not in page
