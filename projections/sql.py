"""The SQL files of this package, cut into statements."""

from __future__ import annotations

import re
from collections.abc import Container
from functools import cache
from pathlib import Path

_ON = re.compile(r"^-- on (\w+)$", re.MULTILINE)


def read(name: str) -> str:
    """The text of one SQL file."""
    return (Path(__file__).parent / name).read_text("utf-8")


@cache
def fold_blocks() -> tuple[tuple[str, str], ...]:
    """The blocks of fold.sql, fold_budgets.sql and fold_tokens.sql in their order, as (event type, statement)."""
    files = [_ON.split(read(name))[1:] for name in ("fold.sql", "fold_budgets.sql", "fold_tokens.sql")]
    return tuple(block for parts in files for block in zip(parts[::2], parts[1::2], strict=True))


def fold_statements(relations: Container[str]) -> list[str]:
    """The statements that fold a batch with these event types, in order."""
    return [statement for event_type, statement in fold_blocks() if event_type in relations]
