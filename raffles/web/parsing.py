"""Request bodies: strict JSON, or a 4xx that says what is wrong."""

import codecs
import json
import re
from collections.abc import Mapping, Sequence
from typing import IO, Any

from rest_framework.exceptions import (
    NotAcceptable,
    ParseError,
    UnsupportedMediaType,
    ValidationError,
)
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import JSONParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

# Bodies of this API are three levels deep; lenient readers recurse until the stack ends.
MAX_DEPTH = 8


class Malformed(ParseError):
    """The body is not JSON that this API reads (400)."""

    default_code = "malformed_body"


def is_utf8(charset: str) -> bool:
    """Return whether a charset is UTF-8, by any of its names."""
    try:
        return codecs.lookup(charset).name == "utf-8"
    except (LookupError, ValueError):
        return False


class StrictJSONParser(JSONParser):
    """Read a JSON object in UTF-8 as RFC 8259 has it, without the usual extensions.

    Refused with 400: a byte order mark, invalid UTF-8, lone surrogates, NaN and infinities
    (also by overflow), duplicate keys, nesting beyond MAX_DEPTH, anything after the object, and
    anything that is not an object. Size and charset are `RefuseMalformedMiddleware`'s.
    """

    # To a subclass of JSONParser DRF gives the body in memory.
    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> Any:
        if media_type and "*" in media_type:  # matches this parser, and names no type
            raise UnsupportedMediaType(media_type)
        return self.read(stream.read())

    def read(self, body: bytes) -> Any:
        """Return what the body holds. Raises Malformed."""
        return read_object(body)


class StrictArrayParser(StrictJSONParser):
    """The same for a JSON array."""

    def read(self, body: bytes) -> Any:
        return read_array(body)


def read_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object that `body` holds. Raises Malformed, and nothing else."""
    value = _read(body)
    if not isinstance(value, dict):
        raise Malformed("The body must be a JSON object.")
    return value


def read_array(body: bytes) -> list[Any]:
    """Return the JSON array that `body` holds. Raises Malformed, and nothing else."""
    value = _read(body)
    if not isinstance(value, list):
        raise Malformed("The body must be a JSON array.")
    return value


def _read(body: bytes) -> Any:
    try:
        value = _DECODER.decode(body.decode())
        _check(value, MAX_DEPTH)
    except UnicodeDecodeError:
        raise Malformed("The body is not valid UTF-8.") from None
    except UnicodeEncodeError as error:
        half = f"\\u{ord(error.object[error.start]):04x}"
        raise Malformed(f"{half} alone is a surrogate and no character.") from None
    except RecursionError:
        raise Malformed("The body is nested too deeply.") from None
    except json.JSONDecodeError as error:
        raise Malformed(f"The body is not valid JSON: {error}.") from None
    except ValueError:
        # An integer with more digits than Python converts.
        raise Malformed("A number is out of range.") from None
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Malformed("A key occurs twice in the same object.")
    return found


def _float(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise Malformed("A number is out of range.")
    return number


def _constant(text: str) -> float:
    raise Malformed(f"{text} is not JSON.")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_float, parse_constant=_constant)


def _check(value: object, depth: int) -> None:
    """Raise for nesting beyond `depth`, and UnicodeEncodeError for a lone surrogate in a string."""
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, dict | list):
        if depth == 0:
            raise Malformed("The body is nested too deeply.")
        for item in value:
            _check(item, depth - 1)
        if isinstance(value, dict):
            for item in value.values():
                _check(item, depth - 1)


Chosen = tuple[BaseRenderer, str]


class LenientNegotiation(DefaultContentNegotiation):
    """Answer in the first format where the client accepts none of ours: JSON beats a bare 406."""

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


_KEY = re.compile("[!-~]{1,255}")


def idempotency_key(request: Request) -> str | None:
    """Return the request's key, None without one; an invalid key is 400."""
    key: str | None = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is None or _KEY.fullmatch(key):
        return key
    raise ValidationError({"Idempotency-Key": ["Write 1 to 255 visible ASCII characters."]})
