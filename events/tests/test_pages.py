"""The first page and the pages of events: what comes, taking part under a name, who won."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from pytest_django import DjangoAssertNumQueries, Settings

from events.tests.acting import DAY, DRAW, NOW, at, manage, participate, run, scheduled, taken
from raffles.domain.erasing import erase_holder
from raffles.domain.identities import of_user
from raffles.domain.prizes import forfeit, replace_winner
from raffles.models import Contact, Raffle, State, Ticket, Winner
from raffles.tests.factories import RaffleFactory
from raffles.tests.pages.visiting import head_of, notice, press, text_of, ticket_on, visitor

pytestmark = pytest.mark.django_db
DATE = NOW.date()


def look(path: str, now: Any = NOW) -> Any:
    """Return a page at a moment."""
    with at(now):
        return visitor().get(path)


def enter(username: str, *, slug: str = "breakfast", now: Any = NOW, **fields: Any) -> Any:
    """Press the event's button."""
    with at(now):
        return press(f"/e/{slug}/", username=username, **fields)


def drawn(*usernames: str, **changes: Any) -> UUID:
    """Schedule, enter and draw the first date; return its raffle's id."""
    scheduled(**changes)
    tickets = [taken(name, slug=changes.get("slug", "breakfast")) for name in usernames]
    run(DRAW)
    return UUID(tickets[0]["raffle_id"])


def test_home_shows_what_comes_and_who_won() -> None:
    scheduled()
    RaffleFactory.create(name="Tombola", now=NOW)
    RaffleFactory.create(name="Friday draw", closes_at=NOW + DAY, now=NOW)
    RaffleFactory.create(name="Old fair", state=State.DRAWN)

    text = text_of(look("/", NOW + timedelta(hours=8)))

    _, _, rest = text.partition("Next draws")
    coming, _, rest = rest.partition("Open raffles")
    unplanned, _, lately = rest.partition("Winners of the last seven days")
    assert coming.index("Friday draw") < coming.index("Breakfast")  # 6:00 and 7:00 of tomorrow
    assert "Wednesday, Feb. 11, 2026, 08:00 CET" in coming  # on the event's own clocks
    assert "Tombola" in unplanned
    assert "Old fair" in lately


def test_home_names_winners_as_far_as_privacy_shows_them() -> None:
    drawn("Alice Archer", slug="full")
    drawn("Bob Baker", slug="letters", privacy="initials")
    drawn("Carol Cook", slug="secret", privacy="number")

    text = text_of(look("/", DRAW + DAY))

    assert "Coffee Alice Archer Ticket" in text
    assert "Coffee B. B. Ticket" in text
    assert "Carol" not in text


def test_home_and_archive_show_who_holds_a_prize_now() -> None:
    raffle_id = drawn("Alice", "Bob")
    first, second = (
        (str(winner.ticket.username), winner.ticket_number())
        for winner in Winner.objects.select_related("ticket").order_by("rank")
    )
    assert f"Coffee {first[0]} Ticket {first[1]}" in text_of(look("/", DRAW))

    replace_winner(raffle_id, ticket_number=first[1], reason="Away", now=DRAW, by="staff")
    for path in ("/", "/winners/"):
        text = text_of(look(path, DRAW))
        assert f"Coffee {second[0]} Ticket {second[1]}" in text
        assert first[0] not in text

    forfeit(raffle_id, ticket_number=second[1], reason="Away", now=DRAW, by="staff")
    for path in ("/", "/winners/"):
        text = text_of(look(path, DRAW))
        assert "Coffee Forfeited" in text
        assert second[0] not in text


def test_home_says_that_there_were_fewer_tickets_than_prizes() -> None:
    drawn("Alice", "Bob", default_reward={"name": "Coffee", "amount": 3})
    raffle = Raffle.objects.get()

    said = "Fewer tickets than prizes: 2 for 3. One prize was not won."
    for path in ("/", "/winners/", f"/r/{raffle.uuid}/", f"/e/breakfast/{DATE}/"):
        assert said in text_of(look(path, DRAW)), path


def test_sold_out_raffle_is_not_among_the_open_ones() -> None:
    RaffleFactory.create(name="Tombola", tickets=3, now=NOW)
    RaffleFactory.create(name="Bazaar", tickets=2, total_tickets=3, now=NOW)

    _, _, rest = text_of(look("/")).partition("Open raffles")
    unplanned, _, full = rest.partition("Sold out")

    assert "Bazaar" in unplanned
    assert "1 of 3 tickets left" in unplanned
    assert "Tombola" not in unplanned
    assert "Tombola" in full
    assert 'value="2" max="3" aria-label="Tickets taken"' in look("/").content.decode()


def test_archive_is_searched_and_turned_page_by_page() -> None:
    drawn("Alice", slug="first", name="First <b>light</b>")
    for number in range(25):
        RaffleFactory.create(name=f"Fair {number}", state=State.DRAWN)

    newest = look("/winners/", DRAW)
    (older,) = re.findall(r'href="(\?before=\d+)" rel="next"', newest.content.decode())
    oldest = look(f"/winners/{older}", DRAW)
    (back,) = re.findall(r'href="(\?after=\d+)" rel="prev"', oldest.content.decode())

    assert "Fair 24" in text_of(newest)
    assert "Fair 0 " not in text_of(newest)
    assert "Fair 0 " in text_of(oldest)
    assert "First <b>light</b>" in text_of(oldest)
    assert (
        text_of(look(f"/winners/{back}", DRAW)).partition("Draws ")[2]
        == (text_of(newest).partition("Draws ")[2])
    )
    found = text_of(look("/winners/?name=LIGHT", DRAW))
    assert "Coffee Alice Ticket" in found
    assert "Fair" not in found
    assert "Nothing was found." in text_of(look("/winners/?name=nowhere", DRAW))
    assert "Nothing was found." in text_of(look("/winners/?until=2020-01-01", DRAW))
    for wrong in ("until=yesterday", "before=-1", "after=x", "name=%00"):
        assert look(f"/winners/?{wrong}", DRAW).status_code == 400


def test_archive_is_searched_by_winner_where_names_are_public() -> None:
    full = drawn("Alice", "Bob", slug="full", name="Full names")
    drawn("Alice", slug="short", name="Initials alone", privacy="initials")
    drawn("Alice", slug="none", name="Numbers alone", privacy="number")

    def names(query: str) -> list[str]:
        text = text_of(look(f"/winners/?winner={query}", DRAW))
        return [name for name in ("Full names", "Initials", "Numbers") if name in text]

    winner = Winner.objects.get(raffle__uuid=full, rank=1)
    won = str(winner.ticket.username)
    lost = "Bob" if won == "Alice" else "Alice"
    assert names(won.upper()) == names(f"{won}&name=names") == ["Full names"]
    assert names(lost) == names(won[:2]) == names(f"{won}&name=alone") == []
    assert look("/winners/?winner=%00", DRAW).status_code == 400

    replace_winner(full, ticket_number=winner.ticket_number(), reason="Away", now=DRAW, by="staff")
    assert names(lost) == ["Full names"]  # whoever holds it now, and whoever held it
    assert names(won) == ["Full names"]
    erase_holder(of_user(lost), now=DRAW, raffles=[winner.raffle])
    assert names(lost) == []
    manage("patch", "/events/full/", {"privacy": "initials"}, DRAW)
    assert names(won) == []


def test_search_for_a_winner_passes_over_raffles_whose_key_is_lost(settings: Settings) -> None:
    drawn("Alice", slug="old", name="Under the lost one")
    assert "Under the lost one" in text_of(look("/winners/?winner=alice", DRAW))
    settings.TICKET_KEYS = [b"another" * 5]
    assert "Nothing was found." in text_of(look("/winners/?winner=alice", DRAW))
    drawn("Alice", slug="new", name="Under another")
    found = text_of(look("/winners/?winner=alice", DRAW))
    assert ("Under the lost one" in found, "Under another" in found) == (False, True)


@pytest.mark.parametrize("count", [1, 3])
def test_search_for_a_winner_costs_the_same_for_one_and_for_three(
    count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(count):
        drawn("Alice", slug=f"event-{number}")

    with django_assert_num_queries(8):
        assert "Alice" in text_of(look("/winners/?winner=alice", DRAW))


def test_archive_before_the_first_draw_says_so() -> None:
    assert "Nothing has been drawn yet." in text_of(look("/winners/"))


@pytest.mark.parametrize("count", [1, 3])
def test_archive_costs_the_same_for_one_and_for_three(
    count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(count):
        drawn("Alice", slug=f"event-{number}")

    with django_assert_num_queries(5):
        look("/winners/", DRAW)


def test_home_forgets_winners_after_a_week() -> None:
    drawn("Alice", name="Old habit", until="2026-02-10")

    assert "Old habit" in text_of(look("/", DRAW + 7 * DAY - timedelta(seconds=1)))
    assert "No draw is planned at the moment." in text_of(look("/", DRAW + 7 * DAY))
    assert "Old habit" not in text_of(look("/", DRAW + 7 * DAY))


@pytest.mark.parametrize("count", [1, 3])
def test_home_costs_the_same_for_one_and_for_three(
    count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(count):
        drawn("Alice", slug=f"event-{number}")
        RaffleFactory.create(now=NOW)
        RaffleFactory.create(closes_at=NOW + 9 * DAY, now=NOW)

    with django_assert_num_queries(12):
        look("/", DRAW + timedelta(minutes=1))


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("path", ["", "state/"])
def test_event_costs_the_same_for_one_and_for_three(
    path: str, count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    scheduled()
    for number in range(count):
        day = DATE + (number + 1) * DAY
        taken("Alice", now=DRAW + (number - 1) * DAY)
        manage("put", f"/events/breakfast/rewards/{day}/", {"name": f"Reward {number}"})
        run(DRAW + number * DAY)

    with django_assert_num_queries(4):
        look(f"/e/breakfast/{path}", DRAW + count * DAY)


def test_pictures_come_from_here_or_not_at_all(settings: Settings) -> None:
    settings.PUBLIC_URL = "https://draws.example.org"
    scheduled(
        slug="ours", default_reward={"name": "Cup", "picture": f"{settings.PUBLIC_URL}/cup.jpg"}
    )
    scheduled(
        slug="theirs",
        default_reward={"name": "Pot", "picture": "https://elsewhere.example/pot.jpg"},
    )

    body = look("/").content.decode()

    assert f'src="{settings.PUBLIC_URL}/cup.jpg"' in body
    assert "elsewhere.example" not in body


@pytest.mark.parametrize(("host", "shown"), [("draws.example", 1), ("elsewhere.example", 0)])
def test_pictures_of_prizes_come_from_here_or_not_at_all(
    settings: Settings, host: str, shown: int
) -> None:
    settings.PUBLIC_URL = "https://draws.example"
    cup, pot = f"https://{host}/cup.jpg", f"https://{host}/pot.jpg"
    prizes = (("Car", 1), ("Cup", 1, cup), ("Pot", 1, pot))
    raffle = RaffleFactory.create(prizes=prizes)

    def sources(path: str) -> list[str]:
        return re.findall(r'<img class="picture" src="([^"]+)"', look(path).content.decode())

    assert sources("/") == [cup] * shown
    assert sources(f"/r/{raffle.uuid}/") == [cup, pot] * shown
    assert sources(f"/r/{raffle.uuid}/stage/") == [cup, cup, pot] * shown  # waiting; each round


def test_event_shows_its_next_draws_in_its_own_time() -> None:
    scheduled()
    manage("put", "/events/breakfast/rewards/2026-02-11/", {"name": "Washing machine"})

    text = text_of(look("/e/breakfast/"))

    assert "Coffee" in text
    assert "Tuesday, Feb. 10, 2026, 08:00 CET" in text
    assert "3 of 3 tickets left" in text
    assert "Wed, Feb. 11, 2026, 08:00 CET Washing machine" in text


def test_event_leads_to_its_own_winners_feed() -> None:
    scheduled()

    head = head_of(look("/e/breakfast/"))

    assert head["alternate application/atom+xml"] == "/events/breakfast/winners.atom"
    assert head["og:description"].startswith("Coffee. ")
    assert head["canonical"] == "http://testserver/e/breakfast/"


def test_draw_that_is_full_offers_no_button() -> None:
    scheduled(max_participants=1)
    taken("Alice")

    shown = look("/e/breakfast/")

    assert "Tickets for this draw are gone. The next date opens" in text_of(shown)
    assert 'id="take-part"' not in shown.content.decode()


def test_name_gives_a_ticket_to_keep() -> None:
    scheduled()

    response = enter("Alice")

    assert (response.status_code, response["Cache-Control"]) == (201, "no-store")
    number, code = ticket_on(response)
    assert 1 <= number <= 3
    assert len(code) == 24
    assert list(Ticket.objects.values_list("username", flat=True)) == ["Alice"]
    assert "2 of 3 tickets left" in text_of(response)


def test_address_for_mail_may_be_written_beside_the_name() -> None:
    scheduled()

    bad = enter("Alice", email="nobody")
    assert (bad.status_code, "Enter a valid email address." in text_of(bad)) == (400, True)
    assert not Ticket.objects.exists()
    assert enter("Alice", email="alice@example.org").status_code == 201
    assert enter("Bob", email="").status_code == 201
    assert [contact.email for contact in Contact.objects.all()] == ["alice@example.org"]


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (" Bea@Bücher.example ", "bea@xn--bcher-kva.example"),
        ("bea@localhost", None),
        ("bea@[127.0.0.1]", None),
        ('"b a"@example.org', None),
        ("b\u202ea@example.org", None),
    ],
)
def test_page_and_api_read_an_address_for_mail_alike(typed: str, kept: str | None) -> None:
    scheduled()

    status = 201 if kept else 400
    assert enter("Alice", email=typed).status_code == status
    assert participate("Bob", email=typed.strip()).status_code == status
    emails = list(Contact.objects.values_list("email", flat=True))
    assert emails == ([kept, kept] if kept else [])


def test_reload_gives_the_same_ticket() -> None:
    scheduled()
    first = enter("Alice", request_key="one")

    again = enter("Alice", request_key="one")

    assert (again.status_code, ticket_on(again)) == (201, ticket_on(first))
    assert Ticket.objects.count() == 1


def test_same_name_is_refused_in_words() -> None:
    scheduled()
    enter("Alice")

    response = enter("ALICE")

    assert response.status_code == 403
    assert notice(response) == (
        "This name has its ticket. A name counts once in a draw. If it is not you, add what tells "
        "you apart, such as the first letter of your surname."
    )
    assert "What you can do" not in text_of(response)


def test_address_that_counts_once_is_explained_with_what_else_works() -> None:
    scheduled(one_per_address=True)
    enter("Alice")

    response = enter("Bob")

    assert notice(response) == (
        "You already hold a ticket. This name, or your internet address, is in the next draw. It "
        "counts once."
    )
    assert "What you can do" in text_of(response)
    assert "Switch your telephone to mobile data" in text_of(response)


def test_who_may_have_another_ticket_is_offered_it_without_scripts() -> None:
    scheduled(max_participants=9, tickets_per_holder=2)
    assert "Take another ticket" not in text_of(look("/e/breakfast/"))

    first = enter("Alice")
    assert "Take another ticket" in text_of(first)
    assert 'value="Alice"' in first.content.decode()
    assert 'data-live="/e/breakfast/state/?held=1"' in first.content.decode()
    assert "Take another ticket" in text_of(look("/e/breakfast/state/?held=1"))
    for held in "2", "", "x":
        assert 'id="take-part"' not in look(f"/e/breakfast/state/?held={held}").content.decode()

    second = enter("Alice")
    assert (first.status_code, second.status_code) == (201, 201)
    assert ticket_on(first) != ticket_on(second)
    assert 'id="take-part"' not in second.content.decode()


@pytest.mark.parametrize(
    ("terms", "offered"),
    [
        ({"tickets_per_holder": 2}, True),
        ({"tickets_per_holder": 1}, False),
        ({"tickets_per_holder": 2, "max_participants": 1}, False),
        ({"tickets_per_holder": 2, "entry": "partner"}, False),
    ],
)
def test_page_of_a_ticket_leads_to_where_the_next_one_is_taken(
    terms: dict[str, Any], offered: bool
) -> None:
    scheduled(**terms)
    manage("post", "/events/breakfast/entries/", [{"holder": "alice"}])
    page = f"/r/{Raffle.objects.get().uuid}/ticket/"

    link = '<a href="/e/breakfast/" data-most="2">Take another ticket</a>'
    assert (link in look(page).content.decode()) == offered
    assert "Take another ticket" not in text_of(look(page, DRAW))


@pytest.mark.parametrize("then", [1, 3])
def test_who_has_all_their_tickets_is_told_by_the_terms_of_the_date(then: int) -> None:
    scheduled(max_participants=9, tickets_per_holder=2)
    enter("Alice")
    enter("Alice")
    manage("patch", "/events/breakfast/", {"tickets_per_holder": then})

    assert notice(enter("Alice")) == (
        "This name has all its tickets. A name gets no more in a draw. If it is not you, add what "
        "tells you apart, such as the first letter of your surname."
    )
    manage("patch", "/events/breakfast/", {"one_per_address": True})
    assert notice(enter("Alice")) == (
        "You already hold your tickets. This name has all its tickets of the next draw, or your "
        "internet address has brought another name into it."
    )
    resting = {"one_per_address": False, "rest_days": 3, "privacy": "number"}
    manage("patch", "/events/breakfast/", resting)
    assert notice(enter("Alice")) == (
        "You already hold all your tickets, or rest. A name gets no more in a draw, and winners of "
        "this event rest for some days."
    )


def test_full_draw_is_refused_in_words() -> None:
    scheduled(max_participants=1)
    enter("Alice")

    response = enter("Bob")

    assert response.status_code == 410
    assert notice(response) == (
        "Tickets for this draw are gone. The next date opens when this one has been drawn."
    )


def test_event_that_is_over_says_so() -> None:
    scheduled(until="2026-02-10")

    response = enter("Alice", now=DRAW)

    assert response.status_code == 410
    assert notice(response).startswith("No draw is planned.")
    assert 'id="take-part"' not in response.content.decode()


def test_partners_hand_out_their_own_tickets() -> None:
    scheduled(entry="partner")

    shown = look("/e/breakfast/")
    response = enter("Alice")

    assert "Tickets come from our partners" in text_of(shown)
    assert 'id="take-part"' not in shown.content.decode()
    assert response.status_code == 403
    assert notice(response).startswith("Tickets come from our partners.")


@pytest.mark.parametrize(("first", "then"), [("partner", "open"), ("open", "partner")])
def test_page_and_frame_tell_who_enters_by_the_terms_of_the_date(
    settings: Settings, first: str, then: str
) -> None:
    settings.EMBED_ORIGINS = ["https://club.example.org"]
    scheduled(entry=first)
    manage("post", "/events/breakfast/entries/", [{"holder": "alice"}])
    manage("patch", "/events/breakfast/", {"entry": then})

    for now, entry in ((NOW, first), (DRAW, then)):
        page, frame = look("/e/breakfast/", now), look("/embed/e/breakfast/", now)
        is_open = entry == "open"
        assert ('id="take-part"' in page.content.decode()) == is_open
        assert ('<a class="button act"' in frame.content.decode()) == is_open
        for shown in (page, frame):
            assert ("Tickets come from our partners" in text_of(shown)) == (not is_open)


def test_limits_on_the_page_are_those_of_the_date() -> None:
    scheduled(tickets_per_holder=2)
    taken("Alice")
    manage("patch", "/events/breakfast/", {"tickets_per_holder": 3, "max_wins_per_holder": 1})

    kept, next_one = (text_of(look("/e/breakfast/", now)) for now in (NOW, DRAW))

    assert "Up to 2 tickets for each holder" in kept
    assert "Nobody is drawn more than once." not in kept
    assert "Up to 3 tickets for each holder" in next_one
    assert "Nobody is drawn more than once." in next_one


@pytest.mark.parametrize("username", ["", "upcoming", "a\u202eb"])
def test_what_is_no_name_is_said_at_the_field(username: str) -> None:
    scheduled()

    response = enter(username)

    assert response.status_code == 400
    assert 'class="fault"' in response.content.decode()
    assert not Ticket.objects.exists()


def test_another_site_takes_part_for_nobody() -> None:
    scheduled()

    response = enter("Alice", site="cross-site")

    assert response.status_code == 403
    assert not Ticket.objects.exists()


def test_unknown_event_is_a_page_of_its_own() -> None:
    assert look("/e/nothing/").status_code == 404
    assert enter("Alice", slug="nothing").status_code == 404
    assert look("/e/nothing/2026-02-10/").status_code == 404


def test_past_dates_lead_to_their_results() -> None:
    scheduled()
    taken("Alice")
    run(DRAW)
    run(DRAW + DAY)  # nobody came

    text = text_of(look("/e/breakfast/", DRAW + DAY))

    _, _, past = text.partition("Past draws")
    assert "Feb. 11, 2026 Coffee Nobody took part Feb. 10, 2026 Coffee Winners" in past


def test_result_of_a_date_shows_names_and_that_of_its_raffle_none() -> None:
    raffle_id = drawn("Alice", "Bob")
    (first, second) = Winner.objects.select_related("ticket").order_by("rank")
    number, reason = first.ticket_number(), "Did not come"
    replace_winner(raffle_id, ticket_number=number, reason=reason, now=DRAW, by="staff")

    text = text_of(look(f"/e/breakfast/{DATE}/", DRAW))

    assert (
        f"Rank 1 Coffee {number} {first.ticket.username} passed on: Did not come "
        f"Ticket {second.ticket_number()} {second.ticket.username}" in text
    )
    assert "Alice" not in text_of(look(f"/r/{raffle_id}/result/", DRAW))


@pytest.mark.parametrize(
    ("privacy", "shown"), [("full", "Alice Archer"), ("initials", "A. A."), ("number", "")]
)
def test_certificate_of_a_date_names_as_far_as_privacy_shows(privacy: str, shown: str) -> None:
    raffle_id = drawn("Alice Archer", privacy=privacy)
    number = Winner.objects.get().ticket_number()
    path = f"/e/breakfast/{DATE}/certificate/"

    paper = look(path, DRAW)

    text = text_of(paper)
    assert f"Coffee Rank 1 Ticket {number} {shown}".strip() in text
    assert ("Alice Archer" in text) == (privacy == "full")
    assert f"Anyone can check this draw: http://testserver/e/breakfast/{DATE}/ " in text
    assert f'href="/e/breakfast/{DATE}/"' in paper.content.decode()
    assert f'href="{path}"' in look(f"/e/breakfast/{DATE}/", DRAW).content.decode()
    assert "Archer" not in text_of(look(f"/r/{raffle_id}/certificate/", DRAW))


def test_certificate_of_a_date_comes_with_the_draw() -> None:
    scheduled()
    taken("Alice")

    assert look(f"/e/breakfast/{DATE}/certificate/").status_code == 404


def test_result_of_a_date_before_the_draw_is_awaited() -> None:
    scheduled()
    taken("Alice")

    text = text_of(look(f"/e/breakfast/{DATE}/"))

    assert "The result is not there yet." in text
    assert "They come with the event." in text


def test_stage_learns_names_with_the_draw_and_of_winners_alone() -> None:
    raffle_id = drawn("Alice", "Bob")
    before = UUID(taken("Carol", now=DRAW)["raffle_id"])
    (winner, _) = Winner.objects.select_related("ticket").order_by("rank")

    assert look(f"/r/{raffle_id}/names/", DRAW).json() == {
        str(winner.ticket_number()): winner.ticket.username
    }
    assert look(f"/r/{before}/names/", DRAW).json() == {}
    assert f'data-names="/r/{raffle_id}/names/"' in look(f"/r/{raffle_id}/stage/").content.decode()


@pytest.mark.parametrize(("host", "shown"), [("draws.example", 2), ("elsewhere.example", 0)])
def test_stage_shows_the_picture_of_the_reward_if_it_is_from_here(
    settings: Settings, host: str, shown: int
) -> None:
    settings.PUBLIC_URL = "https://draws.example"
    picture = f"https://{host}/cup.jpg"
    raffle_id = drawn("Alice", default_reward={"name": "Cup", "picture": picture})

    body = look(f"/r/{raffle_id}/stage/").content.decode()

    assert body.count(f'src="{picture}"') == shown


def test_frame_shows_the_next_draw_and_the_last_result(settings: Settings) -> None:
    drawn("Alice Archer", "Bob", default_reward={"name": "Breakfast", "amount": 1})
    assert look("/embed/e/breakfast/", DRAW).status_code == 404
    settings.EMBED_ORIGINS = ["https://club.example.org"]

    page = look("/embed/e/breakfast/", DRAW)

    number = Winner.objects.get(rank=1).ticket_number()
    text = text_of(page)
    assert page.status_code == 200
    assert "tickets left Take part The winners of" in text
    assert f"Ticket {number}" in text
    assert "Alice" not in text
    assert "frame-ancestors https://club.example.org" in page["Content-Security-Policy"]
    assert 'href="/e/breakfast/2026-02-10/"' in page.content.decode()
    assert look("/embed/e/breakfast/state/", DRAW).status_code == 200
    assert look("/embed/e/lunch/", DRAW).status_code == 404
