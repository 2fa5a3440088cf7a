"""The floor of the live stream over ASGI: what Redis says, to all clients, and nothing else."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from redis.asyncio import Redis

_clients: set[Any] = set()
_tasks: list[asyncio.Task[None]] = []


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Stream to whoever comes; begin to listen to Redis with the first."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
    if not _tasks:
        _tasks.append(asyncio.create_task(_tell()))
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b":\n\n", "more_body": True})
    _clients.add(send)
    try:
        while (await receive())["type"] != "http.disconnect":
            pass
    finally:
        _clients.discard(send)


async def _tell() -> None:
    async with Redis.from_url(os.environ["REDIS_URL"]) as redis, redis.pubsub() as news:
        await news.subscribe("bare")
        async for said in news.listen():
            if said["type"] == "message":
                body = b"id: 1\nevent: draw.drawn\ndata: " + said["data"] + b"\n\n"
                message = {"type": "http.response.body", "body": body, "more_body": True}
                for send in _clients:
                    await send(message)
