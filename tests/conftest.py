"""Fixtures for every test folder."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator

import pytest

from broker.interface import Broker
from broker.jvm import JvmBroker

# A shell that runs the tests in the background has them ignore SIGINT, and every process that they start would too.
signal.signal(signal.SIGINT, signal.default_int_handler)

TOLD = "told"


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Lines that the run prints at its end, whether the test passes or not: what it reached, what it measured."""
    return lambda text: record_property(TOLD, text)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests told: their own output would be lost where tests run side by side."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for text in (text for name, text in report.user_properties if name == TOLD):
                terminalreporter.write_line(f"{report.nodeid}: {text}")


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A started broker without topics, shared by the whole run: use topic names of your own, and do not stop it."""
    with JvmBroker(tmp_path_factory.mktemp("broker"), port=0, notify=print) as running:
        yield running
