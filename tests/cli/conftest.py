"""A market that runs, for the tests of several files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.cli.command import contractnet, done

MARKET = pytest.StashKey[Path]()


@pytest.fixture(scope="session")
def market(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data directory of a market that runs, with accounts. Leave it as you found it."""
    data = tmp_path_factory.mktemp("market") / "data"
    request.session.stash[MARKET] = data
    done(data, "up", "--detach")
    for name in ("team", "oncall"):
        done(data, "enroll", name, "--project", "infra")
    done(data, "enroll", "ann", "--project", "vision", "--credits", "10")
    yield data
    down(request.session)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """The market ends with the last test of this folder, not of the session: those of others measure."""
    if nextitem is None or nextitem.path.parent != item.path.parent:
        down(item.session)


def down(session: pytest.Session) -> None:
    """End the market, if it runs."""
    with suppress(KeyError):
        data = session.stash[MARKET]
        del session.stash[MARKET]
        contractnet("--data", data, "down")
