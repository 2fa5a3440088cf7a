"""What the worker keeps for a browser without a network."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from django.contrib.staticfiles import finders
from django.test import Client

from raffles.tests.pages.visiting import visitor

STATIC = re.compile(r'(?:src|href)="(/static/[^"]+)"')
IMPORT = re.compile(r'^import .* from "\./([\w-]+\.js)";$', re.MULTILINE)


def kept() -> dict[str, Any]:
    """Return what the worker says that it keeps."""
    answer = Client().get("/offline-worker.js")
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/javascript; charset=utf-8"
    [found] = re.findall(r"^const \{.*\} = (\{.*\});$", answer.content.decode(), re.MULTILINE)
    told: dict[str, Any] = json.loads(found)
    return told


def test_worker_keeps_all_that_its_page_loads_and_nothing_else() -> None:
    told = kept()

    page = visitor().get(told["page"])
    loads = set(STATIC.findall(page.content.decode()))
    for path in list(loads):
        loads |= _imported(path)
    assert set(told["assets"]) == loads
    assert [visitor().get(f"/{each}/offline/").status_code for each in told["languages"]] == [
        200
    ] * 2
    assert not page.cookies


def _imported(path: str) -> set[str]:
    source = Path(str(finders.find(path.removeprefix("/static/")))).read_text()
    found = {f"/static/raffles/{name}" for name in IMPORT.findall(source)}
    return found.union(*map(_imported, found))


def test_worker_is_at_the_root_alone() -> None:
    assert Client().get("/de/offline-worker.js").status_code == 404
