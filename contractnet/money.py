"""Credits for people, micro-credits for programs."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation, Overflow

UCR_PER_CREDIT = 1_000_000
INT64_MAX = 2**63 - 1

BEYOND = f"an amount is at most {Decimal(INT64_MAX) / UCR_PER_CREDIT} credits (64 bits of micro-credits)"


def credits(amount: int | str | Decimal) -> int:
    """Micro-credits of an amount of credits: `credits(5)` is 5_000_000, `credits("0.25")` is 250_000.

    Raises TypeError for a float (0.1 is not a tenth) and ValueError for what is no number of whole micro-credits, or
    one beyond 64 bits.
    """
    if isinstance(amount, bool) or not isinstance(amount, int | str | Decimal):
        raise TypeError(f"credits() takes an int, a str or a Decimal, not {type(amount).__name__}")
    try:
        scaled = Decimal(amount) * UCR_PER_CREDIT
    except InvalidOperation as error:
        raise ValueError(f"{amount!r} is no amount of credits") from error
    except Overflow as error:
        raise ValueError(BEYOND) from error
    if not scaled.is_finite() or scaled != scaled.to_integral_value():
        raise ValueError(f"{amount!r} credits are no whole number of micro-credits")
    if abs(scaled) > INT64_MAX:
        raise ValueError(BEYOND)
    return int(scaled)


def credits_text(amount_ucr: int) -> str:
    """Credits as people write them, six decimals at most: `credits_text(2_500_000)` is "2.5"."""
    whole, rest = divmod(abs(amount_ucr), UCR_PER_CREDIT)
    sign = "-" if amount_ucr < 0 else ""
    return f"{sign}{whole}.{rest:06d}".rstrip("0").rstrip(".")
