"""Generated mutants that change nothing that anybody could see, by file and change, each with the reason."""

from __future__ import annotations

EQUIVALENT: dict[str, str] = {
    "market/evolve.py `pool.timeline.forget(state.now_ms)` -> `None`": (
        "forgetting past steps of a timeline saves memory and time; no rule looks at the past"
    ),
    "market/capacity.py `0 < start_ms < end_ms` -> `0 <= start_ms < end_ms`": (
        "an assertion about instants of 1970, which no market time reaches"
    ),
    "market/capacity.py `first > 0` -> `first >= 0`": "at 0 there is nothing to delete, and the first step begins at 0",
}
