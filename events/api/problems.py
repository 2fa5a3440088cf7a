"""The statuses of the calendar's refusals, added to the one table."""

from __future__ import annotations

from events.domain import refusals
from raffles.api.problems import STATUS

STATUS.update(
    {
        refusals.DrawFull: 410,
        refusals.NoDraw: 410,
        refusals.AlreadyInDraw: 403,
        refusals.WonRecently: 403,
        refusals.PartnersOnly: 403,
        refusals.RewardFrozen: 409,
        refusals.NoSuchDate: 404,
        refusals.RewardTooLarge: 400,
        refusals.SlugTaken: 409,
    }
)
