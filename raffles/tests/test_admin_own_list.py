"""A new draw from a list in the admin."""

from __future__ import annotations

import csv
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

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
    assert (status, context["count"], context["more"]) == (200, 200, 190)
    assert "Draw 4 of 200" in page
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


def test_what_is_wrong_is_beside_its_field_and_nothing_is_lost(staff: Client) -> None:
    text = "holder\na\nb\nc\nd\n"
    for field, value, sentence in (
        ("prizes", "Phone", "Write a number and a name, such as 3 Mug, for “Phone”."),
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
