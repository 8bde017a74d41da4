"""How a rule says no."""

from __future__ import annotations

from contractnet.messages import Code


class Rejection(Exception):
    """A command breaks a rule: `code` and the same in words, with the values that decided."""

    def __init__(self, code: Code, detail: str = "") -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail


def require(condition: bool, code: Code, detail: str = "") -> None:
    """Reject unless `condition` holds."""
    if not condition:
        raise Rejection(code, detail)
