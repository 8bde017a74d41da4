"""How people write a duration, a number and a unit, and a moment."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from contractnet.errors import SettingsError

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
# In which durations are shown, the longest first.
_SHOWN_MS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000}
_DURATION = re.compile(r"(0|[1-9][0-9]{0,4})([smhdw])")
# The rules' limit of a call for a resale (market/limits.py, which the agents' package has not got).
CALL_S_MAX = 60
# Characters of a wrong text that an error repeats.
_SHOWN = 40


def seconds_of(text: str, option: str) -> int:
    """Seconds of a text such as 90m, 12h, 30d or 8w. Raises SettingsError, which names the option."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise SettingsError(f"{option} {text[:_SHOWN]!r} is no duration: write 90m, 12h, 30d or 8w.")
    return int(found[1]) * _UNITS_S[found[2]]


def call_seconds_of(text: str, option: str) -> int:
    """The same of the call for a resale. Raises SettingsError above a minute, the most that the rules allow."""
    call_s = seconds_of(text, option)
    if call_s > CALL_S_MAX:
        raise SettingsError(f"{option} {text} is too long: a call takes 1s to 1m; 0s: none.")
    return call_s


def bound_of(text: str, option: str) -> timedelta | datetime:
    """A duration such as 24h, which goes back from now, or a moment such as 2026-11-30 or 2026-11-30T08:00+01:00, as
    UTC without a zone. Raises SettingsError, which names the option."""
    if _DURATION.fullmatch(text) is not None:
        return timedelta(seconds=seconds_of(text, option))
    try:
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError) as error:
        raise SettingsError(
            f"{option} {text[:_SHOWN]!r} is neither a duration nor a time: write 90m, 24h, 30d, 2026-11-30T08:00 (UTC)."
        ) from error


def duration_text(duration_ms: int) -> str:
    """The shortest of such texts for a duration: 90m, 30d, 1.5s."""
    for unit, unit_ms in _SHOWN_MS.items():
        if duration_ms and duration_ms % unit_ms == 0:
            return f"{duration_ms // unit_ms}{unit}"
    return f"{duration_ms / 1000:.3f}".rstrip("0").rstrip(".") + "s"
