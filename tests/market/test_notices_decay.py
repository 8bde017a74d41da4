"""What an account is told of the decay that it owes, and that nobody else sees whether it owes any."""

from __future__ import annotations

from contractnet.codec import decode_notice
from contractnet.messages import commands as c
from contractnet.messages import notices as n
from contractnet.messages.private import BUCKET_BYTES_MIN, Private
from contractnet.sealing import BOX_TAG_BYTES, nonce_of, seal_notice
from tests.market.test_budgets import MINUTE_MS, notices_by_record
from tests.market.test_notices_decisions import opened
from tests.market.town import BANK, MANAGER, Town, budget, small_town


def holding(price_ucr: int, rules: int = 9, decay_permille: int = 100) -> tuple[Town, list[list[bytes]]]:
    """Ann, of 1,000, holds so much at the end of a window; then her bid is over, and her budget. All notices by record,
    from the window's end on: end, cancel, next end, end of the budget."""
    town, ids = small_town("ann", credits_ucr=1_000, rules=rules)
    town.at_ms += -town.at_ms % MINUTE_MS
    town.send(budget(ids["ann"], limit_ucr=None, decay_permille=decay_permille), BANK)
    cfp = town.cfp(open_ms=MINUTE_MS + 1)
    town.bid(cfp, "ann", price_ucr)
    first = town.offset
    town.at_ms += MINUTE_MS
    town.tick()
    town.send(c.CancelCfp(cfp), MANAGER)
    town.at_ms += MINUTE_MS
    town.tick()
    town.send(c.ClearBudget(ids["ann"], ""), BANK)
    return town, notices_by_record(town)[first:]


def test_an_account_learns_what_it_owes() -> None:
    """With its balance, which is told without that: below 0 where more is owed than is free."""
    town, records = holding(1_000)
    told = []
    for values in records:
        mine = opened(town, values, "ann")
        (balance,) = [notice for notice in mine if isinstance(notice, n.BalanceChanged)]
        owed = [notice.owed_ucr for notice in mine if isinstance(notice, n.OwedChanged)]
        told.append((balance.available_ucr, balance.held_ucr, owed))
    assert told == [(-100, 1_000, [100]), (900, 0, [100]), (800, 0, [0]), (800, 0, [])]


def test_nobody_sees_who_owes() -> None:
    """As many notices of the same sizes, in each record, whatever is held and owed."""
    shapes = [[[len(value) for value in values] for values in holding(price_ucr)[1]] for price_ucr in (10, 950, 1_000)]
    assert shapes[0] == shapes[1] == shapes[2]


def test_earlier_rules_and_mere_limits_tell_nothing_of_it() -> None:
    """Notices of released rules stay what they are; nobody under a limit alone owes more or less by it."""
    for rules, permille in ((8, 100), (9, 0)):
        town, records = holding(1_000, rules, permille)
        for values in records:
            assert not any(isinstance(notice, n.OwedChanged) for notice in opened(town, values, "ann"))
            assert not any(isinstance(decode_notice(value), n.OwedChanged) for value in values)


def test_a_notice_of_what_is_owed_has_the_size_of_a_decoy() -> None:
    """Whatever the numbers."""
    for owed_ucr, offset in ((0, 0), (4 * 10**18, 2**40)):
        private = Private(bytes(32), n.OwedChanged(bytes(16), owed_ucr, offset))
        assert len(seal_notice(private, nonce_of(0, 0, 0), b"").box) == BUCKET_BYTES_MIN + BOX_TAG_BYTES
        balance = Private(bytes(32), n.BalanceChanged(bytes(16), -owed_ucr, owed_ucr, offset))
        assert len(seal_notice(balance, nonce_of(0, 0, 0), b"").box) == BUCKET_BYTES_MIN + BOX_TAG_BYTES
