"""Choosing the ports of a broker on this machine."""

from __future__ import annotations

import random
import socket

# Below the ephemeral range of Linux (32768 up). A port within it can be lost while the broker restarts: to an outgoing
# connection, even to a client that, trying to reconnect to 127.0.0.1, is given this very port and connects to itself.
_FREE_RANGE = range(20000, 32000)


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1 at this port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As Java does: the remains of closed connections (TIME_WAIT) are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def find_free(avoid: int = 0) -> int:
    """A port that nobody listens on, other than `avoid`. Another process may still take it before it is used."""
    return next(port for port in random.sample(_FREE_RANGE, len(_FREE_RANGE)) if port != avoid and is_free(port))


def answers(port: int, timeout_s: float = 0.2) -> bool:
    """Whether somebody accepts connections on 127.0.0.1 at this port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout_s):
            return True
    except OSError:
        return False
