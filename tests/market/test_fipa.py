"""The contract net as a table: every message in every state of a conversation, from either side, and the answer.

FIPA SC00029H: cfp, then refuse or propose, then reject-proposal or accept-proposal, then inform-done or failure; cancel
by the initiator; what cannot be read is not understood. A withdrawal of a proposal is this market's own. Here the
initiator sells, and what it sold cannot fail: for failure and inform-result see test_fipa_buys.py.

Each cell is one message to a market in which the conversation has come so far. There is another participant whose bid
stands, and a second slot, so that a choice does not end the CFP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from contractnet.messages import Code, Command
from contractnet.messages import commands as c
from contractnet.messages import events as e
from tests.market.town import (
    ANN,
    MANAGER,
    UNKNOWN_ID,
    Answer,
    Town,
    as_plain,
    bid,
    call,
    key_pair,
    managed,
    small_town,
)

BOB = key_pair("bob")
ROLES = {"initiator": MANAGER, "participant": ANN}


@dataclass
class Conversation:
    """A CFP between the manager and ann, while bob's bid stands as well. Unknown ids where there is no such thing."""

    town: Town
    cfp: bytes = UNKNOWN_ID
    bid: bytes = UNKNOWN_ID

    def done(self, answer: Answer) -> Answer:
        """An answer on the way, which has to be a yes."""
        assert answer.code is Code.ACCEPTED, answer
        return answer

    def call(self) -> None:
        """cfp."""
        terms = {"slots": 2, "decide_ms": 10_000, "duration_ms": 60_000, "open_ms": 1_000}
        self.cfp = self.done(self.town.send(managed(**terms), MANAGER)).id
        self.done(self.town.send(bid(self.cfp, 30), BOB))

    def propose(self) -> None:
        """propose."""
        self.bid = self.done(self.town.send(bid(self.cfp, 20), ANN)).id

    def pass_deadline(self) -> None:
        """The deadline passes."""
        self.town.at_ms += 1_000
        assert self.town.tick().of(e.DecisionOpened)

    def send(self, command: Command, sender: str = "initiator") -> None:
        """Any message on the way."""
        self.done(self.town.send(command, ROLES[sender]))


def nothing(_: Conversation) -> None:
    """Nobody has called."""


def called(x: Conversation) -> None:
    """The participant has not answered."""
    x.call()


def refused(x: Conversation) -> None:
    """The participant has refused."""
    x.call()
    x.send(c.RefuseCfp(x.cfp, ""), "participant")


def proposed(x: Conversation) -> None:
    """The participant's bid stands, and others may bid."""
    x.call()
    x.propose()


def withdrawn(x: Conversation) -> None:
    """The participant has taken its bid back."""
    proposed(x)
    x.send(c.WithdrawBid(x.bid), "participant")


def unanswered(x: Conversation) -> None:
    """The deadline has passed without an answer of the participant."""
    x.call()
    x.pass_deadline()


def deciding(x: Conversation) -> None:
    """The deadline has passed, and the participant's bid binds."""
    proposed(x)
    x.pass_deadline()


def accepted(x: Conversation) -> None:
    """The participant has won a slot."""
    deciding(x)
    x.send(c.AwardBid(x.bid))


def rejected(x: Conversation) -> None:
    """The participant's bid was declined."""
    deciding(x)
    x.send(c.RejectBid(x.bid))


def finished(x: Conversation) -> None:
    """The participant has given its lease back, and the CFP has ended."""
    accepted(x)
    x.send(c.ReleaseLease(x.bid), "participant")
    x.town.at_ms += 10_000
    x.town.tick()


def expired(x: Conversation) -> None:
    """The initiator has not decided in time."""
    deciding(x)
    x.town.at_ms += 10_000
    assert x.town.tick().of(e.CfpClosed)


def cancelled(x: Conversation) -> None:
    """The initiator has taken the CFP back."""
    proposed(x)
    x.send(c.CancelCfp(x.cfp))


def automatic(x: Conversation) -> None:
    """The market awards this CFP itself, and the participant's bid stands."""
    x.cfp = x.done(x.town.send(call(), MANAGER)).id
    x.propose()


def uninvited(x: Conversation) -> None:
    """A CFP by invitation, which the participant has not got."""
    bob = x.town.state.account_names["bob"]
    x.cfp = x.done(x.town.send(managed(invited=(bob,)), MANAGER)).id


STATES: dict[str, Callable[[Conversation], None]] = {
    state.__name__: state
    for state in (
        nothing,
        called,
        refused,
        proposed,
        withdrawn,
        unanswered,
        deciding,
        accepted,
        rejected,
        finished,
        expired,
        cancelled,
        automatic,
        uninvited,
    )
}
MESSAGES: dict[str, Callable[[Conversation], Command] | None] = {
    "cfp": lambda _: call(),
    "accept": lambda x: c.AwardBid(x.bid),
    "reject": lambda x: c.RejectBid(x.bid),
    "cancel": lambda x: c.CancelCfp(x.cfp),
    "refuse": lambda x: c.RefuseCfp(x.cfp, ""),
    "propose": lambda x: bid(x.cfp, 25),
    "withdraw": lambda x: c.WithdrawBid(x.bid),
    "done": lambda x: c.ReleaseLease(x.bid),
    "noise": None,
}
"""None: bytes that are no message at all."""
WORDS = {
    "yes": Code.ACCEPTED,
    "no bid": Code.UNKNOWN_BID,
    "no cfp": Code.UNKNOWN_CFP,
    "no lease": Code.UNKNOWN_LEASE,
    "own cfp": Code.OWN_CFP,
    "not owner": Code.NOT_OWNER,
    "closed": Code.CFP_CLOSED,
    "open": Code.CFP_OPEN,
    "binding": Code.BID_BINDING,
    "has bid": Code.ALREADY_BID,
    "sequence": Code.OUT_OF_SEQUENCE,
    "automatic": Code.NOT_MANAGED,
    "unreadable": Code.UNREADABLE,
    "uninvited": Code.NOT_INVITED,
}
INITIATOR = """
state      | cfp | accept    | reject    | cancel | refuse  | propose | withdraw  | done      | noise
nothing    | yes | no bid    | no bid    | no cfp | no cfp  | no cfp  | no bid    | no lease  | unreadable
called     | yes | no bid    | no bid    | yes    | own cfp | own cfp | no bid    | no lease  | unreadable
refused    | yes | no bid    | no bid    | yes    | own cfp | own cfp | no bid    | no lease  | unreadable
proposed   | yes | open      | open      | yes    | own cfp | own cfp | not owner | no lease  | unreadable
withdrawn  | yes | no bid    | no bid    | yes    | own cfp | own cfp | no bid    | no lease  | unreadable
unanswered | yes | no bid    | no bid    | yes    | closed  | closed  | no bid    | no lease  | unreadable
deciding   | yes | yes       | yes       | yes    | closed  | closed  | not owner | no lease  | unreadable
accepted   | yes | no bid    | no bid    | yes    | closed  | closed  | no bid    | not owner | unreadable
rejected   | yes | no bid    | no bid    | yes    | closed  | closed  | no bid    | no lease  | unreadable
finished   | yes | no bid    | no bid    | closed | closed  | closed  | no bid    | no lease  | unreadable
expired    | yes | no bid    | no bid    | closed | closed  | closed  | no bid    | no lease  | unreadable
cancelled  | yes | no bid    | no bid    | closed | closed  | closed  | no bid    | no lease  | unreadable
automatic  | yes | automatic | automatic | yes    | own cfp | own cfp | not owner | no lease  | unreadable
uninvited  | yes | no bid    | no bid    | yes    | own cfp | own cfp | no bid    | no lease  | unreadable
"""
PARTICIPANT = """
state      | cfp       | accept    | reject    | cancel    | refuse    | propose   | withdraw | done     | noise
nothing    | not owner | no bid    | no bid    | no cfp    | no cfp    | no cfp    | no bid   | no lease | unreadable
called     | not owner | no bid    | no bid    | not owner | yes       | yes       | no bid   | no lease | unreadable
refused    | not owner | no bid    | no bid    | not owner | sequence  | sequence  | no bid   | no lease | unreadable
proposed   | not owner | not owner | not owner | not owner | sequence  | has bid   | yes      | no lease | unreadable
withdrawn  | not owner | no bid    | no bid    | not owner | sequence  | yes       | no bid   | no lease | unreadable
unanswered | not owner | no bid    | no bid    | not owner | closed    | closed    | no bid   | no lease | unreadable
deciding   | not owner | not owner | not owner | not owner | closed    | closed    | binding  | no lease | unreadable
accepted   | not owner | no bid    | no bid    | not owner | closed    | closed    | no bid   | yes      | unreadable
rejected   | not owner | no bid    | no bid    | not owner | closed    | closed    | no bid   | no lease | unreadable
finished   | not owner | no bid    | no bid    | closed    | closed    | closed    | no bid   | no lease | unreadable
expired    | not owner | no bid    | no bid    | closed    | closed    | closed    | no bid   | no lease | unreadable
cancelled  | not owner | no bid    | no bid    | closed    | closed    | closed    | no bid   | no lease | unreadable
automatic  | not owner | not owner | not owner | not owner | sequence  | has bid   | yes      | no lease | unreadable
uninvited  | not owner | no bid    | no bid    | not owner | uninvited | uninvited | no bid   | no lease | unreadable
"""


def rows(table: str) -> Iterator[tuple[str, dict[str, Code]]]:
    """State, and the answer to each message in it."""
    lines = [[word.strip() for word in line.split("|")] for line in table.strip().splitlines()]
    for state, *codes in lines[1:]:
        yield state, dict(zip(lines[0][1:], map(WORDS.__getitem__, codes), strict=True))


CELLS = [
    (role, state, message, code)
    for role, table in (("initiator", INITIATOR), ("participant", PARTICIPANT))
    for state, codes in rows(table)
    for message, code in codes.items()
]


@pytest.mark.parametrize(("role", "state", "message", "code"), CELLS, ids=[" ".join(cell[:3]) for cell in CELLS])
def test_a_message_in_a_state(role: str, state: str, message: str, code: Code) -> None:
    """The answer is the one of the table; a no leaves money, bids and CFPs as they were."""
    town, _ = small_town("ann", "bob", units=4)
    conversation = Conversation(town)
    STATES[state](conversation)
    before = as_plain([town.state.accounts, town.state.cfps, town.state.holds, town.state.leases])
    make, keys = MESSAGES[message], ROLES[role]
    if make is not None:
        answer = town.send(make(conversation), keys)
    else:
        answer = town.post(*town.seal_bytes(b"hello", keys, town.next_sequence(keys)))
    assert answer.code is code
    after = as_plain([town.state.accounts, town.state.cfps, town.state.holds, town.state.leases])
    assert (before == after) == (code is not Code.ACCEPTED)


def test_the_table_is_complete() -> None:
    """Every state and every message, from both sides, once."""
    assert {cell[:3] for cell in CELLS} == {(r, s, m) for r in ROLES for s in STATES for m in MESSAGES}
    assert len(CELLS) == len(ROLES) * len(STATES) * len(MESSAGES) == 252
