"""Generated mutants that change nothing that anybody could see, by file and change, each with the reason."""

from __future__ import annotations

EQUIVALENT: dict[str, str] = {
    "market/evolve.py `pool.timeline.forget(state.now_ms)` -> `None`": (
        "forgetting past steps of a timeline saves memory and time; no rule looks at the past"
    ),
}
