"""Winners as an Atom feed, for readers that poll."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from django.conf import settings
from django.utils.feedgenerator import Atom1Feed

from raffles.models import Announcement

CONTENT_TYPE = "application/atom+xml; charset=utf-8"
# One of them, in a single name, would make the whole feed unreadable.
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class _Feed(Atom1Feed):
    """Django's calls a summary HTML, in which a name such as `<Band 2>` would be a tag."""

    def add_item_elements(self, handler: Any, item: dict[str, Any]) -> None:
        super().add_item_elements(handler, item | {"description": None})
        handler.addQuickElement("summary", item["description"], {"type": "text"})


def winners_as_atom(path: str, title: str, news: Iterable[tuple[Announcement, str]]) -> bytes:
    """Return the feed at `path`: draws and replacements, each with the path of its page."""
    url = settings.PUBLIC_URL + path
    feed = _Feed(_text(title), settings.PUBLIC_URL + "/", "", feed_url=url, feed_guid=url)
    for row, page in news:
        feed.add_item(
            title=_text(f"{row.get_kind_display()}: {row.payload['name']}"),
            link=settings.PUBLIC_URL + page,
            description=_text("\n".join(_lines(row))),
            # The same wherever the site moves to.
            unique_id=uuid5(NAMESPACE_URL, f"{row.payload['raffle']}/{row.sequence}").urn,
            pubdate=row.announced_at,
            updateddate=row.announced_at,
        )
    return feed.writeString("utf-8").encode()


def _text(text: str) -> str:
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def _lines(row: Announcement) -> list[str]:
    payload = row.payload
    if row.kind == Announcement.Kind.REPLACED:
        passed = f"{payload['ticket_number']} is replaced by ticket {payload['replaced_by']}"
        return [f"{payload['prize']}: ticket {passed}. {payload['reason']}"]
    lines = [
        f"{winner['rank']}. ticket {winner['ticket_number']}"
        + (f" ({winner['username']})" if "username" in winner else "")
        + f": {winner['prize']}"
        for winner in payload["winners"]
    ]
    more = payload["winners_total"] - len(payload["winners"])
    return [*lines, f"and {more:,} more"] if more else lines
