"""An agent: calls for proposals, bids, and what becomes of them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from weakref import WeakSet, WeakValueDictionary

from contractnet import codec
from contractnet.client.bargainer import Bargainer
from contractnet.client.book import BidWatch, Subscription
from contractnet.client.cfp import Cfp
from contractnet.client.connection import TIMEOUT_S, Connection
from contractnet.client.grants import Grants
from contractnet.client.groups import BidGroup
from contractnet.client.inbox import Balance, Balances, Budget, Proposal
from contractnet.client.lease import Award, Token, pass_hash, pass_secret
from contractnet.client.spender import TokenSpender
from contractnet.client.talks import Proposals
from contractnet.client.wallet import Wallet
from contractnet.client.worker import DECIDE_S, Worker, award_terms, guests
from contractnet.credentials import Credential, Role
from contractnet.envelope import Sealed
from contractnet.errors import (
    CommandError,
    CommandUnsendableError,
    CredentialError,
    OutcomeTimeoutError,
)
from contractnet.messages import Awarder, Claim, Command, Direction, Pricing
from contractnet.messages import commands as c


class Bid:
    """A bid that the market accepted. `id` (16 bytes) is the award's id too, should it win."""

    def __init__(
        self, agent: Agent, sealed: Sealed, command: c.PlaceBid | c.PlaceAsk, watch: BidWatch, group: BidGroup | None
    ) -> None:
        self.id = sealed.command_id
        self.cfp = command.cfp
        self.price_ucr = command.price_ucr
        self.group = group
        self.sealed = sealed
        self._agent = agent
        self._watch = watch

    def __repr__(self) -> str:
        return f"Bid(id={self.id.hex()}, cfp={self.cfp.hex()}, price_ucr={self.price_ucr})"

    async def outcome(self, timeout_s: float | None = None) -> Award | None:
        """What the bid won, or None, once its CFP has ended, the bid was withdrawn, or its group has won enough.

        Why it did not win is not in the notices, which name the winners only. The ledger says it: `status` and `reason`
        of the bid in the table `bids` (OUTBID, BELOW_RESERVE, UNLOCKABLE, WITHDRAWN, CFP_CANCELLED, GROUP_WON), by
        `bid_id`.
        Raises OutcomeTimeoutError when that is not within `timeout_s` seconds (None: wait).
        """
        try:
            async with asyncio.timeout(timeout_s):
                won = await asyncio.shield(self._watch)
        except TimeoutError as error:
            silence = self._agent.connection.silence()
            message = f"the CFP of bid {self.id.hex()} has not ended within {timeout_s:g} s ({silence})"
            raise OutcomeTimeoutError(message, self.id) from error
        if won is None:
            return None
        winner, lease = won
        return Award(
            id=self.id,
            price_ucr=winner.price_ucr,
            pool=lease.pool,
            units=lease.units,
            starts_at_ms=lease.starts_at_ms,
            ends_at_ms=lease.ends_at_ms,
            token=Token(self._agent.connection.partition, lease.token_offset, lease.token_index),
            secret=self._agent.secret_of(self.sealed),
        )

    async def withdraw(self, timeout_s: float = TIMEOUT_S) -> None:
        """Take the bid out of its CFP before the deadline; its outcome is None from then on. Later it binds.

        Its hold is freed when the CFP ends.
        """
        await self._agent.submit(self._agent.prepare(c.WithdrawBid(self.id)), timeout_s)
        self._agent.connection.book.lose_bid(self.cfp, self.id)


class Agent(Worker, Bargainer, TokenSpender):
    """An agent in a market. All amounts are integer micro-credits (`contractnet.credits(5)` makes 5 credits).

    Methods that send a command wait for the market's answer and raise RejectedError (with the code) or
    OutcomeTimeoutError (nobody knows yet; its `sealed` is the command, to be submitted again).
    """

    role = Role.AGENT

    def __init__(
        self, connection: Connection, credential: Credential, *, path: Path | None = None, owns: bool = False
    ) -> None:
        super().__init__(connection, credential, path=path, owns=owns)
        self._subscriptions: WeakSet[Subscription | Balances | Proposals | Grants] = WeakSet()
        self._groups: WeakValueDictionary[bytes, BidGroup] = WeakValueDictionary()
        self._wallets: dict[str, Wallet] = {}

    async def call_for_proposals(
        self,
        pool: str,
        units: int = 1,
        *,
        duration_s: float,
        open_s: float,
        reserve_ucr: int = 1,
        slots: int = 1,
        pricing: Pricing | str | None = None,
        award: Awarder | str = Awarder.AUTO,
        decide_s: float = DECIDE_S,
        invited: Iterable[bytes] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> Cfp:
        """Offer `slots` times `units` of one's pool for `duration_s` seconds; bids count for `open_s` seconds.

        The market awards them at the deadline, at second prices unless `pricing` is FIRST. With `award` MANAGER it
        leaves that to this agent, for `decide_s` seconds and at the bids' own prices: see `proposals`, `award` and
        `reject`. `invited` are the ids of the accounts (16 bytes, at most 64) that alone may answer; None: all may.
        Each learns of it by a notice that only it reads; of the others nobody learns who, or how many, they are.
        """
        command = c.CallForProposals(
            direction=Direction.SELL,
            pool=pool,
            units=units,
            duration_ms=round(duration_s * 1000),
            slots=slots,
            open_ms=round(open_s * 1000),
            reserve_price_ucr=reserve_ucr,
            **award_terms(award, pricing, decide_s),
            invited=guests(invited),
        )
        return await self._call(command, timeout_s)

    def cfps(self, pool: str | None = None, direction: Direction | str = Direction.SELL) -> Subscription:
        """Iterate over the CFPs that are open, and over every later one as it is announced; of one pool, or all.

        Those that sell, for bids; or with `direction` BUY those that buy, for asks. Those by invitation are among them
        where this agent is invited (`connection.cfps` has them all).
        """
        subscription = self.connection.cfps(pool, direction, {} if self._inbox is None else self._inbox.invitations)
        self._subscriptions.add(subscription)
        return subscription

    def is_invited(self, cfp: Cfp) -> bool | None:
        """Whether the market takes bids of this agent on a CFP: any where it is open to all, else where it is invited.

        None where that is not known: the CFP was announced before this agent's notices were read, or is over.
        """
        return self.connection.book.is_invited(cfp, self._inbox)

    async def proposals(self, cfp: Cfp | bytes, timeout_s: float | None = None) -> list[Proposal]:
        """The bids (or asks) among which this agent may choose, the highest first, once its CFP's deadline has passed.

        Neither withdrawn ones nor those below the reserve are there; if no bid can win, the CFP ends and the list is
        empty. Raises OutcomeTimeoutError when it is not there within `timeout_s` seconds (None: wait), and
        CredentialError for a credential without an inbox key.
        """
        ident, inbox = cfp if isinstance(cfp, bytes) else cfp.id, self._need_inbox()
        ended = ident in self.connection.book.settled
        try:
            async with asyncio.timeout(timeout_s):
                return await inbox.proposals(ident, ended=ended)
        except TimeoutError as error:
            silence = self.connection.silence()
            message = f"no bids of CFP {ident.hex()} were shown within {timeout_s:g} s ({silence})"
            raise OutcomeTimeoutError(message, ident) from error

    async def award(self, bid: Proposal | bytes, timeout_s: float = TIMEOUT_S) -> None:
        """Give a slot of one's own CFP to a bid or an ask, at its price, after the deadline (`award` MANAGER).

        The market locks the units from now (and the bid's start delay) on, and moves the credits, in one step; of a CFP
        that buys those of the contractor, and puts the price in escrow. Raises
        RejectedError: NO_CAPACITY where others use the units then, CFP_CLOSED when the time to choose is over.
        """
        await self._send(c.AwardBid(bid if isinstance(bid, bytes) else bid.id), timeout_s)

    async def reject(self, bid: Proposal | bytes, timeout_s: float = TIMEOUT_S) -> None:
        """Decline a bid on one's own CFP, after the deadline (`award` MANAGER). Its credits are free at once."""
        await self._send(c.RejectBid(bid if isinstance(bid, bytes) else bid.id), timeout_s)

    async def refuse(self, cfp: Cfp | bytes, reason: str = "", timeout_s: float = TIMEOUT_S) -> None:
        """Say that one does not bid on a CFP, for the record: `reason` has at most 64 bytes. A bid is then refused."""
        await self._send(c.RefuseCfp(cfp if isinstance(cfp, bytes) else cfp.id, reason), timeout_s)

    def balance(self) -> Balance | None:
        """The account's credits as the market told them last, by a notice that only this account can read.

        It tells them when credits were issued or moved, and at the end of each CFP that the account bid on or sold in.
        A bid is not told: its price is the bidder's to count until then. None while nothing was told since the
        look-back.
        """
        return None if self._inbox is None else self._inbox.balance

    def owed_ucr(self) -> int:
        """The decay that the account owes, micro-credits, as the market told it last: what was not free to be taken
        when a window of a budget ended. `balance().available_ucr` is without it already. 0 where nothing was told."""
        return 0 if self._inbox is None else self._inbox.owed_ucr

    def budget(self, *, of_project: bool = False) -> Budget | None:
        """The account's budget, or its project's, as the market told it last, by a notice that only this account reads.

        It tells them when a budget is set, topped up, goes on to its next window or ends, and with each balance. Once
        `ends_at_ms` is over, a project's may have gone on to a window in which nothing is spent yet. None where there
        is no budget, or nothing was told since the look-back.
        """
        return None if self._inbox is None else self._inbox.budgets.get(of_project)

    def balances(self) -> Balances:
        """Iterate over the account's balance: the one known now, if any, and each as the market tells it.

        Raises CredentialError for a credential without an inbox key.
        """
        balances = self._need_inbox().changes()
        self._subscriptions.add(balances)
        return balances

    def bid_group(self, wins_max: int = 1, ident: bytes | None = None) -> BidGroup:
        """A group for bids of which at most `wins_max` (1 to 32) may win, on any CFPs of the market.

        Its open bids hold the `wins_max` highest of their prices, not all of them. `ident` (16 bytes) goes on with a
        group of an earlier process; without it the group is new.
        """
        ident = secrets.token_bytes(16) if ident is None else ident
        group = self._groups.get(ident)
        if group is None:
            group = self._groups[ident] = BidGroup(ident, wins_max, self.connection.book.lose_bid)
        return group

    async def bid(
        self,
        cfp: Cfp | bytes,
        price_ucr: int,
        *,
        task: str = "",
        claim: Claim | None = None,
        start_delay_s: float = 0.0,
        group: BidGroup | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> Bid:
        """Bid on a CFP. The market holds the price until the CFP ends; of a `group`, those that could win together.

        Raises CommandUnsendableError when the price is below the reserve, or the agent is not invited, where this
        process has read the announcement of the CFP, BudgetExceededError when a budget leaves no room for it, and
        RejectedError with any other of the market's codes.
        """
        sealed = self.prepare_bid(cfp, price_ucr, task=task, claim=claim, start_delay_s=start_delay_s, group=group)
        return await self.submit_bid(sealed, timeout_s)

    def prepare_bid(
        self,
        cfp: Cfp | bytes,
        price_ucr: int,
        *,
        task: str = "",
        claim: Claim | None = None,
        start_delay_s: float = 0.0,
        group: BidGroup | None = None,
    ) -> Sealed:
        """Seal a bid without sending it, as `prepare` does for any command, with the hash of its pass.

        Raises CommandUnsendableError as `bid` does.
        """

        def command(ident: bytes) -> c.PlaceBid:
            return c.PlaceBid(
                cfp=cfp if isinstance(cfp, bytes) else cfp.id,
                price_ucr=price_ucr,
                start_delay_ms=round(start_delay_s * 1000),
                task=task,
                pass_hash=pass_hash(pass_secret(self.credential.keys.seed, ident)),
                claim=claim,
                group=None if group is None else group.id,
                wins_max=0 if group is None else group.wins_max,
            )

        sealed = self._seal(command)
        known = self.connection.book.open_cfps.get(cfp) if isinstance(cfp, bytes) else cfp
        if known is not None and price_ucr < known.reserve_price_ucr:
            # The market would take it, hold the price, and answer the bid that was meant with ALREADY_BID.
            raise CommandUnsendableError(
                f"a price of {price_ucr} micro-credits is below the reserve of {known.reserve_price_ucr} and wins "
                "nothing: contractnet.credits() converts credits to micro-credits"
            )
        self._need_invitation(known)
        return sealed

    def _need_invitation(self, cfp: Cfp | None) -> None:
        if cfp is not None and self.is_invited(cfp) is False:
            raise CommandUnsendableError(
                f"CFP {cfp.id.hex()} is by invitation, and {self.credential.name!r} is not invited"
            )

    async def ask(
        self,
        cfp: Cfp | bytes,
        price_ucr: int,
        pool: str,
        *,
        start_delay_s: float = 0.0,
        task: str = "",
        timeout_s: float = TIMEOUT_S,
    ) -> Bid:
        """Offer to do the work of a CFP that buys, on units of one's own `pool`, for at least a price.

        The market holds the CFP's bond until its deadline, and of a winner until its work has ended. The units are
        locked from `start_delay_s` after the award on: promise what can be kept, as each second later costs. The
        award's price is what is paid for a start in time. Then tell: `started`, and `done` or `failed`. Raises
        CommandUnsendableError, as `bid` does, where the agent is not invited.
        """

        def command(ident: bytes) -> c.PlaceAsk:
            return c.PlaceAsk(
                cfp=cfp if isinstance(cfp, bytes) else cfp.id,
                pool=pool,
                price_ucr=price_ucr,
                start_delay_ms=round(start_delay_s * 1000),
                task=task,
                pass_hash=pass_hash(pass_secret(self.credential.keys.seed, ident)),
            )

        self._need_invitation(self.connection.book.open_cfps.get(cfp) if isinstance(cfp, bytes) else cfp)
        return await self.submit_bid(self._seal(command), timeout_s)

    async def submit_bid(self, sealed: Sealed, timeout_s: float = TIMEOUT_S) -> Bid:
        """Send a sealed bid, also once more after a crash, and return its handle when the market has accepted it."""
        command = codec.decode_command(sealed.value)
        assert isinstance(command, c.PlaceBid | c.PlaceAsk), "not a bid"
        book = self.connection.book
        # Before sending: the CFP may end before this task runs again.
        watch = book.watch_bid(command.cfp, sealed.command_id)
        group = None
        if isinstance(command, c.PlaceBid) and command.group is not None:
            group = self.bid_group(command.wins_max, command.group)
        if group is not None:
            group.add(command.cfp, sealed.command_id, watch)
        try:
            await self.submit(sealed, timeout_s)
        except CommandError:
            book.forget_bid(command.cfp, sealed.command_id)
            if group is not None:
                group.forget(sealed.command_id)
            raise
        return Bid(self, sealed, command, watch, group)

    async def cancel(self, cfp: Cfp | bytes, timeout_s: float = TIMEOUT_S) -> None:
        """Take one's own CFP back before its deadline; with `award` MANAGER as long as one may choose."""
        await self._send(c.CancelCfp(cfp if isinstance(cfp, bytes) else cfp.id), timeout_s)

    async def release(self, award: Award | bytes, timeout_s: float = TIMEOUT_S) -> None:
        """Give a lease back early. What was paid stays paid."""
        await self._send(c.ReleaseLease(award if isinstance(award, bytes) else award.id), timeout_s)

    def seal_with_id(self, make: Callable[[bytes], Command]) -> Sealed:
        """Seal the command that `make` builds from its own id."""
        return self._seal(make)

    def secret_of(self, sealed: Sealed) -> bytes:
        """The secret of a bid's pass, derived from the key that signed it. Raises CredentialError for another's bid."""
        seed = self.credential.seed_of(dict(sealed.headers)["key"])
        if seed is None:
            raise CredentialError("the bid was signed with a key that this credential no longer holds")
        return pass_secret(seed, sealed.command_id)

    async def close(self) -> None:
        """End this agent's wallets and iterators, and its connection unless it is shared."""
        await self._close_wallets()
        for subscription in list(self._subscriptions):
            subscription.close()
        await super().close()
