"""A broker with the market's topics, for tests that drive the shells themselves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.world import World, new_world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A broker with topics and no worker."""
    with new_world(tmp_path_factory.mktemp("streams")) as running:
        yield running
