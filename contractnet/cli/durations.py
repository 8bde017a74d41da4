"""How people write a duration: a number and a unit."""

from __future__ import annotations

import re

from contractnet.errors import SettingsError

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
# In which durations are shown, the longest first.
_SHOWN_MS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000}
_DURATION = re.compile(r"(0|[1-9][0-9]{0,4})([smhdw])")
# Characters of a wrong text that an error repeats.
_SHOWN = 40


def seconds_of(text: str, option: str) -> int:
    """Seconds of a text such as 90m, 12h, 30d or 8w. Raises SettingsError, which names the option."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise SettingsError(f"{option} {text[:_SHOWN]!r} is no duration: write 90m, 12h, 30d or 8w.")
    return int(found[1]) * _UNITS_S[found[2]]


def duration_text(duration_ms: int) -> str:
    """The shortest of such texts for a duration: 90m, 30d, 1.5s."""
    for unit, unit_ms in _SHOWN_MS.items():
        if duration_ms and duration_ms % unit_ms == 0:
            return f"{duration_ms // unit_ms}{unit}"
    return f"{duration_ms / 1000:.3f}".rstrip("0").rstrip(".") + "s"
