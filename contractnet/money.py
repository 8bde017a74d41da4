"""Credits for people, micro-credits for programs."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

UCR_PER_CREDIT = 1_000_000


def credits(amount: int | str | Decimal) -> int:
    """Micro-credits of an amount of credits: `credits(5)` is 5_000_000, `credits("0.25")` is 250_000.

    Raises TypeError for a float (0.1 is not a tenth) and ValueError for what is no number of whole micro-credits.
    """
    if isinstance(amount, bool) or not isinstance(amount, int | str | Decimal):
        raise TypeError(f"credits() takes an int, a str or a Decimal, not {type(amount).__name__}")
    try:
        scaled = Decimal(amount) * UCR_PER_CREDIT
    except InvalidOperation as error:
        raise ValueError(f"{amount!r} is no amount of credits") from error
    if not scaled.is_finite() or scaled != scaled.to_integral_value():
        raise ValueError(f"{amount!r} credits are no whole number of micro-credits")
    return int(scaled)
