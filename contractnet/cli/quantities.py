"""How people write numbers of tokens, parts of a whole, and the terms of a token pool."""

from __future__ import annotations

import re
from collections.abc import Mapping

from contractnet.cli.durations import duration_text
from contractnet.errors import SettingsError
from contractnet.money import credits_text

_TOKENS = re.compile(r"([0-9]{1,10}|[0-9]{1,3}(?:_[0-9]{3}){1,3})(?:\.([0-9]{1,9}))?([kKM]?)")
_DIGITS = {"": 0, "k": 3, "K": 3, "M": 6}
_PER_MINUTE = "/min"
_PERCENT = re.compile(r"([0-9]{1,6})(\.[0-9])?%?")
# Characters of a wrong text that an error repeats.
_SHOWN = 40


def tokens_of(text: str, option: str) -> int:
    """Tokens of a text such as 500k, 2M, 2.5M or 1_000_000. Raises SettingsError, which names the option."""
    found = _TOKENS.fullmatch(text)
    fraction = "" if found is None else (found[2] or "").rstrip("0")
    if found is None or len(fraction) > _DIGITS[found[3]]:
        raise SettingsError(f"{option} {text[:_SHOWN]!r} is no number of tokens: write 500k, 2M or 1_000_000.")
    return int(found[1] + fraction.ljust(_DIGITS[found[3]], "0"))


def rate_of(text: str, option: str) -> int:
    """The same for tokens per minute, which 2M/min may say. Raises SettingsError, which names the option."""
    return tokens_of(text.removesuffix(_PER_MINUTE), option)


def permille_of(text: str, option: str, percent_max: int = 100) -> int:
    """Permille of a text such as 80%, 12.5% or 20. Raises SettingsError, which names the option."""
    found = _PERCENT.fullmatch(text)
    permille = None if found is None else int(found[1]) * 10 + int((found[2] or ".0")[1:])
    if permille is None or permille > percent_max * 10:
        raise SettingsError(f"{option} {text[:_SHOWN]!r} is no part: write 80% or 12.5%, at most {percent_max}%.")
    return permille


def flow_text(terms: Mapping[str, int]) -> str:
    """The terms of a token pool that are its provider's, which are named as in `ResizeTokenPool`."""
    return f"{terms['tokens_per_minute']:,} tokens a minute, burst {terms['burst_tokens']:,}"


def terms_text(terms: Mapping[str, int]) -> str:
    """The other terms of a token pool."""
    price = credits_text(terms["reserve_per_1000_ucr"])
    return (
        f"{terms['reserve_permille'] / 10:g}% of the burst for System agents, cleared every "
        f"{duration_text(terms['interval_ms'])}, at least {price} credits for 1,000 tokens, grants for "
        f"{duration_text(terms['grant_ms'])}"
    )
