"""The base of all commands."""


class Command:
    """Base of the commands records."""

    __slots__ = ()
