"""What the record tells of an act, for people: a small table in their language."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, tzinfo
from typing import Any

from django.contrib.admin.models import LogEntry as DjangoLogEntry
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from raffles.models import Channel, Entropy, EntryMode, Exclusion
from raffles.web.formats import SECOND, clock, grouped, weekday

# What the record calls something that no field is called; of a field its name does.
WORDS = {
    "announced": _("announcement"),
    "authorities": _("timestamp authorities"),
    "batch": _("batch"),
    "capacity": _("tickets in all"),
    "chain": _("chain of the beacon"),
    "changes": _("changed in the form"),
    "checked": _("how it was checked"),
    "claim": _("claiming"),
    "claim_days": _("days to claim"),
    "claim_place": _("where to claim"),
    "cosigners": _("witnesses"),
    "days": _("days"),
    "ends_at": _("ends"),
    "epoch": _("line of the record"),
    "factor": _("second factor"),
    "full_names": _("full names"),
    "issuer": _("logged in by"),
    "longer": _("excluded for longer"),
    "max_wins_per_holder": _("wins per holder"),
    "messages": _("messages"),
    "new": _("newly excluded"),
    "operator": _("operator"),
    "paused": _("paused"),
    "people": _("people"),
    "pk": _("ID"),
    "promotes_alternates": _("alternates move up"),
    "reward_amount": _("amount of the reward"),
    "reward_description": _("description of the reward"),
    "reward_name": _("reward"),
    "reward_picture": _("picture of the reward"),
    "rules_hash": _("rules"),
    "since": _("from"),
    "source": _("source"),
    "staff": _("staff"),
    "superuser": _("superuser"),
    "terms": _("terms"),
    "ticket_number": _("ticket number"),
    "tickets": _("tickets"),
    "was": _("before"),
}
_CHOICES: Mapping[str, Any] = {
    "channel": Channel,
    "entry": EntryMode,
    "kind": Exclusion.Kind,
    "source": Entropy,
}
_KNOWN = {"raffle_id"}  # in terms: the subject of the entry
_SECONDS = {"opens_at", "closes_at"}  # in terms: since 1970
_FLAGS = {"promotes_alternates"}  # in terms: 0 or 1


def told(details: Mapping[str, Any], zone: tzinfo) -> SafeString | str:
    """Return an entry's details as HTML, times on the clocks of `zone`; "" without any."""
    shown = ((key, value) for key, value in details.items() if key not in _KNOWN)
    rows = ((word(key), _value(key, value, zone)) for key, value in shown)
    table = format_html_join("", "<dt>{}</dt><dd>{}</dd>", rows)
    return table and format_html('<dl class="told">{}</dl>', table)


def word(key: str) -> str:
    """Return what people call a key of the record, or a field of a form."""
    name = key.replace("_", " ")
    said = WORDS.get(key) or gettext(name)
    return str(capfirst(gettext(name[:1].lower() + name[1:]) if said == name else said))


def _value(key: str, value: Any, zone: tzinfo) -> SafeString | str:
    if key == "changes":
        return _changes(value)
    if isinstance(value, Mapping):
        return told(value, zone)
    if isinstance(value, list):
        return format_html_join(", ", "{}", ((_item(key, one, zone),) for one in value)) or "—"
    return _item(key, value, zone)


def _item(key: str, value: Any, zone: tzinfo) -> SafeString | str:
    """Return one value; of a prize its amount and name, of a witness its name."""
    if isinstance(value, Mapping):
        name = str(value.get("name", ""))
        return f"{value['amount']} × {name}" if "amount" in value else name or json.dumps(value)
    if isinstance(value, bool) or key in _FLAGS:
        return gettext("Yes") if value else gettext("No")
    if value in (None, "") or (key in _SECONDS and value == 0):
        return "—"
    if key in _SECONDS and isinstance(value, int):
        return clock(datetime.fromtimestamp(value, UTC), zone)
    if isinstance(value, int):
        return grouped(value)
    return _text(key, str(value), zone)


def _text(key: str, text: str, zone: tzinfo) -> SafeString | str:
    if key in _CHOICES and text in _CHOICES[key].values:
        return str(_CHOICES[key](text).label)
    try:
        if len(text) == len("2026-02-10"):
            return weekday(date.fromisoformat(text))
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return clock(moment, zone, SECOND) if moment.tzinfo else text


def _changes(changes: list[dict[str, dict[str, Any]]]) -> str:
    """Return the sentences that Django makes of what it noted of a form."""
    said = json.dumps([{what: dict(_translated(how)) for what, how in c.items()} for c in changes])
    return DjangoLogEntry(change_message=said).get_change_message()


def _translated(how: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in how.items():
        yield name, [word(field) for field in value] if name == "fields" else value
