"""What a worker's log has while Kafka is away."""

from __future__ import annotations

import logging

import pytest

from streams.sparse import Sparse, make_sparse


def record(name: str, text: str, *arguments: object) -> logging.LogRecord:
    """A record as a logger makes it."""
    return logging.LogRecord(name, logging.ERROR, "", 1, text, arguments, None)


def test_the_same_message_is_told_once_in_a_while() -> None:
    """Its gaps may be filled differently; another logger's, or another message, is told; the next counts the rest."""
    now_s = 0.0
    sparse = Sparse(10, lambda: now_s)
    assert sparse.filter(record("a.conn", "no node %s", 1))
    assert not [node for node in range(60) if sparse.filter(record("a.conn", "no node %s", node))]
    assert sparse.filter(record("a.client", "no node %s", 1))
    assert sparse.filter(record("a.conn", "no topic"))
    now_s = 10.0
    later = record("a.conn", "no node %s", 7)
    assert sparse.filter(later)
    assert later.getMessage() == "no node 7 [and 60 times before]"
    assert not sparse.filter(record("a.conn", "no node %s", 7))


def test_children_of_a_logger_are_filtered(caplog: pytest.LogCaptureFixture) -> None:
    """A package logs by a logger a module."""
    logger = logging.getLogger("sparse_test.conn")
    make_sparse("sparse_test")
    for node in range(5):
        logger.error("no node %s", node)
    assert caplog.messages == ["no node 0"]
