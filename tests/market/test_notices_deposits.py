"""What is told of deposits: to those whom they pay, and to nobody how many have bid."""

from __future__ import annotations

from contractnet.codec import decode_notice
from contractnet.messages import commands as c
from contractnet.messages import notices as n
from tests.market.cases_deposits import RATE
from tests.market.test_notices_decisions import opened, record_of
from tests.market.town import BANK, MANAGER, OPERATOR, Town, bid, call, inbox_key, key_pair, small_town


def cancelled(bidders: int, price_ucr: int) -> tuple[Town, list[bytes], list[bytes]]:
    """A call with a deposit of 100 on which some bid, and which is taken back after half its time; the bytes of all
    notices before, and at its end."""
    town, ids = small_town()
    town.send(c.IssueCredits(ids["manager"], 100, ""), BANK)
    for number in range(3):
        name = f"agent {number}"
        keys = key_pair(name).public
        account = town.send(c.OpenAccount(name, "project", f"root {number}", keys, inbox_key(name)), BANK).id
        town.send(c.IssueCredits(account, 1_000, ""), BANK)
    before = record_of(town, town.send(c.SetDeposit(RATE), OPERATOR))
    opening = town.send(call(open_ms=36_000, reserve_price_ucr=100), MANAGER)
    before += record_of(town, opening)
    for number in range(bidders):
        before += record_of(town, town.send(bid(opening.id, price_ucr), key_pair(f"agent {number}")))
    town.at_ms += 18_000
    return town, before, record_of(town, town.send(c.CancelCfp(opening.id), MANAGER))


def test_deposits_are_told_to_those_concerned() -> None:
    """Before the end there are receipts and the announcement, whatever is bid; at the end as many sealed notices for
    three bidders as for none. Each has its balance, the manager too."""
    town, before, at_end = cancelled(3, 100)
    assert before == cancelled(3, 999)[1]
    assert [type(decode_notice(value)) for value in before] == [n.Receipt, n.Receipt, n.CfpAnnounced, *[n.Receipt] * 3]
    assert [len(value) for value in at_end] == [len(value) for value in cancelled(0, 100)[2]]
    balances = {}
    for name in ("manager", "agent 0", "agent 1", "agent 2"):
        (told,) = opened(town, at_end, name)
        assert isinstance(told, n.BalanceChanged)
        balances[name] = (told.available_ucr, told.held_ucr)
    assert balances == {"manager": (1, 0)} | {f"agent {number}": (1_033, 0) for number in range(3)}
