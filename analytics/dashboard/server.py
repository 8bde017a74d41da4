"""The web server of the dashboard: a page, its data as server-sent events, and award reports. Nothing else is served.

It binds a loopback address, answers only requests that name it as their host, and only under a path that begins with a
secret of its own: other pages in the same browser, and other users of the machine, do not get in.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from analytics.award_report import report
from analytics.dashboard.feed import NoticeFeed
from analytics.dashboard.queries import snapshot
from analytics.ledger import ledger_with, newest_generation
from contractnet.errors import QueryError, SettingsError

STATIC = Path(__file__).parent / "static"
LOOPBACK = "127.0.0.1"
HOSTS = ["127.0.0.1", "localhost"]
EVERY_S = 1.0
_SECRET_BYTES = 18
_FILES = {
    "": ("page.html", "text/html"),
    "page.js": ("page.js", "text/javascript"),
    "charts.js": ("charts.js", "text/javascript"),
    "page.css": ("page.css", "text/css"),
    "icon.svg": ("icon.svg", "image/svg+xml"),
    "uplot.js": ("uplot.js", "text/javascript"),
    "uplot.css": ("uplot.css", "text/css"),
}
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"


class Watch:
    """The newest snapshot as JSON, made once for all who look, and only while somebody does."""

    def __init__(self, data_dir: Path, market: str, feed: NoticeFeed | None) -> None:
        self.data_dir = data_dir
        self.market = market
        self.feed = feed
        self._generation: Path | None = None
        self._page: dict[str, Any] = {}
        self._lock = asyncio.Lock()

    async def page(self) -> str:
        """What the page shows now."""
        async with self._lock:
            live = None if self.feed is None else self.feed.told()
            try:
                generation = newest_generation(self.data_dir)
                if generation != self._generation:
                    self._page = await asyncio.to_thread(self._read)
                    self._generation = generation
                return json.dumps({**self._page, "live": live})
            except QueryError as error:
                return json.dumps({"problem": str(error), "live": live})

    def _read(self) -> dict[str, Any]:
        with ledger_with("views of the dashboard", self.data_dir) as connection:
            return snapshot(connection, self.market)

    async def events(self) -> AsyncIterator[str]:
        """The page's data, again each second."""
        while True:
            yield f"data: {await self.page()}\n\n"
            await asyncio.sleep(EVERY_S)


class Headers:
    """Adds what a browser is to enforce; a route may have said a policy of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("content-security-policy", _PAGE_POLICY)
                headers["x-content-type-options"] = "nosniff"
                headers["referrer-policy"] = "no-referrer"
                headers["cross-origin-resource-policy"] = "same-origin"
                headers["cache-control"] = "no-store"
            await send(message)

        await self._app(scope, receive, sending if scope["type"] == "http" else send)


def application(watch: Watch, secret: str) -> Starlette:
    """Everything under /SECRET/."""

    async def data(_: Request) -> Response:
        return Response(await watch.page(), media_type="application/json")

    async def stream(_: Request) -> Response:
        return StreamingResponse(watch.events(), media_type="text/event-stream")

    async def award(request: Request) -> Response:
        given = request.path_params["award_id"]
        try:
            page = await asyncio.to_thread(lambda: report(watch.data_dir, watch.market, given, None).html())
        except QueryError as error:
            return PlainTextResponse(str(error), status_code=404)
        return HTMLResponse(page, headers={"content-security-policy": _REPORT_POLICY})

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        if watch.feed is not None:
            watch.feed.start()
        yield
        if watch.feed is not None:
            await asyncio.to_thread(watch.feed.stop)

    routes = [
        *[Route(f"/{name}", _file(*file)) for name, file in _FILES.items()],
        Route("/data", data),
        Route("/stream", stream),
        Route("/award/{award_id:str}", award),
    ]
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=HOSTS, www_redirect=False)
    return Starlette(
        routes=[Mount(f"/{secret}", routes=routes)], middleware=[hosts, Middleware(Headers)], lifespan=lifespan
    )


def _file(name: str, kind: str) -> Callable[[Request], Any]:
    async def answer(_: Request) -> Response:
        return FileResponse(STATIC / name, media_type=kind)

    return answer


def serve(watch: Watch, port: int, ready: Callable[[str], None]) -> None:
    """Serve until Ctrl-C or SIGTERM; `ready` is told the address of the page. Port 0: any that is free.

    Raises SettingsError where the port is taken.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
        listener.listen()  # now: whoever is told the address may come at once
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"Port {port} of {LOOPBACK} cannot be used: {error.strerror}. Choose another one with --port, or --port 0 "
            f"for any that is free."
        ) from error
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    config = uvicorn.Config(
        application(watch, secret),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    ready(f"http://{LOOPBACK}:{listener.getsockname()[1]}/{secret}/")
    uvicorn.Server(config).run(sockets=[listener])
