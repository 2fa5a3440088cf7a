"""Rules: which text a participant accepts, and which bytes its hash is of."""

from __future__ import annotations

import hashlib
import unicodedata
from datetime import datetime

from django.utils.translation import gettext as _

from raffles.models import Rules
from raffles.models.rules import MAX_RULES
from raffles.web.fields import text_fault
from raffles.web.formats import grouped


def read_rules(text: str) -> str:
    """Return a text as it is kept: lines end with a line feed, the last one too; "" if empty.

    Raises ValueError with a sentence for what cannot be shown as it is written.
    """
    lines = [line.rstrip() for line in unicodedata.normalize("NFC", text).splitlines()]
    kept = "\n".join(lines).strip("\n") + "\n"
    if kept == "\n":
        return ""
    if len(kept) > MAX_RULES:
        raise ValueError(_("At most %(most)s characters.") % {"most": grouped(MAX_RULES)})
    for number, line in enumerate(lines, 1):
        if line and (fault := text_fault(line.replace("\t", " "))):
            raise ValueError(_("Line %(number)s: %(fault)s") % {"number": number, "fault": fault})
    return kept


def hash_rules(text: str) -> str:
    """Return the SHA-256 in hex of a text's bytes in UTF-8, as `read_rules` returned it."""
    return hashlib.sha256(text.encode()).hexdigest()


def keep_rules(text: str, *, now: datetime, by: str) -> str:
    """Keep a text for good and return its hash; "" for none. Raises ValueError as `read_rules`."""
    kept = read_rules(text)
    if not kept:
        return ""
    made = {"text": kept, "created_at": now, "created_by": by}
    return Rules.objects.get_or_create(hash=hash_rules(kept), defaults=made)[0].hash


def text_of(rules_hash: str) -> str:
    """Return the text with that hash, "" without one. Raises Rules.DoesNotExist."""
    return Rules.objects.get(hash=rules_hash).text if rules_hash else ""
