"""A GPU slot's process counts who comes in while another is there: the demo's check can fail."""

from __future__ import annotations

import psutil

from services.demo.resource import Unit


def test_a_second_user_is_a_conflict() -> None:
    """Two users at a time are one conflict; users one after the other, or the same one again, are none."""
    unit = Unit(0)
    try:
        assert unit.tell("enter", b"a") == (1, 0)
        assert unit.tell("enter", b"a") == (2, 0)
        assert unit.tell("leave", b"a") == (2, 0)
        assert unit.tell("enter", b"b") == (3, 0)
        assert unit.tell("enter", b"c") == (4, 1)
        assert unit.tell("leave", b"b") == (4, 1)
        assert unit.tell("count") == (4, 1)
    finally:
        unit.end()


def test_a_unit_ends() -> None:
    """The process of a unit is gone after its end."""
    unit = Unit(0)
    pid = unit._process.pid
    assert pid is not None
    unit.end()
    assert not psutil.pid_exists(pid)
