"""A market that spends in every way, played and published once for all files of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.analytics.spending import Spending, played, publish


@pytest.fixture(scope="session")
def spending() -> Spending:
    """The market."""
    return played()


@pytest.fixture(scope="session")
def spent(spending: Spending, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its data directory; leave it as you found it."""
    data_dir = tmp_path_factory.mktemp("spent")
    publish(spending.town, data_dir)
    return data_dir
