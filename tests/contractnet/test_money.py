"""Credits to micro-credits: exactly, or not at all."""

from __future__ import annotations

from decimal import Decimal

import pytest

from contractnet import credits

MAX_CREDITS = "9223372036854.775807"


def test_credits_become_micro_credits_exactly() -> None:
    """Whole numbers, text and decimals, up to the largest amount that 64 bits hold."""
    assert [credits(5), credits("0.25"), credits(Decimal("-0.000001"))] == [5_000_000, 250_000, -1]
    assert credits(MAX_CREDITS) == 2**63 - 1


@pytest.mark.parametrize("amount", ["9223372036854.775808", 2**63, "-1e30", "1e999999", 10**40])
def test_an_amount_beyond_64_bits_is_refused_in_words(amount: int | str) -> None:
    """The limit is named in credits, however large the amount is."""
    with pytest.raises(ValueError, match=rf"at most {MAX_CREDITS} credits \(64 bits"):
        credits(amount)


@pytest.mark.parametrize("amount", ["0.0000001", "five", "NaN", "Infinity"])
def test_what_is_no_whole_number_of_micro_credits_is_refused(amount: str) -> None:
    """Too fine, or no number."""
    with pytest.raises(ValueError, match=r"no (whole number|amount)"):
        credits(amount)


@pytest.mark.parametrize("amount", [0.1, True, None])
def test_a_float_is_refused(amount: object) -> None:
    """0.1 is not a tenth."""
    with pytest.raises(TypeError, match="takes an int"):
        credits(amount)  # type: ignore[arg-type]  # what is tested
