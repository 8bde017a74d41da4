"""Fixtures for every test folder."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from broker.interface import Broker
from broker.jvm import JvmBroker

# A shell that runs the tests in the background has them ignore SIGINT, and every process that they start would too.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A started broker without topics, shared by the whole run: use topic names of your own, and do not stop it."""
    with JvmBroker(tmp_path_factory.mktemp("broker"), port=0, notify=print) as running:
        yield running
