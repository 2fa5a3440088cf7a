"""Public reasons as people read them; the API, proofs and the log keep them as they are stored."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from raffles.domain.prizes import NOT_CLAIMED
from raffles.domain.sealing import NOBODY_CAME

_OURS = {NOBODY_CAME: _("Nobody took part"), NOT_CLAIMED: _("Not claimed in time")}


def shown_reason(reason: str) -> str:
    """Return a reason that we wrote in the reader's language, one that a person wrote untouched."""
    return str(_OURS.get(reason, reason))


def our_reasons() -> dict[str, str]:
    """Return our own reasons in the reader's language, by what is stored."""
    return {stored: str(shown) for stored, shown in _OURS.items()}
