"""What an agent hears of its balance: its own sealed notices, and nobody else's."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

import pytest

from broker.interface import Broker
from contractnet import Agent, Balance, Credential, KeyPair, credits
from contractnet.client.inbox import Budget, Inboxes
from contractnet.codec import encode
from contractnet.credentials import Role
from contractnet.errors import ConnectionClosedError, CredentialError
from contractnet.messages import Code, Notice
from contractnet.messages.notices import (
    BalanceChanged,
    BidDeclined,
    BidShown,
    BudgetChanged,
    BudgetEnded,
    OwedChanged,
    Receipt,
    SealedNotice,
)
from contractnet.messages.private import Private
from contractnet.sealing import associated_data, nonce_of, seal_notice
from tests.client.stage import POOL, staged

GENESIS, MARKET = bytes(range(32)), "town"


def inboxes_of(declined: Callable[[bytes, bytes], None] = lambda *_: None) -> Inboxes:
    """No inbox yet."""
    return Inboxes(declined, lambda *_: None, lambda: 0)


def credential(number: int, *, inbox_key: bytes | None = None) -> Credential:
    """An agent's credential."""
    keys = KeyPair.from_seed(bytes([number]) * 32)
    key = bytes([number]) * 32 if inbox_key is None else inbox_key
    return Credential(
        Role.AGENT, MARKET, f"agent {number}", keys, "", GENESIS, account=bytes([number]) * 16, inbox_key=key
    )


def sealed(to: Credential, notice: Notice | None, offset: int = 1) -> SealedNotice:
    """A notice sealed for a credential's inbox."""
    assert to.inbox_key is not None
    return seal_notice(Private(to.inbox_key, notice), nonce_of(0, offset, 2), associated_data(GENESIS, MARKET))


def balance_of(to: Credential, available_ucr: int) -> BalanceChanged:
    """A balance to tell."""
    assert to.account is not None
    return BalanceChanged(to.account, available_ucr, 3, 1)


def test_the_inbox_takes_its_own_notices_only() -> None:
    """Others' are not even decoded; what is not sealed is."""
    inboxes = inboxes_of()
    mine, theirs = credential(1), credential(2)
    inbox = inboxes.add(mine)
    assert inbox is not None
    assert inboxes.add(mine) is inbox
    assert inboxes.want(encode(Receipt(bytes(16), Code.ACCEPTED)))
    assert not inboxes.want(encode(sealed(theirs, balance_of(theirs, 7))))
    own = sealed(mine, balance_of(mine, 5))
    assert inboxes.want(encode(own))
    inboxes.take(own, 99)
    assert inbox.balance == Balance(5, 3, 1, 99)


def test_accounts_that_share_a_key_keep_their_balances_apart() -> None:
    """With an inbox key of zeros for all, each account takes the notices that name it."""
    inboxes = inboxes_of()
    one, two = (credential(number, inbox_key=bytes(32)) for number in (1, 2))
    first, second = inboxes.add(one), inboxes.add(two)
    inboxes.take(sealed(one, balance_of(one, 5)), 99)
    inboxes.take(sealed(two, balance_of(two, 6), offset=2), 100)
    assert first is not None
    assert second is not None
    assert (first.balance, second.balance) == (Balance(5, 3, 1, 99), Balance(6, 3, 1, 100))


def test_budgets_come_change_and_end() -> None:
    """An account's own and its project's are told apart; one that ended is gone; of others nothing is kept."""
    inboxes, mine, other = inboxes_of(), credential(1), credential(2)
    inbox = inboxes.add(mine)
    assert inbox is not None
    assert mine.account is not None
    assert other.account is not None
    for offset, (of_project, spent_ucr) in enumerate([(False, 1), (True, 2), (False, 3)]):
        told = BudgetChanged(mine.account, of_project, 100, spent_ucr, 60_000, False, offset)
        inboxes.take(sealed(mine, told, offset), 99)
    inboxes.take(sealed(mine, BudgetChanged(other.account, True, 1, 1, 1, True, 4), 4), 99)
    own, project = Budget(False, 100, 3, 60_000, False, 2, 99), Budget(True, 100, 2, 60_000, False, 1, 99)
    assert inbox.budgets == {False: own, True: project}
    assert (own.unspent_ucr, replace(own, limit_ucr=None).unspent_ucr, replace(own, spent_ucr=101).unspent_ucr) == (
        97,
        None,
        0,
    )
    inboxes.take(sealed(mine, BudgetEnded(mine.account, False, 5), 5), 99)
    assert inbox.budgets == {True: project}
    assert inbox.balance is None


def test_what_is_owed_is_told_beside_the_balance() -> None:
    """What can be spent comes without it, below 0 where that is more than nothing holds."""
    inboxes, mine = inboxes_of(), credential(1)
    inbox = inboxes.add(mine)
    assert inbox is not None
    assert mine.account is not None
    assert inbox.owed_ucr == 0
    inboxes.take(sealed(mine, OwedChanged(mine.account, 7, 4), 4), 99)
    inboxes.take(sealed(mine, balance_of(mine, -2), 4), 99)
    assert (inbox.owed_ucr, inbox.balance) == (7, Balance(-2, 3, 1, 99))
    inboxes.take(sealed(mine, OwedChanged(bytes(16), 9, 5), 5), 99)
    inboxes.take(sealed(mine, OwedChanged(mine.account, 0, 6), 6), 99)
    assert inbox.owed_ucr == 0


def test_what_does_not_open_is_logged_and_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    """A changed box, and one without a notice: a warning without the key in it, and the balance stays."""
    inboxes, mine = inboxes_of(), credential(1)
    inbox = inboxes.add(mine)
    assert inbox is not None
    good = sealed(mine, balance_of(mine, 5))
    inboxes.take(good, 1)
    with caplog.at_level(logging.WARNING):
        inboxes.take(replace(good, box=good.box[:-1] + bytes([good.box[-1] ^ 1])), 2)
        inboxes.take(sealed(mine, None), 3)
    assert inbox.balance == Balance(5, 3, 1, 1)
    assert len(caplog.records) == 2
    assert bytes([1] * 32).hex() not in caplog.text


def test_a_credential_without_an_inbox_key_has_no_inbox() -> None:
    """The bank's, for one."""
    assert inboxes_of().add(replace(credential(1), inbox_key=None)) is None


@pytest.mark.broker
def test_an_agent_hears_of_its_money(referee: Broker) -> None:
    """Credits issued, a bid that loses, one that wins, a sale: each side learns its balance as the ledger has it."""

    async def play() -> None:
        async with staged(referee.bootstrap) as stage:
            alice, bob = stage.bidders
            heard = alice.balances()
            assert alice.balance() is None, "it was enrolled and paid before this agent was made"
            account = alice.credential.account
            assert account is not None
            await stage.bank.issue(account, credits(1))
            async with asyncio.timeout(10):
                first = await anext(heard)
            assert (first.available_ucr, first.held_ucr) == (credits(101), 0)
            cfp = await stage.manager.call_for_proposals(POOL, 1, duration_s=30, open_s=0.5, reserve_ucr=10)
            await asyncio.gather(alice.bid(cfp, credits(5)), bob.bid(cfp, credits(3)))
            async with asyncio.timeout(10):
                second = await anext(heard)
            price_ucr = (await cfp.outcome(10)).winners[0].price_ucr
            assert (second.available_ucr, second.held_ucr) == (credits(101) - price_ucr, 0)
            assert alice.balance() == second
            for other, ucr in ((bob, credits(100)), (stage.manager, price_ucr)):
                balance = other.balance()
                assert balance is not None
                assert (balance.available_ucr, balance.held_ucr) == (ucr, 0)
            # An agent with a connection of its own reads what it was told within the look-back.
            async with Agent.connect(alice.credential, referee.bootstrap) as again:
                assert again.balance() == second
            await alice.close()
            assert [balance async for balance in heard] == []
            with pytest.raises(CredentialError, match="no inbox key"):
                stage.connection.agent(replace(bob.credential, inbox_key=None)).balances()

    asyncio.run(play())


def test_shown_bids_are_there_when_all_are() -> None:
    """A manager waits for the last of them; bids that were declined are told to whom it concerns; the end ends it."""

    def shown(to: Credential, cfp: bytes, number: int, of: int) -> SealedNotice:
        assert to.account is not None
        bid = bytes([number]) * 16
        return sealed(to, BidShown(to.account, cfp, bid, bid, f"agent {number}", number, 1000, 0, "", of))

    async def play() -> None:
        told: list[tuple[bytes, bytes]] = []
        inboxes = inboxes_of(lambda cfp, bid: told.append((cfp, bid)))
        mine, theirs = credential(1), credential(2)
        inbox = inboxes.add(mine)
        assert inbox is not None
        assert mine.account is not None
        first, second, third = (bytes([9, n]) * 8 for n in range(3))
        waiting = asyncio.create_task(inbox.proposals(first, ended=False))
        inboxes.take(shown(mine, first, 3, 2), 1)
        await asyncio.sleep(0)
        assert not waiting.done()
        inboxes.take(shown(theirs, first, 5, 2), 1)
        inboxes.take(shown(mine, first, 7, 2), 1)
        assert [(p.agent, p.price_ucr) for p in await waiting] == [("agent 7", 7), ("agent 3", 3)]
        inboxes.take(shown(mine, second, 3, 1), 1)
        assert len(await inbox.proposals(second, ended=False)) == 1, "also to who asks later"
        inboxes.take(sealed(mine, BidDeclined(mine.account, first, second)), 1)
        assert told == [(first, second)]
        waiting = asyncio.create_task(inbox.proposals(third, ended=False))
        await asyncio.sleep(0)
        inboxes.settled(third)
        assert await waiting == []
        assert await inbox.proposals(third, ended=True) == []
        assert len(await inbox.proposals(first, ended=True)) == 2
        waiting = asyncio.create_task(inbox.proposals(bytes(16), ended=False))
        await asyncio.sleep(0)
        inboxes.end()
        with pytest.raises(ConnectionClosedError):
            await waiting

    asyncio.run(play())
