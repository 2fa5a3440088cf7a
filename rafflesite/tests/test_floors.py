"""A lower room never knows a higher one: not by an import, a dotted path, a route or a template."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.urls import URLResolver, get_resolver

ROOT = Path(settings.BASE_DIR)
FLOORS = (
    ("raffles.fairness", "raffles.web"),
    ("raffles.migrations", "raffles.models"),
    ("raffles.domain",),
    ("raffles.notifications",),
    ("raffles.api",),
    ("raffles.pages",),
    ("raffles.admin", "raffles.management", "raffles.checks", "raffles.apps"),
    ("events.schedule",),
    ("events.migrations", "events.models"),
    ("events.domain",),
    ("events.api",),
    ("events.pages",),
    ("events.admin", "events.management", "events.apps"),
    ("rafflesite",),
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

# By the longest beginning of its name, the room of a template; the frame stands below every page.
TEMPLATES = {
    "": "raffles.pages",
    "raffles/": "raffles.pages",
    "mail/": "raffles.notifications",
    "events/": "events.pages",
    "admin/": "raffles.admin",
    "admin/events/": "events.admin",
    "admin/index.html": "rafflesite",
    "admin/sign_in/": "rafflesite",
    "admin/too_many_logins.html": "rafflesite",
    "rafflesite/": "rafflesite",
}
_OURS = re.compile(r"(raffles|events|rafflesite)(\.\w+)+")
_TAG = re.compile(r"""\{% *(url|extends|include) *['"]([^'"]+)['"]""")


def room_of(dotted: str) -> str | None:
    """Return the room of a module or of what is in it; None for one that is not ours."""
    parts = dotted.split(".")
    names = (".".join(parts[:2]), parts[0])
    return next((name for name in names if name in FLOOR_OF), None)


def routes(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield every named route that is ours, with its room."""
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            inner = f"{prefix}{entry.namespace}:" if entry.namespace else prefix
            yield from routes(entry, inner)
        elif entry.name:
            view = getattr(entry.callback, "cls", entry.callback)
            room = room_of(view.__module__)
            if prefix == "admin:":  # Django's own, or a model's: its application comes first
                room = room_of(f"{entry.name.split('_')[0]}.admin")
            yield prefix + entry.name, room or ("" if prefix else "rafflesite")


ROUTES = dict(routes(get_resolver()))


def named_in_module(path: Path) -> Iterator[str]:
    """Yield the rooms that a module imports from, or names by a dotted path or a route."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield from (room_of(f"{node.module}.{name.name}") or "" for name in node.names)
        elif isinstance(node, ast.Import):
            yield from (room_of(name.name) or "" for name in node.names)
        elif isinstance(node, ast.Constant) and isinstance(text := node.value, str):
            if _OURS.fullmatch(text):
                yield room_of(text) or ""
            elif ":" in text or "-" in text:
                yield ROUTES.get(text, "")


def named_in_template(path: Path) -> Iterator[str]:
    """Yield the rooms whose routes and templates a template names."""
    for tag, name in _TAG.findall(path.read_text()):
        yield ROUTES.get(name, "") if tag == "url" else room_of_template(name) or ""


def room_of_template(name: str) -> str | None:
    """Return the room of a template of ours, None for one of Django's."""
    ours = (ROOT / "templates" / name, ROOT / "rafflesite" / "templates" / name)
    if not any(path.exists() for path in ours):
        return None
    return TEMPLATES[max((head for head in TEMPLATES if name.startswith(head)), key=len)]


def upward(room: str, named: Iterator[str]) -> set[str]:
    """Return what a room names of the floors above it."""
    return {name for name in named if name and FLOOR_OF[name] > FLOOR_OF[room]}


MODULES = [
    path
    for app in ("raffles", "events", "rafflesite")
    for path in sorted((ROOT / app).rglob("*.py"))
    if "tests" not in path.parts
]
PAGES = sorted([*(ROOT / "templates").rglob("*.*"), *(ROOT / "rafflesite/templates").rglob("*.*")])


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_names_no_higher_room(path: Path) -> None:
    room = room_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
    if room is None:  # the package itself
        assert path.read_text() == ""
    else:
        assert upward(room, named_in_module(path)) == set()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_template_names_no_higher_room(path: Path) -> None:
    parts = path.relative_to(ROOT).parts
    room = room_of_template("/".join(parts[parts.index("templates") + 1 :]))
    assert room
    assert upward(room, named_in_template(path)) == set()


@pytest.mark.parametrize(
    ("source", "higher"),
    [
        ("from events.models import Event", "events.models"),
        ("import rafflesite.health", "rafflesite"),
        ("from raffles import admin", "raffles.admin"),
        ("HOME = 'rafflesite.dashboard.home'", "rafflesite"),
        ("reverse('event_pages:event')", "events.pages"),
    ],
)
def test_each_way_up_is_seen(source: str, higher: str, tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(source)
    assert upward("raffles.domain", named_in_module(module)) == {higher}
