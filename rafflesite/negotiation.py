"""Which form an answer takes."""

from collections.abc import Sequence

from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

Chosen = tuple[BaseRenderer, str]


class LenientNegotiation(DefaultContentNegotiation):
    """Answer in the first form where the client accepts none of ours; JSON beats a bare 406."""

    def select_renderer(  # type: ignore[override]  # DRF makes a list of them
        self,
        request: Request,
        renderers: Sequence[BaseRenderer],
        format_suffix: str | None = None,
    ) -> Chosen:
        first = (renderers[0], str(renderers[0].media_type))
        if len(renderers) == 1:
            return first
        try:
            chosen: Chosen = super().select_renderer(request, renderers, format_suffix)
        except NotAcceptable:
            return first
        return chosen
