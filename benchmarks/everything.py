"""Everything that the URL resolver knows, and what has to be known to ask for it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from django.apps import apps
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.generators import SchemaGenerator

from benchmarks.calendar import now
from benchmarks.large_site import Site
from raffles.admin.exports import EXPORTS
from raffles.models import Exclusion, Raffle

# Of routes whose own path says nothing, by name.
WRITTEN: Final = {
    "tile": ["log/tile/0/000", "log/tile/entries/000"],
    "app_list": ["admin/raffles/", "admin/events/", "admin/auth/"],
}
NOT_ASKED: Final = {
    "view_on_site": "no row has an address of its own",
    "admin/(?P<url>.*)$": "what is no page",
}
ACTING: Final = {"ticket", "ticket-run"}  # routes that act on GET, as they always have
# What is looked for on pages with a search of their own.
QUERIES: Final = {
    "log/": ["name=Nobody", "name=number", "until=2026-01-01", "before=5000", "after=5000"],
    "winners/": ["username=nobody", "username=user+1"],
    "r/<UUID:raffle_id>/result/": ["after=50", "number=5"],
    "admin/raffles/raffle/export/": [],
}
# Of the API's lists, by the parameter that the schema names.
VALUES: Final = {
    "after": ["50&limit=100"],
    "alternates": ["true"],
    "created_after": ["2026-11-01T00:00:00Z"],
    "created_before": ["2026-11-01T00:00:00Z"],
    "cursor": ["after-50", "before-5000"],
    "days": ["366"],
    "drawn": ["true", "false"],
    "entry": ["partner"],
    "eventID": [],
    "limit": ["1000"],
    "name": ["Nobody", "number"],
    "paused": ["true"],
    "sold_out": ["true", "false"],
    "time_zone": ["Asia/Tokyo"],
}
SEARCHED: Final = ["zzz", "number 77"]  # in the lists of the admin

_R, _E, _A = "raffles/<UUID:raffle_id>/", "events/<slug:slug>/", "admin/raffles/raffle/"
_OF = f"{_A}<path:object_id>/"
_CODE = "ABCDE-FGHJK-MNPQR-STVWX"
_MANY = [{"holder": f"customer {n}"} for n in range(1_000)]
_SOON: Final = (now() + timedelta(days=20)).date().isoformat()
_PRIZES = [{"name": "Book", "amount": 10}]
_RAFFLE = {"name": "New", "total_tickets": 10_000_000, "prizes": _PRIZES}
_EVENT = {
    "name": "Breakfast",
    "slug": "breakfast",
    "start_date": _SOON,
    "draw_time": "08:00",
    "time_zone": "Europe/Paris",
    "frequency": "daily",
    "max_participants": 3,
    "default_reward": {"name": "Coffee"},
}
_TICKET = {"ticket_number": "{ticket}", "verification_code": "{code}"}
_WEEK = {"since": (now() - timedelta(days=7)).date(), "until": (now() + timedelta(days=1)).date()}
# What changes something, or is posted to be kept out of histories: to which route, of which raffle,
# with which body. A list or an object is sent as JSON to the API, as a form to a page.
ACTS: Final[list[tuple[str, str, str, Any]]] = [
    ("POST", "raffles/", "", _RAFFLE),
    ("POST", f"{_R}participate/", "opened", {}),
    ("POST", f"{_R}entries/", "opened", _MANY),
    ("POST", f"{_R}invitations/", "invited", {"amount": 1_000}),
    ("POST", f"{_R}invitations/withdraw/", "invited", {"invitation": _CODE}),
    ("POST", f"{_R}winners/", "full", {}),
    ("POST", f"{_R}verify-ticket/", "dated", _TICKET),
    ("POST", f"{_R}void/", "opened", {"reason": "Rain"}),
    ("POST", f"{_R}replacements/", "drawn", {"ticket_number": "{number}", "reason": "Ill"}),
    ("POST", "events/", "", _EVENT),
    ("PATCH", _E, "", {"rest_days": 1}),
    ("POST", f"{_E}participate/", "", {"username": "somebody"}),
    ("POST", f"{_E}entries/", "", _MANY[:50]),
    ("PUT", f"{_E}rewards/<day:day>/", "", {"name": "Phone"}),
    ("DELETE", f"{_E}rewards/<day:day>/", "", {}),
    ("POST", "exclusions/", "", {"kind": "user", "identity": "Mallory", "reason": "Cheated"}),
    ("POST", "exclusions/<int:exclusion_id>/end/", "", {}),
    ("POST", "witness/add-checkpoint", "", {}),
    ("POST", "r/<UUID:raffle_id>/", "opened", {}),
    ("POST", "r/<UUID:raffle_id>/ticket/", "dated", {"number": "{ticket}", "code": "{code}"}),
    ("POST", "e/<slug:slug>/", "", {"username": "somebody else"}),
    ("POST", "admin/login/", "", {"username": "nobody", "password": "wrong"}),
    *(("POST", f"{_OF}export/", "drawn", {"what": export.name}) for export in EXPORTS),
    ("POST", f"{_A}export/", "", {"what": "record"}),
    ("POST", f"{_A}export/", "", {"what": "winners", "event": "{slug}"} | _WEEK),
    ("POST", f"{_OF}draw/", "full", {}),
    ("POST", f"{_OF}void/", "opened", {"reason": "Rain"}),
    ("POST", f"{_OF}replace/", "drawn", {"ticket_number": "{number}"}),
    ("POST", f"{_OF}told/", "drawn", {}),
    ("POST", f"{_OF}tickets/", "opened", {"amount": 1_000, "batch": "0" * 32}),
    ("POST", f"{_OF}invitations/", "invited", {"amount": 1_000, "tickets": 1, "batch": "0" * 32}),
    ("POST", "admin/raffles/winner/find/", "", {"text": "5"}),
    ("POST", "admin/raffles/winner/find/", "", {"text": "nobody"}),
    ("POST", "admin/raffles/winner/find/", "", {"text": _CODE}),
    ("POST", "admin/raffles/winner/find/", "drawn", {"text": "5", "raffle": "{raffle}"}),
    ("POST", "admin/raffles/winner/find/", "drawn", {"text": "nobody", "raffle": "{raffle}"}),
    ("POST", "admin/raffles/winner/find/", "drawn", {"text": _CODE, "raffle": "{raffle}"}),
    (
        *("POST", "admin/raffles/winner/counter/", "dated"),
        {"raffle": "{uuid}", "number": "{ticket}", "code": "{code}"},
    ),
    *(
        ("POST", f"admin/raffles/winner/<path:object_id>/{act}/", "", {"reason": "Ill"})
        for act in ("told", "without-code", "replace", "forfeit")
    ),
    ("POST", "admin/raffles/exclusion/find/", "", {"text": "nobody"}),
    ("POST", "admin/raffles/exclusion/people/", "", {
        "kind": "user",
        "scope": "",
        "reason": "Staff",
        "text": "\n".join(["identity", *(f"person {n}" for n in range(1_000))]),
    }),
    ("POST", "admin/raffles/exclusion/<path:object_id>/end/", "", {}),
    *(
        ("POST", f"admin/events/event/<path:object_id>/{act}/", "", {})
        for act in ("pause", "resume", "end", "preview", "import", "copy-week")
    ),
]  # fmt: skip


class Asked(NamedTuple):
    """A request and the name of its line."""

    name: str
    path: str
    method: str = "GET"
    body: Any = None
    is_act: bool = False  # to be undone


class Stands:
    """What stands for the placeholders of a route."""

    def __init__(self, site: Site) -> None:
        self.raffles = {
            "drawn": site.drawn,
            "opened": site.opened,
            "full": site.full,
            "dated": site.dated,
            "sealed": site.sealed,
            "invited": site.invited,
        }
        self._ticket = site.ticket
        winner = site.drawn.winners.get(rank=1)
        self._rows = {"raffles_winner": winner, "events_event": site.event}
        self._values = {
            "<slug:slug>": site.event.slug,
            "<day:day>": site.day.isoformat(),
            "<str:rules_hash>": site.rules_hash,
            "<str:username>": f"somebody else?eventID={site.event.pk}",
            "<int:ticket_number>": winner.ticket_number(),
            "<int:number>": winner.ticket_number(),
            "<int:exclusion_id>": Exclusion.objects.latest("pk").pk,
        }

    def path(self, route: str, name: str, raffle: Raffle, method: str = "GET") -> str:
        """Return the path of a route; of a raffle's, that raffle's."""

        def value(match: re.Match[str]) -> str:
            holder = match[0]
            if holder == "<UUID:raffle_id>":
                return str(raffle.uuid)
            if holder in ("<path:object_id>", "<id>"):
                return str(self._row(name, raffle))
            if holder == "<day:day>" and "rewards" in route and method != "GET":
                return _SOON
            return str(self._values[holder])

        return "/" + re.sub("<[^>]+>", value, route)

    def _row(self, name: str, raffle: Raffle) -> Any:
        app, model = name.split("_")[:2]
        if (app, model) == ("raffles", "raffle"):
            return raffle.pk
        if row := self._rows.get(f"{app}_{model}"):
            return row.pk
        return apps.get_model(app, model).objects.latest("pk").pk

    def body(self, body: Any, raffle: Raffle) -> Any:
        """Return the body with what it says of the raffle."""
        if not isinstance(body, dict):
            return body
        said = {
            "{raffle}": raffle.pk,
            "{uuid}": raffle.uuid,
            "{number}": self._values["<int:number>"],
            "{slug}": self._values["<slug:slug>"],
            "{ticket}": self._ticket.ticket_number,
            "{code}": self._ticket.verification_code,
        }
        return {key: said.get(str(value), value) for key, value in body.items()}


def routes(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    """Yield each route with its pattern."""
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern, route)
        else:
            yield route, pattern


def everything(site: Site) -> Iterator[Asked]:
    """Yield a request for each route and method, and for each parameter of the API's lists."""
    stands = Stands(site)
    known = dict(routes(get_resolver()))
    ways = {(method, route) for route in known for method in methods(known[route].callback)}
    if forgotten := {way for way in ways if way[0] != "GET"} - {act[:2] for act in ACTS}:
        raise KeyError(forgotten)
    told = parameters()
    for route, pattern in known.items():
        if ("GET", route) in ways and not {route, pattern.name} & NOT_ASKED.keys():
            yield from reads(stands, route, pattern, told.get(path_in_schema(route), []))
    for method, route, which, body in ACTS:
        raffle = stands.raffles[which or "drawn"]
        path = stands.path(route, known[route].name or "", raffle, method)
        typed = stands.body(body, raffle)
        said = str(typed.get("what") or typed.get("text", "")) if isinstance(typed, dict) else ""
        name = " ".join(filter(None, (method, route, which, *said.splitlines()[:1])))
        yield Asked(name, path, method, typed, is_act=True)


def reads(stands: Stands, route: str, pattern: URLPattern, queries: list[str]) -> Iterator[Asked]:
    """Yield the requests that read a route: of a raffle's, those of each that stands for one."""
    name = pattern.name or route.rpartition("admin/")[2].replace("/", "_")
    if name in WRITTEN:
        yield from (Asked(path, f"/{path}") for path in WRITTEN[name])
        return
    is_of_raffle = "<UUID:raffle_id>" in route or route.startswith(_OF)
    for which in ("drawn", "opened", "dated", "sealed") if is_of_raffle else ("",):
        path = stands.path(route, name, stands.raffles[which or "drawn"])
        shown = f"{route} {which}".strip()
        yield Asked(shown, path, is_act=name in ACTING)
        if which in ("", "drawn"):
            asked = [*QUERIES.get(route, []), *queries]
            yield from (Asked(f"{shown} ?{query}", f"{path}?{query}") for query in asked)


def methods(callback: Any) -> set[str]:
    """Return the methods of an endpoint; of a page only GET is known."""
    view = getattr(callback, "cls", None)
    if view is None:
        return {"GET"}
    names = getattr(callback, "actions", None) or [
        name for name in ("get", "post", "put", "patch", "delete") if hasattr(view, name)
    ]
    return {name.upper() for name in names}


def parameters() -> dict[str, list[str]]:
    """Return the queries that the schema knows of each of its paths."""
    generator: Any = SchemaGenerator
    schema = generator().get_schema(request=None, public=True)
    return {
        path: [
            f"{parameter['name']}={value}"
            for parameter in operations.get("get", {}).get("parameters", [])
            if parameter["in"] == "query"
            for value in VALUES[parameter["name"]]
        ]
        for path, operations in schema["paths"].items()
    }


def path_in_schema(route: str) -> str:
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route)


def links(asked: Asked, content: bytes) -> Iterator[Asked]:
    """Yield what a page links to of itself: its filters, orders and pages; and a list's search."""
    if asked.is_act or "?" in asked.path:
        return
    found = dict.fromkeys(re.findall(rb'href="(\?[^"#]+)"', content))
    alike: dict[str, list[str]] = {}  # by the names that are set: two of each are enough
    for link in found:
        query = html.unescape(link.decode())[1:]
        alike.setdefault(re.sub("=[^&]*", "", query), []).append(query)
    queries = [query for each in alike.values() for query in dict.fromkeys((each[0], each[-1]))]
    if b'name="q"' in content:
        queries += [urlencode({"q": text}) for text in SEARCHED]
    for query in queries:
        yield Asked(f"{asked.name} ?{query}", f"{asked.path}?{query}")
