"""Generated mutants that change nothing that anybody could see, by file, change, column and line, each with
the reason. Each is exactly one mutant (test_mutants.py)."""

from __future__ import annotations

EQUIVALENT: dict[str, str] = {
    "market/evolve.py `pool.timeline.forget(state.now_ms)` -> `None` at 0 in `pool.timeline.forget(state.now_ms)`": (
        "forgetting past steps of a timeline saves memory and time; no rule looks at the past"
    ),
    "market/capacity.py `0 < start_ms < end_ms` -> `0 <= start_ms < end_ms` at 7 in "
    '`assert 0 < start_ms < end_ms, f"empty interval [{start_ms}, {end_ms})"`': (
        "an assertion about instants of 1970, which no market time reaches"
    ),
    "market/capacity.py `first > 0` -> `first >= 0` at 3 in `if first > 0:`": (
        "at 0 there is nothing to delete, and the first step begins at 0"
    ),
    "market/capacity.py `0` -> `1` at 16 in `self.times[0] = 0`": "nobody asks for the first millisecond of 1970",
    "market/state.py `0` -> `1` at 20 in `weight_epoch: int = 0`": "epochs are only compared with each other",
    "market/capacity.py `1` -> `2` at 46 in `first = bisect_right(self.times, before_ms) - 1`": (
        "one more past step is kept; no rule looks at the past"
    ),
    "market/evolve.py `sequence > key.floor` -> `sequence >= key.floor` at 7 in "
    '`assert sequence > key.floor, "a command has one outcome"`': (
        "an assertion about what the rules never let through; it shows when another bug does"
    ),
    'market/capacity.py `0` -> `1` at 7 in `assert 0 < start_ms < end_ms, f"empty interval [{start_ms}, {end_ms})"`': (
        "an assertion about instants of 1970, which no market time reaches"
    ),
    "market/account.py `2` -> `3` at 15 in `floor: int = -(2**63)`": (
        "a sequence is a signed 64-bit number, none below either"
    ),
    "market/evolve_tokens.py `0 < pool.clears_at_ms <= source.at_ms` -> "
    "`0 <= pool.clears_at_ms <= source.at_ms` at 7 in "
    '`assert 0 < pool.clears_at_ms <= source.at_ms, "a clearing happens once an interval"`': (
        "an assertion about what the rules never let through: nothing clears a pool that waits for nothing"
    ),
    "market/rules/deposits.py `timeline.add(lease.starts_at_ms, lease.ends_at_ms, lease....` -> `None` at 0 in "
    "`timeline.add(lease.starts_at_ms, lease.ends_at_ms, lease.units)`": (
        "a pool has one owner, and that one live ask on a call: what the record of its end gives of an unserved ask's "
        "own pool is nothing"
    ),
    "market/tokens.py `0` -> `1` at 24 in `complained_at_ms: int = 0`": (
        "an instant of 1970, whose interval no report falls into"
    ),
    "market/clearing.py `0` -> `1` at 50 in `price = unserved[0][0].effective if unserved else 0`": (
        "a price of 1 is 10^-6 of a micro-credit for 1,000 tokens, and a fifth of 10^9 tokens is the most that "
        "anybody gets at one price: less than a micro-credit"
    ),
}
