"""What a provider's answer says of tokens: what was used, what is left of the limit, when to come again.

Two families of APIs. Bodies: `usage.total_tokens`, or `prompt_tokens` and `completion_tokens`, as OpenAI's;
`input_tokens` and `output_tokens` (with `cache_creation_input_tokens`, which count against the limit; reads of the
cache do not), as Anthropic's. In a stream of server-sent events the last usage counts, and what an earlier event alone
said stays: Anthropic tells the input in the first event and the output in the last but one. Headers: `retry-after`
(seconds, or a date), `retry-after-ms`, `x-ratelimit-remaining-tokens`, `anthropic-ratelimit-tokens-remaining`.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

REMAINING = (
    "x-ratelimit-remaining-tokens",
    "anthropic-ratelimit-tokens-remaining",
    "anthropic-ratelimit-input-tokens-remaining",
)
INPUT = ("prompt_tokens", "input_tokens", "cache_creation_input_tokens")
OUTPUT = ("completion_tokens", "output_tokens")


KEPT_BYTES = 1 << 20
DEFLATED = ("gzip", "x-gzip", "deflate")
ANY_ZLIB = 47
"""zlib's code for "a gzip or a zlib header, whichever is there"."""


def tokens_of(usage: Mapping[str, Any]) -> int | None:
    """All tokens of a usage object; None where it names none."""
    total = _count(usage.get("total_tokens"))
    if total is not None:
        return total
    counts = [count for name in (*INPUT, *OUTPUT) if (count := _count(usage.get(name))) is not None]
    return sum(counts) if counts else None


class UsageReader:
    """Reads the usage out of a body as it passes by. `content_type` and `encoding` are the answer's headers.

    Bodies that are cut, larger than 1 MiB (of a stream: one event), encoded other than by gzip or deflate, or no JSON
    say nothing.
    """

    def __init__(self, content_type: str, encoding: str = "") -> None:
        self._is_stream = content_type.partition(";")[0].strip().lower() == "text/event-stream"
        self._inflater = zlib.decompressobj(ANY_ZLIB) if encoding.strip().lower() in DEFLATED else None
        self._is_legible = self._inflater is not None or encoding.strip().lower() in ("", "identity")
        self._rest = bytearray()
        self._usage: dict[str, Any] = {}

    def feed(self, chunk: bytes) -> None:
        """The next bytes of the body."""
        if not self._is_legible:
            return
        try:
            self._rest += chunk if self._inflater is None else self._inflater.decompress(chunk)
        except zlib.error:
            self._is_legible = False
        if self._is_stream:
            *lines, rest = self._rest.split(b"\n")
            self._rest = rest
            for line in lines:
                self._line(line)
        if len(self._rest) > KEPT_BYTES:
            self._is_legible = False
            self._rest.clear()

    def tokens(self) -> int | None:
        """Tokens that the body said were used; None where it did not say."""
        if self._is_stream:
            self._line(self._rest)
            return tokens_of(self._usage)
        return tokens_of(usage_of(_parsed(self._rest)))

    def _line(self, line: bytes | bytearray) -> None:
        """Of server-sent events (WHATWG HTML, section 9.2) both families write one line of data each."""
        if line.startswith(b"data:") and b"usage" in line:
            self._usage |= usage_of(_parsed(line[5:]))


def usage_of(answer: object) -> dict[str, Any]:
    """The usage object of an answer or of an event; of an event with a message or a response, that one's."""
    if not isinstance(answer, dict):
        return {}
    for holder in (answer, answer.get("message"), answer.get("response")):
        if isinstance(holder, dict) and isinstance(usage := holder.get("usage"), dict):
            return {name: value for name, value in usage.items() if value is not None}
    return {}


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds to wait, as the answer says; None where it does not. `now` is for a `retry-after` that is a date."""
    if (exact := _number(headers.get("retry-after-ms"))) is not None:
        return exact / 1000
    text = headers.get("retry-after")
    if text is None or (seconds := _number(text)) is not None:
        return None if text is None else seconds
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - (now or datetime.now(UTC))).total_seconds())


def remaining_tokens(headers: Mapping[str, str]) -> int | None:
    """What is left of the provider's limit: the least that the answer names; None where it names nothing."""
    found = [int(number) for name in REMAINING if (number := _number(headers.get(name))) is not None]
    return min(found, default=None)


def _parsed(text: bytes | bytearray) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _count(value: object) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
