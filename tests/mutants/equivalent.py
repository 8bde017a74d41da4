"""Generated mutants that change nothing that anybody could see, each with the reason, by the name that is printed."""

from __future__ import annotations

EQUIVALENT: dict[str, str] = {}
