"""The base of all events, in a module of its own: the events are spread over several."""

from __future__ import annotations


class Event:
    """Base of the events records."""

    __slots__ = ()
