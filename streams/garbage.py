"""Garbage collection as a busy worker wants it: what is imported stays, and is not looked over for cycles again."""

from __future__ import annotations

import gc

GC_THRESHOLDS = (20_000, 20, 20)


def freeze_imports() -> None:
    """Take what is there now out of the collector's sight, and have it look less often (docs/decisions/0011)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
