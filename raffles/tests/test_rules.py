"""Rules: accepted by whoever takes part, named in the terms, and the same bytes for good."""

from __future__ import annotations

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from django.contrib.auth.models import Group, User
from django.core.mail import EmailMessage
from django.db import connections, transaction
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from raffles.admin.rules_field import RulesField
from raffles.domain.creating import hold_terms
from raffles.domain.entering import enter
from raffles.domain.entering_lists import enter_list
from raffles.domain.evidence import export_evidence
from raffles.domain.excluding import Scope, exclude
from raffles.domain.identities import of_mail
from raffles.domain.inviting import make_invitations
from raffles.domain.paper_tickets import print_tickets
from raffles.domain.reading_exclusions import Kind, Person
from raffles.domain.reading_lists import Line
from raffles.domain.refusals import AcceptRules
from raffles.domain.rules import keep_rules, read_rules
from raffles.fairness.verify import hash_terms
from raffles.models import EntryMode, Raffle, Rules, State, Stripe, Ticket
from raffles.tests.api.acting import MANAGER, caller, faults, manager, refused, terms
from raffles.tests.factories import NOW, STAFF, RaffleFactory, take_to
from raffles.tests.nothing_lost.harness import PATIENCE
from raffles.tests.pages.visiting import take_part, text_of, visitor
from raffles.tests.test_admin import form

pytestmark = pytest.mark.django_db
TEXT = "One ticket each.\n\nFrom 18 years on. Für alle: <b>fair</b>.\n"
HASH = sha256(TEXT.encode()).hexdigest()
ACCEPT = (400, "accept_rules", "Accept the rules to take part")


@pytest.fixture(autouse=True)
def _manager(settings: Settings) -> None:
    settings.MANAGER_IPS = [MANAGER]


def with_rules(**changes: Any) -> Raffle:
    return RaffleFactory.create(rules=TEXT, **changes)


def participate(raffle: Raffle, address: str = "198.51.100.1", **body: Any) -> Any:
    return caller(address).post(f"/raffles/{raffle.uuid}/participate/", body, format="json")


# --- The text


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("a", "a\n"),
        ("a\r\nb\rc", "a\nb\nc\n"),
        ("\n\n a  \n\n\nb\n\n", " a\n\n\nb\n"),
        ("e\u0301", "é\n"),
        ("1.\tOne", "1.\tOne\n"),
        (" \r\n\t", ""),
        ("", ""),
    ],
)
def test_text_is_kept_the_same_from_whatever_machine(written: str, kept: str) -> None:
    assert read_rules(written) == kept
    assert read_rules(kept) == kept


@pytest.mark.parametrize("written", ["a\n\u202eb", "a\0", "\u200b", "a" * 50_000, "\ufeffa"])
def test_text_that_cannot_be_shown_as_written_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"Line|At most 50,000 characters\."):
        read_rules(written)


def test_same_text_is_kept_once() -> None:
    assert (
        keep_rules(TEXT, now=NOW, by=STAFF) == keep_rules(TEXT.strip(), now=NOW, by="ada") == HASH
    )
    assert Rules.objects.get().created_by == STAFF


# --- Taking part


def test_raffle_tells_the_hash_that_its_receipts_hold() -> None:
    body = manager().post("/raffles/", terms(rules=TEXT), format="json").json()
    assert body["rules_hash"] == HASH
    raffle = Raffle.objects.get(uuid=body["id"])
    ticket = participate(raffle, accepts=HASH).json()
    assert raffle.terms()["rules_hash"] == HASH
    assert ticket["receipt"]["terms_hash"] == hash_terms(raffle.terms()).hex()


@pytest.mark.parametrize("body", [{}, {"accepts": ""}, {"accepts": "0" * 64}, {"accepts": "yes"}])
def test_missing_or_another_hash_is_refused_and_nothing_is_taken(body: dict[str, str]) -> None:
    raffle = with_rules()
    answers = [participate(raffle, **body)]
    enter(raffle.uuid, identity="ip:192.0.2.99", now=NOW, accepts=HASH)  # then the facts are known
    answers.append(participate(raffle, **body))
    assert [refused(answer) for answer in answers] == [ACCEPT, ACCEPT]
    assert Ticket.objects.count() == 1


@pytest.mark.parametrize("accepts", [None, True, 1, [], {}, "a" * 65, "a\0"])
def test_nonsense_in_its_place_is_400_by_field(accepts: Any) -> None:
    answer = participate(with_rules(), accepts=accepts)
    assert list(faults(answer)) == ["accepts"]


def test_accepting_where_there_are_no_rules_changes_nothing() -> None:
    assert participate(RaffleFactory.create(), accepts=HASH).status_code == 201


@pytest.mark.parametrize("rules", ["a\u202eb", "x" * 50_001, None, 7, ["a"], "a\0"])
def test_bad_rules_make_no_raffle(rules: Any) -> None:
    answer = manager().post("/raffles/", terms(rules=rules), format="json")
    assert list(faults(answer)) == ["rules"]
    assert not Raffle.objects.exists()
    assert not Rules.objects.exists()


def test_order_of_answers_is_400_then_a_repeat_then_410_then_403() -> None:
    raffle = with_rules(total_tickets=1)
    path, client = f"/raffles/{raffle.uuid}/participate/", caller(HTTP_IDEMPOTENCY_KEY="once")
    first, again = (client.post(path, {"accepts": HASH}, format="json") for _ in range(2))
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert refused(participate(raffle))[0] == 400
    assert refused(participate(raffle, accepts=HASH))[0] == 410


@pytest.mark.parametrize("entry", ["address", "email", "invitation"])
def test_repeat_is_answered_by_every_way_whatever_it_accepts(
    entry: str, mailoutbox: list[EmailMessage]
) -> None:
    raffle = with_rules(entry=EntryMode(entry), total_tickets=1)
    asked = _asked(raffle, mailoutbox)
    path, client = f"/raffles/{raffle.uuid}/participate/", caller(HTTP_IDEMPOTENCY_KEY="once")
    assert refused(client.post(path, asked, format="json")) == ACCEPT
    first = client.post(path, asked | {"accepts": HASH}, format="json")
    assert first.status_code == 201
    for accepts in ({"accepts": HASH}, {"accepts": "0" * 64}, {}):
        again = client.post(path, asked | accepts, format="json")
        assert (again.status_code, again.content) == (201, first.content)
    assert Ticket.objects.count() == 1


def _asked(raffle: Raffle, mailoutbox: list[EmailMessage]) -> dict[str, str]:
    """Return what a participant sends who comes the raffle's own way."""
    if raffle.entry == EntryMode.INVITATION:
        made = make_invitations(raffle.uuid, batch="b", amount=1, now=NOW, by=STAFF)
        return {"invitation": made[0]}
    if raffle.entry == EntryMode.EMAIL:
        assert participate(raffle, email="zoe@example.org").status_code == 202
        found = re.search(r"confirmation=([\w-]+)", str(mailoutbox[0].body))
        assert found
        return {"confirmation": found[1]}
    return {}


def test_another_request_of_who_holds_a_ticket_has_to_accept() -> None:
    raffle = with_rules()
    participate(raffle, accepts=HASH)
    other = caller(HTTP_IDEMPOTENCY_KEY="other").post(f"/raffles/{raffle.uuid}/participate/")
    assert refused(other) == ACCEPT


@pytest.mark.django_db(transaction=True)
def test_rules_that_change_before_the_first_ticket_lands_are_not_accepted() -> None:
    raffle = with_rules()

    def accept() -> str:
        try:
            enter(raffle.uuid, identity="ip:192.0.2.1", now=NOW, accepts=HASH)
        except AcceptRules:
            return "refused"
        finally:
            connections.close_all()
        return "entered"

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            held = hold_terms(raffle.pk)
            held.rules_hash = keep_rules("Pay first.", now=NOW, by=STAFF)
            held.save()
            entering = pool.submit(accept)  # it reads the rules before, and waits for a stripe
            with pytest.raises(TimeoutError):
                entering.result(2)
        assert entering.result(PATIENCE) == "refused"
    assert not Ticket.objects.exists()
    assert not Stripe.objects.filter(issued__gt=0).exists()


def test_what_the_staff_hands_out_needs_no_tick() -> None:
    raffle = with_rules(total_tickets=9)
    assert print_tickets(raffle.uuid, batch="b", amount=2, now=NOW, by=STAFF)[1].entries
    assert enter_list(raffle.uuid, [Line(2, "A-1")], now=NOW, by=STAFF)


# --- Pages and files


def test_text_is_at_an_address_of_its_own_as_the_very_bytes() -> None:
    with_rules()
    file = caller().get(f"/rules/{HASH}.txt")
    assert file.content == TEXT.encode()
    assert sha256(file.content).hexdigest() == HASH
    assert file["Content-Type"] == "text/plain; charset=utf-8"
    assert "immutable" in file["Cache-Control"]
    page = caller().get(f"/rules/{HASH}/", HTTP_ACCEPT="text/html")
    assert page.status_code == 200
    assert "Für alle: &lt;b&gt;fair&lt;/b&gt;." in page.content.decode()
    assert HASH in text_of(page)


@pytest.mark.parametrize("name", ["0" * 64, "x", HASH.upper(), "a" * 300])
def test_no_rules_are_404(name: str) -> None:
    with_rules()
    assert caller().get(f"/rules/{name}/").status_code == 404
    assert caller().get(f"/rules/{name}.txt").status_code == 404


def test_page_asks_for_a_tick_beside_the_button() -> None:
    raffle = with_rules()
    path = f"/r/{raffle.uuid}/"
    page = caller().get(path).content.decode()
    assert f'name="accepts" id="accepts" value="{HASH}" required>' in page
    assert f'href="/rules/{HASH}/"' in page
    for accepts in ({}, {"accepts": "0" * 64}, {"accepts": "\0"}):
        answer = take_part(raffle.uuid, **accepts)
        said = answer.content.decode()
        assert answer.status_code == 400
        assert 'id="accepts_error">Accept the rules to take part.' in said
        assert "required checked" not in said
    assert not Ticket.objects.exists()
    assert take_part(raffle.uuid, accepts=HASH).status_code == 201
    other = take_part(raffle.uuid, accepts=HASH)
    assert other.status_code == 403
    assert f'value="{HASH}" required checked>' in other.content.decode()


def test_evidence_and_certificate_lead_to_the_same_bytes(tmp_path: Path) -> None:
    raffle = with_rules(total_tickets=1)
    enter(raffle.uuid, identity="ip:192.0.2.1", now=NOW, accepts=HASH)
    take_to(State.DRAWN, raffle)
    archive = b"".join(export_evidence(raffle.uuid, now=NOW, by=STAFF))
    ZipFile(BytesIO(archive)).extractall(tmp_path)
    run = subprocess.run(["sha256sum", "rules.txt"], cwd=tmp_path, capture_output=True, check=True)
    assert run.stdout.decode().split() == [HASH, "rules.txt"]
    assert f'"rules_hash": "{HASH}"' in (tmp_path / "commitment.json").read_text()
    certificate = caller().get(f"/r/{raffle.uuid}/certificate/").content.decode()
    assert f"/rules/{HASH}.txt" in certificate


# --- The admin


@pytest.fixture
def ada(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("ada"))
    return client


@pytest.mark.once
def test_rules_are_written_in_the_form_until_the_first_ticket(ada: Client) -> None:
    raffle = RaffleFactory.create()
    path = reverse("admin:raffles_raffle_change", args=[raffle.pk])
    fields = form(("Phone", 1)) | {"alternates": 1}
    fields |= {"prizes-INITIAL_FORMS": 1, "prizes-0-id": raffle.prizes.get().pk}
    assert ada.post(path, fields | {"rules": TEXT.replace("\n", "\r\n")}).status_code == 302
    raffle.refresh_from_db()
    assert raffle.rules_hash == HASH
    assert ada.get(path).context["adminform"].form["rules"].value() == TEXT
    refusal = ada.post(path, fields | {"rules": "a\u202eb"})
    assert "Line 1: Control, bidirectional" in refusal.content.decode()
    assert "a\u202eb" in refusal.content.decode()
    assert not RulesField().has_changed(TEXT, TEXT.replace("\n", "\r\n"))
    enter(raffle.uuid, identity="ip:192.0.2.1", now=NOW, accepts=HASH)
    page = ada.get(path).content.decode()
    assert f'href="/rules/{HASH}/"' in page
    assert "<textarea" not in page
    ada.post(path, fields | {"rules": "Other"})
    raffle.refresh_from_db()
    assert raffle.rules_hash == HASH


@pytest.mark.once
def test_auditor_reads_where_the_rules_are(client: Client) -> None:
    raffle = with_rules()
    user = User.objects.create_user("audit", is_staff=True)
    user.groups.add(Group.objects.get(name="Auditor"))
    client.force_login(user)
    page = client.get(reverse("admin:raffles_raffle_change", args=[raffle.pk])).content.decode()
    assert f'href="/rules/{HASH}/"' in page


# --- The other ways in


def test_invitation_is_not_used_up_by_who_accepts_nothing() -> None:
    raffle = with_rules(entry=EntryMode.INVITATION)
    (code,) = make_invitations(raffle.uuid, batch="b", amount=1, now=NOW, by=STAFF)
    assert refused(participate(raffle, invitation=code)) == ACCEPT
    page = take_part(raffle.uuid, invitation=code)
    assert page.status_code == 400
    assert f'value="{code}"' in page.content.decode()
    assert 'id="accepts_error"' in page.content.decode()
    assert participate(raffle, invitation=code, accepts=HASH).status_code == 201


def test_mailed_link_asks_for_the_tick_beside_its_own_button(
    mailoutbox: list[EmailMessage],
) -> None:
    raffle = with_rules(entry=EntryMode.EMAIL)
    assert 'name="accepts"' not in visitor().get(f"/r/{raffle.uuid}/").content.decode()
    assert take_part(raffle.uuid, email="zoe@example.org").status_code == 202
    found = re.search(r"confirmation=([\w-]+)", str(mailoutbox[0].body))
    assert found
    link = found[1]
    opened = visitor().get(f"/r/{raffle.uuid}/", {"confirmation": link}).content.decode()
    assert f'value="{HASH}" required>' in opened
    unticked = take_part(raffle.uuid, confirmation=link)
    assert unticked.status_code == 400
    assert 'id="accepts_error"' in unticked.content.decode()
    assert f'name="confirmation" value="{link}"' in unticked.content.decode()
    assert refused(participate(raffle, confirmation=link)) == ACCEPT
    assert take_part(raffle.uuid, confirmation=link, accepts=HASH).status_code == 201


def test_excluded_mail_address_gets_its_mail_and_no_ticket(mailoutbox: list[EmailMessage]) -> None:
    raffle = RaffleFactory.create(entry=EntryMode.EMAIL)
    person = Person(Kind.MAIL, of_mail("eve@example.org"), "Asked for it")
    exclude([person], Scope(), now=NOW, by=STAFF)
    assert participate(raffle, email="Eve@example.org").status_code == 202
    found = re.search(r"confirmation=([\w-]+)", str(mailoutbox[0].body))
    assert found
    answer = participate(raffle, confirmation=found[1])
    assert refused(answer) == (403, "excluded", "Taking part is not possible for you")
    assert not Ticket.objects.exists()
