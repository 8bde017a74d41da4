"""How people write a duration: a number and a unit."""

from __future__ import annotations

import re

from contractnet.errors import SettingsError

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"(0|[1-9][0-9]{0,4})([smhdw])")
# Characters of a wrong text that an error repeats.
_SHOWN = 40


def seconds_of(text: str, option: str) -> int:
    """Seconds of a text such as 90m, 12h, 30d or 8w. Raises SettingsError, which names the option."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise SettingsError(f"{option} {text[:_SHOWN]!r} is no duration: write 90m, 12h, 30d or 8w.")
    return int(found[1]) * _UNITS_S[found[2]]
