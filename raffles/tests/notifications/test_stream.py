"""The live stream: what a client hears, in which order, and after it was away."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from django.db.models import F
from django.test import Client as DjangoClient
from pytest_django import Settings

from raffles.domain import lineage
from raffles.models import Announcement, Lineage, Raffle
from raffles.notifications.stream import hub, reading
from raffles.tests.factories import RaffleFactory
from raffles.tests.notifications.acting import announced
from raffles.tests.notifications.listening import Client, Heard, listening, parse, streaming

pytestmark = pytest.mark.django_db(transaction=True)
NOWHERE = "/raffles/00000000-0000-4000-8000-000000000000/stream/"


def run(act: Callable[[], Awaitable[Any]]) -> Any:
    async def within_a_minute() -> Any:
        return await asyncio.wait_for(act(), 60)

    return asyncio.run(within_a_minute())


async def announce_on(count: int = 1, **options: Any) -> list[Announcement]:
    """Announce from a thread of its own, as another process would."""
    return await sync_to_async(_announce_and_hang_up, thread_sensitive=False)(count, **options)


def _announce_and_hang_up(count: int, **options: Any) -> list[Announcement]:
    try:
        return announced(count, **options)
    finally:
        connection.close()


def numbers(heard: list[Heard]) -> list[int]:
    """Return the ids of what was heard; 1 is the key's, which is not streamed."""
    return [int(one.id) for one in heard]


def test_client_hears_what_is_announced_while_it_listens() -> None:
    announced(2)

    async def act() -> tuple[Client, list[Announcement], list[Heard]]:
        async with streaming() as application, listening(application) as client:
            said = await announce_on(2)
            return client, said, await client.hear(2)

    client, said, heard = run(act)
    assert client.status == 200
    assert client.headers == {
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
        "access-control-allow-origin": "*",
    }
    assert client.body.startswith(b"retry: 2000\nid: 3\n\n")
    assert heard == [Heard(str(one.sequence), one.kind, one.public()) for one in said]


@pytest.mark.parametrize("recent", [1_000, 2])
@pytest.mark.parametrize("way", ["header", "query", "both"])
def test_client_that_was_away_hears_all_that_it_missed(
    recent: int, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "_RECENT", recent)  # 2: from the database, not from memory
    monkeypatch.setattr(hub, "PAGE", 3)
    page = reading.read_after
    monkeypatch.setattr(hub, "read_after", partial(page, limit=3))
    announced(10)
    url = {"header": "/stream/", "query": "/stream/?last_event_id=5"}
    headers = {"header": {"last-event-id": "5"}, "query": {}}

    async def act() -> list[Heard]:
        asked, sent = url.get(way, "/stream/?last_event_id=1"), headers.get(way, headers["header"])
        async with streaming() as application, listening(application, asked, **sent) as one:
            await one.hear(6)
            await announce_on(2)
            return await one.hear(8)

    assert numbers(run(act)) == [6, 7, 8, 9, 10, 11, 12, 13]


@pytest.mark.parametrize("last", ["1", "99", "-1", "abc", "１", "9" * 30, "1e3"])
def test_client_that_is_too_far_behind_or_not_ours_starts_anew(
    last: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "REPLAYED", 3)
    said = announced(5)

    async def act() -> list[Heard]:
        behind = {"last-event-id": last}
        async with streaming() as application, listening(application, **behind) as client:
            await announce_on()
            return await client.hear(2)

    reset, following = run(act)
    assert (reset.event, reset.id) == ("reset", "6")
    assert reset.data["announcements"] == [one.public() for one in said]
    assert following.id == "7"


def test_client_at_the_head_misses_nothing_and_is_not_reset() -> None:
    announced(3)

    async def act() -> list[Heard]:
        behind = {"last-event-id": "4"}
        async with streaming() as application, listening(application, **behind) as client:
            await announce_on()
            return await client.hear(1)

    assert numbers(run(act)) == [5]


def test_raffle_and_event_have_streams_of_their_own() -> None:
    raffle: Raffle = RaffleFactory.create()
    announced(1)
    announced(1, raffle=raffle)
    announced(1, event="spring")

    async def act() -> tuple[list[int], list[int]]:
        of_raffle = f"/raffles/{raffle.uuid}/stream/?last_event_id=0"
        of_event = "/events/spring/stream/?last_event_id=0"
        async with (
            streaming() as application,
            listening(application, of_raffle) as one,
            listening(application, of_event) as other,
        ):
            await announce_on(1, event="autumn")
            await announce_on(1, raffle=raffle)
            await announce_on(1, event="spring")
            return numbers(await one.hear(2)), numbers(await other.hear(2))

    assert run(act) == ([3, 6], [4, 7])


def test_quiet_stream_beats_and_moves_the_position_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "HEARTBEAT", 0.1)

    async def act() -> bytes:
        quiet = "/events/quiet/stream/"
        async with streaming() as application, listening(application, quiet) as client:
            await announce_on(3)
            while b":\nid: 4\n\n" not in client.body:
                await asyncio.sleep(0.05)
            return client.body

    body = run(act)
    assert parse(body) == ([], "4")


@pytest.mark.parametrize(
    ("method", "url", "status", "code"),
    [
        ("POST", "/stream/", 405, "method_not_allowed"),
        ("GET", NOWHERE, 404, "not_found"),
        ("GET", "/events/never/stream/", 404, "not_found"),
        ("HEAD", "/stream/", 200, ""),
        ("GET", "/raffles/not-a-uuid/stream/", 418, ""),
        ("GET", "/raffles/", 418, ""),
    ],
)
def test_what_is_no_stream_is_refused_or_handed_on(
    method: str, url: str, status: int, code: str
) -> None:
    async def act() -> Client:
        async with streaming() as application:
            client = Client(application, url, method=method)
            await client.run()
            return client

    client = run(act)
    assert client.status == status
    assert f'"code": "{code}"'.encode() in client.body or not code


def test_closing_ends_the_streams_and_takes_no_more() -> None:
    async def act() -> tuple[int, int]:
        async with streaming() as application:
            client = Client(application, "/stream/")
            task = asyncio.create_task(client.run())
            await client.opened()
            await application.hub.close()
            await task
            late = Client(application, "/stream/")
            await late.run()
            return application.hub.clients, late.status

    assert run(act) == (0, 503)


@pytest.mark.parametrize("with_redis", [False, True])
def test_hub_can_be_closed_at_any_moment(with_redis: bool, settings: Settings) -> None:
    if with_redis and not settings.REDIS_URL:
        pytest.skip("needs Redis (REDIS_URL)")
    settings.REDIS_URL = settings.REDIS_URL if with_redis else ""
    chance = random.Random(1)

    async def act() -> None:
        for _ in range(40):
            one = hub.Hub()
            one.start()
            await asyncio.sleep(0.02 * chance.random())
            await asyncio.wait_for(one.close(), 20)

    run(act)


def test_client_whose_buffer_is_full_delays_nobody_and_hears_the_rest_in_order() -> None:
    async def act() -> tuple[list[int], list[int], list[int]]:
        async with (
            streaming() as application,
            listening(application) as slow,
            listening(application) as quick,
        ):
            slow.block()
            for count in range(1, 4):
                await announce_on(2)
                await quick.hear(2 * count)
            meanwhile = numbers(parse(slow.body)[0])
            slow.unblock()
            await announce_on()
            return meanwhile, numbers(await slow.hear(7)), numbers(await quick.hear(7))

    assert run(act) == ([], [2, 3, 4, 5, 6, 7, 8], [2, 3, 4, 5, 6, 7, 8])


@pytest.mark.parametrize("error", [OSError, RuntimeError])
def test_client_to_which_nothing_can_be_sent_ends_alone(error: type[Exception]) -> None:
    async def act() -> tuple[int, list[int]]:
        async with streaming() as application, listening(application) as other:
            broken = Client(application, "/stream/")
            task = asyncio.create_task(broken.run())
            await broken.opened()
            broken.broken = error("gone")
            await announce_on()
            with suppress(error):
                await asyncio.wait_for(task, 20)
            await announce_on()
            return application.hub.clients, numbers(await other.hear(2))

    assert run(act) == (1, [2, 3])


def test_client_of_a_quicker_process_is_not_reset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "POLL", 60)
    announced(2)

    async def act() -> list[Heard]:
        async with streaming() as application, listening(application):
            await announce_on(2)  # unheard by this process, as it does not look
            ahead = {"last-event-id": "4"}
            async with listening(application, **ahead) as client:
                return await client.hear(1)

    assert numbers(run(act)) == [5]


@pytest.mark.postgres
@pytest.mark.usefixtures("unpooled")
def test_idle_stream_holds_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    connection.close()
    monkeypatch.setattr(hub, "_WARM", 2.0)

    async def act() -> list[int]:
        async with streaming() as application, listening(application) as client:
            await asyncio.sleep(0.5)
            before = await other_connections()
            await announce_on()
            await client.hear(1)
            warm = await other_connections()
            while await other_connections():
                await asyncio.sleep(0.1)
            nowhere = Client(application, "/events/never/stream/")
            await nowhere.run()
            assert nowhere.status == 404
            return [before, warm, await other_connections()]

    assert run(act) == [0, 1, 0]


@pytest.mark.postgres
@pytest.mark.usefixtures("unpooled")
def test_connection_that_is_cut_costs_a_second_and_no_announcement() -> None:
    connection.close()

    async def act() -> list[int]:
        async with streaming() as application, listening(application) as client:
            await announce_on()
            await client.hear(1)
            assert await other_connections(cut=True) == 1
            await announce_on(2)
            return numbers(await client.hear(3))

    assert run(act) == [2, 3, 4]  # the first statement is the key's


async def other_connections(*, cut: bool = False) -> int:
    """Return the number of connections to this test's database; `cut` ends them."""
    return await sync_to_async(_other_connections, thread_sensitive=False)(cut)


def _other_connections(cut: bool) -> int:
    count = "count(pg_terminate_backend(pid))" if cut else "count(*)"
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {count} FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid()"
            )
            return int(cursor.fetchone()[0])
    finally:
        connection.close()


async def restored() -> None:
    """Begin another epoch, as `after_restore` does in another process."""
    await sync_to_async(_begin_epoch, thread_sensitive=False)()


def _begin_epoch() -> None:
    lineage.begin()
    Lineage.objects.update(epoch=F("epoch") + 1, since=F("epoch") + 1)
    connection.close()


def test_client_of_a_restored_database_starts_anew() -> None:
    announced(2)

    async def act() -> tuple[list[Heard], list[Heard], list[Heard]]:
        async with streaming() as application:
            async with listening(application) as client:
                await announce_on()
                before = await client.hear(1)
                await restored()
                await client.ended()
                assert parse(client.body) == (before, "4")
            async with listening(application, **{"last-event-id": "4"}) as client:
                anew = await client.hear(1)
                await announce_on()
                after = (await client.hear(2))[1:]
            async with listening(application, **{"last-event-id": "2.4"}) as client:
                return anew, after, await client.hear(1)

    anew, after, resumed = run(act)
    assert [(one.id, one.event, one.data["sequence"]) for one in anew] == [("2.4", "reset", 4)]
    assert len(anew[0].data["announcements"]) == 3
    assert [(one.id, one.data["sequence"]) for one in after] == [("2.5", 5)]
    assert resumed == after


@pytest.mark.parametrize("seen", ["3", "1.3", "3.3", "2.03", "2.", ".3", "2.-3", "2.x"])
def test_id_of_another_epoch_is_none_of_ours(client: DjangoClient, seen: str) -> None:
    announced(2)
    _begin_epoch()
    lineage.look()
    ours, other = (
        b"".join(client.get("/stream/", headers={"last-event-id": one})) for one in ("2.3", seen)
    )
    assert ours == b"retry: 3000\nid: 2.3\n\n:\nid: 2.3\n\n"
    assert [one.event for one in parse(other)[0]] == ["reset"]


def test_without_its_own_process_the_stream_tells_what_is_new_and_ends(
    client: DjangoClient,
) -> None:
    first = client.get("/stream/")
    opened = b"".join(first)
    said = announced(2)
    again = client.get("/stream/", headers={"last-event-id": "0"})
    behind = client.get("/stream/?last_event_id=7")

    assert first["Content-Type"] == "text/event-stream; charset=utf-8"
    assert first["Cache-Control"] == "no-store"
    assert first["X-Accel-Buffering"] == "no"
    assert opened == b"retry: 3000\nid: 0\n\n:\nid: 0\n\n"
    heard, last_id = parse(b"".join(again))
    assert heard == [Heard(str(one.sequence), one.kind, one.public()) for one in said]
    assert last_id == "3"
    assert [one.event for one in parse(b"".join(behind))[0]] == ["reset"]


def test_with_debug_a_client_may_stay(
    client: DjangoClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DEBUG = True
    stream = client.get("/stream/")
    chunks = iter(stream)
    assert next(chunks) == b"retry: 3000\nid: 0\n\n"

    (said,) = announced()

    assert parse(next(chunks))[0] == [Heard(str(said.sequence), said.kind, said.public())]
    stream.close()


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("path", [NOWHERE, "/events/never/stream/", "/events/never/winners.atom"])
def test_stream_of_nothing_is_not_found(
    path: str, debug: bool, client: DjangoClient, settings: Settings
) -> None:
    settings.DEBUG = debug
    answer = client.get(path)
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
    assert answer.json()["code"] == "not_found"
    assert client.post(path).status_code == 405


def test_post_to_a_stream_is_the_same_405_over_wsgi() -> None:
    async def act() -> Client:
        async with streaming() as application:
            client = Client(application, "/stream/", method="POST")
            await client.run()
            return client

    over_asgi, browser = run(act), DjangoClient(enforce_csrf_checks=True)
    answer = browser.post("/stream/")
    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD")
    assert (over_asgi.status, json.loads(over_asgi.body)) == (405, answer.json())


def test_holder_has_so_many_streams_at_once_over_wsgi(settings: Settings) -> None:
    settings.STREAMS_PER_HOLDER = 1
    client, other = DjangoClient(), DjangoClient(REMOTE_ADDR="198.51.100.2")
    first = client.get("/stream/")
    refused = client.get("/stream/")
    assert (refused.status_code, refused.json()["code"]) == (429, "throttled")
    assert refused["Retry-After"] == "5"
    for one in (first, other.get("/stream/")):
        assert one.status_code == 200
        assert one.getvalue().startswith(b"retry: ")
        one.close()
    assert client.get("/stream/").status_code == 200
