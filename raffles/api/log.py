"""The operator's log in public, as C2SP tlog-tiles: checkpoint, tiles, and statements by line."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from raffles.domain.log import WIDTH, LogTree, checkpoint, size, statements
from raffles.web.problems import not_found

# Levels of 256 nodes; a block's number in groups of three digits, all but the last with an x.
TILE: Final = (
    r"^log/tile/(?P<level>entries|0|[1-9]|[1-5][0-9]|6[0-3])"
    r"/(?P<block>(?!x000)(?:x[0-9]{3}/){0,3}[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]?|1[0-9]{2}|2[0-5][0-9]))?$"
)
_OCTETS: Final = "application/octet-stream"
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_HASH: Final = 32


@require_safe
def newest_checkpoint(request: HttpRequest) -> HttpResponseBase:
    """Answer the signed checkpoint of the whole log; 404 before the first statement."""
    tree = LogTree(size())
    if not tree.size:
        return not_found()
    etag = f'"{tree.size}"'
    response = get_conditional_response(request, etag=etag)
    if response is None:
        response = HttpResponse(checkpoint(tree), content_type="text/plain; charset=utf-8")
    response["ETag"], response["Cache-Control"] = etag, "no-cache"
    return response


@require_safe
def tile(
    _request: HttpRequest, level: str, block: str, width: str | int = WIDTH
) -> HttpResponseBase:
    """Answer 256 hashes or statements, or the first `width` of them; 404 while there are fewer."""
    wanted, number = int(width), int(block.replace("x", "").replace("/", ""))
    tree = LogTree(size())
    if level == "entries":
        found = list(statements(number * WIDTH, number * WIDTH + wanted))
        entries = [len(entry).to_bytes(2, "big") + entry for entry in found]
    else:
        hashes = tree.tile(int(level), number)
        entries = [hashes[at : at + _HASH] for at in range(0, wanted * _HASH, _HASH)]
        entries = [entry for entry in entries if entry]
    if len(entries) < wanted or wanted > WIDTH:
        return not_found()
    return HttpResponse(
        b"".join(entries), content_type=_OCTETS, headers={"Cache-Control": _FOR_EVER}
    )


@require_safe
def all_statements(_request: HttpRequest) -> HttpResponseBase:
    """Answer every statement, one per line, for people and for `verify.py --log`."""
    lines = (line + b"\n" for line in statements(0, size()))
    response = StreamingHttpResponse(lines, content_type="text/plain; charset=utf-8")
    response["Cache-Control"] = "no-cache"
    return response
