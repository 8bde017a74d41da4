"""An `httpx` transport that takes tokens of a pool before a request (`pip install contractnet[http]`).

wallet = agent.wallet("openai/gpt-5", credits("0.02"))
transport = TokenTransport(httpx.AsyncHTTPTransport(), wallet, estimate=lambda request: 2_000)
async with httpx.AsyncClient(transport=transport) as client: ...
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Protocol

import httpx

from contractnet.client.answers import UsageReader, remaining_tokens, retry_after_s
from contractnet.client.spending import Spending

REFUSED, THROTTLED = 400, 429
LEGIBLE = "gzip, deflate"
"""The encodings of bodies that are asked for: those of which the usage can be read."""


class TokenSource(Protocol):
    """Where tokens come from: a Wallet, or a stand-in."""

    def tokens(self, estimate: int, *, task: str = "") -> AbstractAsyncContextManager[Spending]:
        """See `Wallet.tokens`."""


class TokenTransport(httpx.AsyncBaseTransport):
    """Takes `estimate(request)` tokens before each request, and settles with what the answer says was used.

    An answer without usage counts as the estimate where it succeeded, and as nothing where the provider refused it
    (status 400 and above). A request that fails after it was sent, or is cancelled, counts as the estimate: the
    provider may have counted it. A stream is settled when it has been read, or closed; one that was closed early
    counts as the estimate at least.

    429 is told to the market and retried at most `retries` times, after what the answer asks for (`retry-after-ms`,
    `retry-after`) or else with full jitter within `backoff_s * 2**n` seconds (Brooker 2015), `wait_s_max` at most; a
    longer `retry-after` is not waited for, and the 429 returned. Bodies of bytes, JSON, forms and files that can be
    read from their start again are sent again; a request whose body is any other stream, such as a generator, is not
    retried. `task(request)` names the task that the use is attributed to.
    """

    def __init__(
        self,
        inner: httpx.AsyncBaseTransport,
        wallet: TokenSource,
        estimate: Callable[[httpx.Request], int],
        *,
        task: Callable[[httpx.Request], str] | None = None,
        retries: int = 5,
        backoff_s: float = 0.5,
        wait_s_max: float = 60.0,
        dice: random.Random | None = None,
    ) -> None:
        self.remaining: int | None = None
        """Tokens that are left of the provider's limit, as its last answer said; None: it has not. For information: the
        reset that providers tell beside it is when the whole limit is there again, and granted tokens would expire
        before. When enough is there the `retry-after` of a 429 says."""
        self._inner = inner
        self._wallet = wallet
        self._estimate = estimate
        self._task = task
        self._retries = retries
        self._backoff_s = backoff_s
        self._wait_s_max = wait_s_max
        self._dice = random.Random() if dice is None else dice

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Take tokens, send, retry."""
        estimate, task = self._estimate(request), "" if self._task is None else self._task(request)
        request.headers["accept-encoding"] = LEGIBLE
        async with AsyncExitStack() as undo:
            spending = await undo.enter_async_context(self._wallet.tokens(estimate, task=task))
            response = await self._sent(request, spending)
            body = _Counted(response, spending, undo.pop_all())
        if response.is_closed:
            await body.was(response.content)
        else:
            response.stream = body
        return response

    async def aclose(self) -> None:
        """Close the transport under this one; the wallet is the agent's."""
        await self._inner.aclose()

    async def _sent(self, request: httpx.Request, spending: Spending) -> httpx.Response:
        for attempt in range(self._retries + 1):
            response = await self._once(request, spending)
            if (remaining := remaining_tokens(response.headers)) is not None:
                self.remaining = remaining
            if response.status_code != THROTTLED:
                return response
            spending.throttled()
            wait_s = self._wait_s(response, attempt)
            if wait_s is None or attempt == self._retries or not _can_be_sent_again(request.stream):
                return response
            await response.aclose()
            await asyncio.sleep(wait_s)
        raise AssertionError("the last attempt returns")

    async def _once(self, request: httpx.Request, spending: Spending) -> httpx.Response:
        try:
            return await self._inner.handle_async_request(request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            raise
        except BaseException:  # a cancellation too: whatever ended it, the provider may have counted the request
            spending.used(spending.tokens)
            raise

    def _wait_s(self, response: httpx.Response, attempt: int) -> float | None:
        jitter_s = self._dice.uniform(0, min(self._wait_s_max, self._backoff_s * 2.0**attempt))
        asked_s = retry_after_s(response.headers)
        if asked_s is None:
            return jitter_s
        # Everybody who is told the same time would come back at once.
        return None if asked_s > self._wait_s_max else asked_s + self._dice.uniform(0, self._backoff_s)


def _can_be_sent_again(body: object) -> bool:
    """Whether a body can be read twice: one in memory, and a form whose files can be read from their start again, as
    httpx does. What other streams do when they are read a second time nobody says."""
    if isinstance(body, httpx.ByteStream):
        return True
    # Of httpx's streams the one of forms alone, for which there is no public name, has fields.
    fields = getattr(body, "fields", None)
    return isinstance(fields, list) and all(_starts_again(getattr(field, "file", b"")) for field in fields)


def _starts_again(file: object) -> bool:
    seekable = getattr(file, "seekable", None)
    return isinstance(file, bytes | str) or (callable(seekable) and bool(seekable()))


class _Counted(httpx.AsyncByteStream):
    """The body of an answer, on its way to the reader: when it ends, the tokens are settled."""

    def __init__(self, response: httpx.Response, spending: Spending, kept: AsyncExitStack) -> None:
        assert isinstance(response.stream, httpx.AsyncByteStream)
        self._inner = response.stream
        self._status = response.status_code
        self._type = response.headers.get("content-type", "")
        self._reader = UsageReader(self._type, response.headers.get("content-encoding", ""))
        self._spending = spending
        self._kept: AsyncExitStack | None = kept
        self._whole = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._inner:
            self._reader.feed(chunk)
            yield chunk
        self._whole = True

    async def was(self, body: bytes) -> None:
        """The transport under this one has read all of it, and decoded it."""
        self._reader = UsageReader(self._type)
        self._reader.feed(body)
        self._whole = True
        await self._settle()

    async def aclose(self) -> None:
        """Close, and settle."""
        try:
            await self._inner.aclose()
        finally:
            await self._settle()

    async def _settle(self) -> None:
        kept, self._kept = self._kept, None
        if kept is None:
            return
        if self._status != THROTTLED:
            said, unsaid = self._reader.tokens(), self._spending.tokens if self._status < REFUSED else 0
            if not self._whole:
                said = None if said is None else max(said, unsaid)
            self._spending.used(unsaid if said is None else said)
        await kept.aclose()
