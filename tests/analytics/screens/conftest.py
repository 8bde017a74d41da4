"""Fewer trees in tests: their rings are plain, and fitting trees is nearly all of these tests' time."""

from __future__ import annotations

import pytest

from analytics.screens import training


@pytest.fixture(autouse=True)
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test trains within this process has these many trees; a command in a process of its own has all."""
    monkeypatch.setattr(training, "TREES", 25)
    monkeypatch.setattr(training, "TENDER_TREES", 50)
