"""A provider of a language model on this machine, which enforces a limit of tokens with 429: no part of the market.

POST /v1/chat/completions (OpenAI's form of answer) and /v1/messages (Anthropic's), with `prompt_tokens` and
`completion_tokens` in the request saying what the call takes; `stream` has the answer come as server-sent events. The
limit is a bucket of the server's own, on its own clock, in floats: it shares no code with the pools of the market.
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(slots=True)
class Leaky:
    """A bucket of at most `size` tokens into which `per_s` flow each second; `clock` in seconds."""

    size: float
    per_s: float
    clock: Callable[[], float] = time.monotonic
    level: float = field(init=False)
    _at_s: float = field(init=False)

    def __post_init__(self) -> None:
        self.level, self._at_s = self.size, self.clock()

    def take(self, tokens: float) -> float:
        """Take tokens, and 0.0; or nothing, and how many seconds until they are there (inf: they never are)."""
        now_s = self.clock()
        self.level = min(self.size, self.level + self.per_s * (now_s - self._at_s))
        self._at_s = now_s
        if tokens > self.size:
            return math.inf
        if tokens > self.level:
            return (tokens - self.level) / self.per_s
        self.level -= tokens
        return 0.0


class Provider:
    """The server's state: its limit, and what it counted. `minute_s` is how long its minute lasts."""

    def __init__(self, tokens_per_minute: int, *, minute_s: float = 60.0, latency_s: float = 0.01) -> None:
        self.url = ""
        self.answered = 0
        self.refused = 0
        self.tokens = 0
        self.bucket = Leaky(tokens_per_minute, tokens_per_minute / minute_s)
        self.latency_s = latency_s

    @property
    def refused_per_1000(self) -> float:
        """429s for 1,000 requests that came in."""
        return 1000 * self.refused / max(1, self.answered + self.refused)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One call."""
        asked: dict[str, Any] = await request.json()
        prompt, completion = int(asked["prompt_tokens"]), int(asked["completion_tokens"])
        wait_s = self.bucket.take(prompt + completion)
        left = {"x-ratelimit-remaining-tokens": str(int(self.bucket.level))}
        if wait_s == math.inf:
            return web.json_response({"error": {"type": "request_too_large"}}, status=400)
        if wait_s:
            self.refused += 1
            after = {"retry-after": str(math.ceil(wait_s)), "retry-after-ms": str(math.ceil(wait_s * 1000))}
            return web.json_response({"error": {"type": "rate_limit_error"}}, status=429, headers=left | after)
        self.answered += 1
        self.tokens += prompt + completion
        await asyncio.sleep(self.latency_s)
        events = anthropic(prompt, completion) if request.path.endswith("messages") else openai(prompt, completion)
        if not asked.get("stream"):
            return web.json_response(events[-1] if len(events) == 1 else merged(events), headers=left)
        response = web.StreamResponse(headers=left | {"content-type": "text/event-stream"})
        await response.prepare(request)
        for event in events:
            await response.write(f"event: {event.get('type', '')}\ndata: {json.dumps(event)}\n\n".encode())
        await response.write_eof(b"data: [DONE]\n\n")
        return response


def openai(prompt: int, completion: int) -> list[dict[str, Any]]:
    """One event with all of the usage."""
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return [{"object": "chat.completion", "choices": [], "usage": usage}]


def anthropic(prompt: int, completion: int) -> list[dict[str, Any]]:
    """The input in the first event, the output in the last."""
    start = {"type": "message_start", "message": {"usage": {"input_tokens": prompt, "output_tokens": 1}}}
    return [start, {"type": "message_delta", "usage": {"output_tokens": completion}}]


def merged(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The whole message of Anthropic's events."""
    return {"type": "message", "usage": events[0]["message"]["usage"] | events[-1]["usage"]}


@asynccontextmanager
async def providing(provider: Provider) -> AsyncIterator[Provider]:
    """Serve on a free port of 127.0.0.1."""
    app = web.Application()
    app.router.add_post("/v1/{kind:.*}", provider.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        provider.url = f"http://{host}:{port}"
        yield provider
    finally:
        await runner.cleanup()
