"""The proxy between broker and services."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from broker.ports import find_free
from faults.proxy import Proxy


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that sends back what it gets."""

    def serve(connection: socket.socket) -> None:
        with connection:
            while data := connection.recv(1000):
                connection.sendall(data)

    def accept() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def test_bytes_pass_late_when_delayed_and_not_at_all_when_cut(echo: int) -> None:
    """A delay counts both ways; a cut ends the connection and takes no other until it is mended."""
    port = find_free()
    with Proxy(port, echo) as proxy:
        with socket.create_connection(("127.0.0.1", port), 5) as client:
            client.sendall(b"one")
            assert client.recv(10) == b"one"
            proxy.delay_s = 0.1
            started = time.monotonic()
            client.sendall(b"two")
            assert client.recv(10) == b"two"
            assert time.monotonic() - started >= 0.2
            assert proxy.delayed_bytes == 6
            assert proxy.dropped == 0
            proxy.cut()
            assert (proxy.dropped, proxy.refused) == (1, 0)
            with pytest.raises(ConnectionError):
                _expect_end(client)
        with pytest.raises(ConnectionError), socket.create_connection(("127.0.0.1", port), 5) as client:
            _expect_end(client)
        assert (proxy.dropped, proxy.refused) == (1, 1)
        proxy.mend()
        proxy.delay_s = 0.0
        with socket.create_connection(("127.0.0.1", port), 5) as client:
            client.sendall(b"three")
            assert client.recv(10) == b"three"


def test_a_connection_that_is_being_made_does_not_outlive_a_cut(echo: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was taken before the cut, and reached the far end during it."""
    port, half = find_free(), threading.Event()
    reach = asyncio.open_connection

    async def slowly(host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        half.set()
        await asyncio.sleep(0.3)
        return await reach(host, port)

    monkeypatch.setattr(asyncio, "open_connection", slowly)
    with Proxy(port, echo) as proxy, socket.create_connection(("127.0.0.1", port), 5) as client:
        assert half.wait(5)
        proxy.cut()
        with pytest.raises(ConnectionError):
            _expect_end(client)
        assert (proxy.dropped, proxy.refused) == (0, 1)


def _expect_end(client: socket.socket) -> None:
    """A connection that was dropped gives nothing more."""
    if client.recv(10) == b"":
        raise ConnectionResetError
