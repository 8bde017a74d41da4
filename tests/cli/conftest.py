"""A market that runs, for the tests of several files."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from tests.cli.command import contractnet, done

MARKET = pytest.StashKey[Path]()


@pytest.fixture
def market(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a market that runs, with accounts; tests of this folder share it. Leave it as you found it.

    It comes up for the first test that asks, and again where the run comes back to this folder.
    """
    stash = request.session.stash
    if MARKET not in stash:
        stash[MARKET] = data = tmp_path_factory.mktemp("market") / "data"
        done(data, "up", "--detach")
        for name in ("team", "oncall"):
            done(data, "enroll", name, "--project", "infra")
        done(data, "enroll", "ann", "--project", "vision", "--credits", "10")
    return stash[MARKET]


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
