"""The transport against a server that enforces its limit with 429: what is taken, settled, retried and told."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from aiohttp import web

from benchmarks.provider import Leaky, Provider, providing
from contractnet.client.answers import UsageReader, remaining_tokens, retry_after_s, tokens_of
from contractnet.client.holdings import Part
from contractnet.client.http import TokenTransport
from contractnet.client.spending import Spending

ESTIMATE = 100


class Tokens:
    """Any number of tokens at once; what callers said of them, and how many still hold some."""

    def __init__(self) -> None:
        self.done: list[Spending] = []
        self.inside = 0

    @asynccontextmanager
    async def tokens(self, estimate: int, *, task: str = "") -> AsyncIterator[Spending]:
        spending = Spending("provider/model", task, [Part(bytes(16), estimate)])
        self.inside += 1
        try:
            yield spending
        finally:
            self.inside -= 1
            self.done.append(spending)


def play(
    script: Callable[[httpx.AsyncClient, Provider, Tokens, TokenTransport], Awaitable[None]],
    provider: Provider | None = None,
    **options: Any,
) -> Tokens:
    """Run a script with a client of a provider."""
    tokens = Tokens()

    async def run() -> None:
        async with providing(provider or Provider(10**9)) as server:
            terms: dict[str, Any] = {"backoff_s": 0.01, "dice": random.Random(1)} | options
            transport = TokenTransport(httpx.AsyncHTTPTransport(), tokens, lambda _: ESTIMATE, **terms)
            async with httpx.AsyncClient(transport=transport, base_url=server.url) as client:
                await script(client, server, tokens, transport)
        assert tokens.inside == 0

    asyncio.run(run())
    return tokens


def call(prompt: int, completion: int, **more: object) -> dict[str, object]:
    return {"prompt_tokens": prompt, "completion_tokens": completion} | more


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
@pytest.mark.parametrize("stream", [False, True])
def test_the_usage_of_an_answer_is_settled(path: str, stream: bool) -> None:
    """Both families of APIs, whole and as a stream, where the last event carries it."""

    async def script(client: httpx.AsyncClient, server: Provider, tokens: Tokens, transport: TokenTransport) -> None:
        answer = await client.post(path, json=call(70, 50, stream=stream))
        assert answer.status_code == 200
        assert transport.remaining == 10**9 - 120

    (spending,) = play(script).done
    assert (spending.spent, spending.calls, spending.throttled_calls) == (120, 1, 0)


def test_a_stream_that_is_closed_early_counts_as_the_estimate_at_least() -> None:
    """The provider goes on counting; tokens are not given back for what was not read."""

    async def script(client: httpx.AsyncClient, server: Provider, tokens: Tokens, transport: TokenTransport) -> None:
        async with client.stream("POST", "/v1/messages", json=call(7, 50, stream=True)):
            assert tokens.inside == 1, "held until the stream ends"
        assert tokens.inside == 0

    assert play(script).done[0].spent == ESTIMATE


def test_what_a_stream_said_before_it_was_closed_is_not_all() -> None:
    """Its first event tells the input, and one token of output."""

    async def script(client: httpx.AsyncClient, server: Provider, tokens: Tokens, transport: TokenTransport) -> None:
        async with client.stream("POST", "/v1/messages", json=call(7, 50, stream=True)) as answer:
            async for chunk in answer.aiter_bytes():
                assert b"input_tokens" in chunk
                break

    assert play(script).done[0].spent == ESTIMATE


def test_429_is_retried_when_the_server_says_and_told() -> None:
    """The bucket is empty: the next call waits for `retry-after-ms`, once, and succeeds. One 429 is told."""

    async def script(client: httpx.AsyncClient, server: Provider, tokens: Tokens, transport: TokenTransport) -> None:
        await client.post("/v1/chat/completions", json=call(1_000, 0))
        answer = await client.post("/v1/chat/completions", json=call(100, 0))
        assert answer.status_code == 200
        assert (server.refused, server.answered) == (1, 2)

    # 1,000 tokens in each minute of a second.
    last = play(script, Provider(1_000, minute_s=1.0)).done[-1]
    assert (last.spent, last.calls, last.throttled_calls) == (100, 2, 1)


def test_retries_are_bounded() -> None:
    """The 429 is returned in the end; nothing was used."""

    async def script(client: httpx.AsyncClient, server: Provider, tokens: Tokens, transport: TokenTransport) -> None:
        server.bucket = Leaky(1_000, 1_000)
        server.bucket.level = -1e9
        answer = await client.post("/v1/chat/completions", json=call(100, 0))
        assert answer.status_code == 429
        assert answer.json()["error"]["type"] == "rate_limit_error"
        assert server.refused == 1, "a wait of days is not worth it"
        server.bucket = Leaky(1_000, 1_000, clock=lambda: 0.0)
        server.bucket.take(999)
        answer = await client.post("/v1/chat/completions", json=call(11, 0))
        assert answer.status_code == 429
        assert server.refused == 1 + 3

    first, second = play(script, retries=2).done
    assert (first.spent, first.calls, first.throttled_calls) == (0, 1, 1)
    assert (second.spent, second.calls, second.throttled_calls) == (0, 3, 3)


def test_a_body_that_can_be_read_once_is_not_retried() -> None:
    """Half a body would be sent the second time."""

    async def body() -> AsyncIterator[bytes]:
        yield json.dumps(call(500, 0)).encode()

    async def script(client: httpx.AsyncClient, server: Provider, tokens: Tokens, transport: TokenTransport) -> None:
        server.bucket.level = 0
        answer = await client.post("/v1/chat/completions", content=body())
        assert answer.status_code == 429
        assert server.refused == 1

    play(script, Provider(1_000, minute_s=1.0))


class OnePass(io.BytesIO):
    """A file that can be read once, as a pipe."""

    def seekable(self) -> bool:
        return False

    def seek(self, offset: int, whence: int = 0, /) -> int:
        raise io.UnsupportedOperation

    def fileno(self) -> int:
        raise io.UnsupportedOperation

    def tell(self) -> int:
        raise OSError


async def bodies_of(sent: dict[str, Any]) -> list[bytes]:
    """What a server reads of a POST whose first answer is 429."""
    read: list[bytes] = []

    async def serve(request: web.Request) -> web.Response:
        read.append(await request.read())
        return web.Response(status=429 if len(read) == 1 else 200, headers={"x-ratelimit-remaining-tokens": "0"})

    app = web.Application()
    app.router.add_post("/", serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        transport = TokenTransport(httpx.AsyncHTTPTransport(), Tokens(), lambda _: ESTIMATE, backoff_s=0.01)
        async with httpx.AsyncClient(transport=transport) as client:
            answer = await client.post(f"http://127.0.0.1:{runner.addresses[0][1]}/", **sent)
        assert answer.status_code == (429 if len(read) == 1 else 200)
        assert transport.remaining == 0
    finally:
        await runner.cleanup()
    return read


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"content": b"raw"},
        {"json": {"model": "m"}},
        {"data": {"model": "m"}},
        {"files": {"file": b"abc"}, "data": {"model": "m"}},
        {"files": {"file": ("voice.mp3", io.BytesIO(b"abc" * 50_000), "audio/mpeg")}},
    ],
    ids=["nothing", "bytes", "json", "form", "multipart", "a file"],
)
def test_what_can_be_sent_again_is(sent: dict[str, Any]) -> None:
    """After a 429, the same bytes; that nothing is left of the limit by then makes nobody wait."""
    first, second = asyncio.run(bodies_of(sent))
    assert first == second
    assert not sent or first


def test_a_file_that_can_be_read_once_is_not_retried() -> None:
    """The second body would lack it."""
    (body,) = asyncio.run(bodies_of({"files": {"file": OnePass(b"abc")}}))
    assert b"abc" in body


@pytest.mark.parametrize(("status", "spent"), [(200, ESTIMATE), (400, 0), (500, 0)])
def test_an_answer_without_usage(status: int, spent: int) -> None:
    """Counts as the estimate where it succeeded, and as nothing where it was refused."""
    assert asyncio.run(_answered(httpx.Response(status, content=b"no json"))).spent == spent


async def _answered(response: httpx.Response) -> Spending:
    tokens = Tokens()
    transport = TokenTransport(httpx.MockTransport(lambda _: response), tokens, lambda _: ESTIMATE)
    async with httpx.AsyncClient(transport=transport) as client:
        await client.get("http://provider/")
    (spending,) = tokens.done
    return spending


@pytest.mark.parametrize(
    ("error", "spent"), [(httpx.ConnectError, 0), (httpx.ReadTimeout, ESTIMATE), (asyncio.CancelledError, ESTIMATE)]
)
def test_a_request_that_fails(error: type[BaseException], spent: int) -> None:
    """Before it was sent it used nothing; afterwards the provider may have counted it."""
    tokens = Tokens()

    def fail(request: httpx.Request) -> httpx.Response:
        raise error("gone")

    async def run() -> None:
        transport = TokenTransport(httpx.MockTransport(fail), tokens, lambda _: ESTIMATE)
        async with httpx.AsyncClient(transport=transport) as client:
            await client.get("http://provider/")

    with pytest.raises(error):
        asyncio.run(run())
    assert [(one.spent, one.calls) for one in tokens.done] == [(spent, spent // ESTIMATE)]


def test_a_compressed_answer_is_read() -> None:
    """In pieces, and where the transport below has read it already."""
    body = gzip.compress(json.dumps({"usage": {"total_tokens": 42}}).encode())

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 5):
            yield body[start : start + 5]

    for content in (body, pieces()):
        response = httpx.Response(200, content=content, headers={"content-encoding": "gzip"})
        assert asyncio.run(_answered(response)).spent == 42


def test_only_encodings_that_can_be_read_are_asked_for() -> None:
    """httpx itself asks for more where their libraries are there."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers["accept-encoding"])
        return httpx.Response(200)

    async def run() -> None:
        transport = TokenTransport(httpx.MockTransport(answer), Tokens(), lambda _: ESTIMATE)
        async with httpx.AsyncClient(transport=transport) as client:
            await client.get("http://provider/", headers={"accept-encoding": "br, zstd, gzip"})

    asyncio.run(run())
    assert asked == ["gzip, deflate"]


def test_backoff_doubles_with_full_jitter() -> None:
    """Without retry-after: uniform up to 0.5, 1, 2, 4 s ...; the server's own word goes before it, and is never cut."""
    transport = TokenTransport(httpx.MockTransport(lambda _: httpx.Response(200)), Tokens(), lambda _: 1, wait_s_max=3)
    silent, told, long = (httpx.Response(429, headers=h) for h in ({}, {"retry-after": "2"}, {"retry-after": "60"}))
    for attempt, most_s in enumerate((0.5, 1, 2, 3, 3)):
        waits = [transport._wait_s(silent, attempt) or 0.0 for _ in range(400)]
        assert 0.9 * most_s < max(waits) <= most_s
        assert min(waits) < 0.1 * most_s
    waits = [transport._wait_s(told, 0) or 0.0 for _ in range(400)]
    assert min(waits) >= 2
    assert max(waits) <= 2.5
    assert len(set(waits)) > 300, "who was told the same does not come back at once"
    assert transport._wait_s(long, 0) is None


NOW = datetime(2026, 11, 29, 7, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "7", "retry-after-ms": "6500"}, 6.5),
        ({"retry-after": "Sun, 29 Nov 2026 07:00:30 GMT"}, 30.0),
        ({"retry-after": "Sun, 29 Nov 2026 06:00:30 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after-ms": "nan", "retry-after": "inf"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers, NOW) == seconds


def test_what_is_left_of_the_limit() -> None:
    """The least that either family names."""
    assert remaining_tokens({}) is None
    assert remaining_tokens({"x-ratelimit-remaining-tokens": "12"}) == 12
    headers = {"anthropic-ratelimit-tokens-remaining": "90", "anthropic-ratelimit-input-tokens-remaining": "70"}
    assert remaining_tokens(headers) == 70


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"total_tokens": 9, "prompt_tokens": 1}, 9),
        ({"prompt_tokens": 4, "completion_tokens": 3}, 7),
        ({"input_tokens": 4, "output_tokens": 3, "cache_creation_input_tokens": 10, "cache_read_input_tokens": 99}, 17),
        ({"input_tokens": -4}, None),
        ({"input_tokens": "4"}, None),
        ({"total_tokens": True}, None),
        ({}, None),
    ],
)
def test_usage_of_both_families(usage: dict[str, Any], tokens: int | None) -> None:
    assert tokens_of(usage) == tokens


def test_a_stream_in_any_pieces_says_the_same() -> None:
    """Events are cut anywhere; what is no JSON, or another `usage`, is passed over."""
    lines = [
        b'data: {"type": "message_start", "message": {"usage": {"input_tokens": 25, "output_tokens": 1}}}',
        b'data: {"text": "the usage of tokens"}',
        b"data: usage, as text",
        b'data: {"type": "message_delta", "usage": {"output_tokens": 15}}\r',
        b"data: [DONE]",
    ]
    body = b"\n\n".join(lines)
    for size in (1, 7, len(body)):
        reader = UsageReader("text/event-stream; charset=utf-8")
        for start in range(0, len(body), size):
            reader.feed(body[start : start + size])
        assert reader.tokens() == 40


@pytest.mark.parametrize("encoding", ["br", "gzip"])
def test_what_cannot_be_read_says_nothing(encoding: str) -> None:
    """Another encoding, bytes that are not what the header says, too large a body."""
    reader = UsageReader("application/json", encoding)
    reader.feed(b'{"usage": {"total_tokens": 3}}')
    assert reader.tokens() is None
    large = UsageReader("application/json")
    large.feed(b" " * (1 << 20))
    large.feed(b'{"usage": {"total_tokens": 3}}')
    assert large.tokens() is None


def test_the_providers_bucket_is_exact() -> None:
    """The server of these tests: at most `size + rate · T` over any T, and the time that it names is the time."""
    now = [0.0]
    bucket = Leaky(100, 10, clock=lambda: now[0])
    assert bucket.take(100) == 0
    assert bucket.take(20) == 2.0
    now[0] = 1.99
    assert bucket.take(20) == pytest.approx(0.01)
    now[0] = 2.0
    assert bucket.take(20) == 0
    assert bucket.take(101) == float("inf")
