"""The contract net as a table where the initiator buys: every message in every state, from either side, and the answer.

As test_fipa.py, with the ends that only bought work has: inform-done or inform-result, failure, and time that runs out.
There is another participant whose ask stands, and a second slot.

One deviation, on purpose: SC00029H lets the initiator cancel at any time. Here a cancel ends with the deadline, or with
the last decision of a buyer that chooses, and takes no award back (docs/decisions/0018): a buyer that could cancel work
that is nearly done would have it for nothing. So `cancel` is `closed` in each state of work.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from contractnet.messages import Code, Command
from contractnet.messages import commands as c
from contractnet.messages import events as e
from tests.market.buyers import BUYER, ask, bazaar, buying, chosen, done, failed, started
from tests.market.test_fipa import rows
from tests.market.town import ANN, UNKNOWN_ID, Town, as_plain, key_pair

ROLES = {"initiator": BUYER, "participant": ANN}


@dataclass
class Conversation:
    """A CFP between the buyer and ann, while bob's ask stands as well. Unknown ids where there is no such thing."""

    town: Town
    cfp: bytes = UNKNOWN_ID
    ask: bytes = UNKNOWN_ID

    def send(self, command: Command, sender: str = "initiator") -> bytes:
        """A message on the way, which has to be answered by a yes; its id."""
        answer = self.town.send(command, ROLES.get(sender, key_pair(sender)))
        assert answer.code is Code.ACCEPTED, answer
        return answer.id

    def pass_time(self, ms: int) -> None:
        """Time passes, and the market settles what is due."""
        self.town.at_ms += ms
        self.town.tick()


def nothing(_: Conversation) -> None:
    """Nobody has called."""


def called(x: Conversation) -> None:
    """The participant has not answered."""
    x.cfp = x.send(buying(slots=2, open_ms=1_000, duration_ms=60_000))
    x.send(ask(x.cfp, "bob", 70), "bob")


def refused(x: Conversation) -> None:
    """The participant has refused."""
    called(x)
    x.send(c.RefuseCfp(x.cfp, ""), "participant")


def proposed(x: Conversation) -> None:
    """The participant's ask stands."""
    called(x)
    x.ask = x.send(ask(x.cfp, "ann", 60), "participant")


def withdrawn(x: Conversation) -> None:
    """The participant has taken its ask back."""
    proposed(x)
    x.send(c.WithdrawBid(x.ask), "participant")


def unanswered(x: Conversation) -> None:
    """The deadline has passed without an answer of the participant."""
    called(x)
    x.pass_time(1_000)


def accepted(x: Conversation) -> None:
    """The participant has won a slot, and its work has not started."""
    proposed(x)
    x.pass_time(1_000)
    assert x.ask in x.town.state.works


def rejected(x: Conversation) -> None:
    """The participant was outbid."""
    called(x)
    x.ask = x.send(ask(x.cfp, "ann", 90), "participant")
    x.send(ask(x.cfp, "cat", 80), "cat")
    x.pass_time(1_000)
    assert x.ask not in x.town.state.works


def working(x: Conversation) -> None:
    """The participant has started."""
    accepted(x)
    x.send(started(x.ask), "participant")


def finished(x: Conversation) -> None:
    """The participant is done."""
    working(x)
    x.send(done(x.ask, "result"), "participant")


def broken(x: Conversation) -> None:
    """The participant has failed."""
    working(x)
    x.send(failed(x.ask), "participant")


def timed_out(x: Conversation) -> None:
    """The participant has started, and was not done in time."""
    working(x)
    for _ in range(2):
        x.pass_time(60_000)


def cancelled(x: Conversation) -> None:
    """The initiator has taken the CFP back."""
    proposed(x)
    x.send(c.CancelCfp(x.cfp))


def choosing(x: Conversation) -> None:
    """The participant's ask stands, and the initiator will choose itself."""
    x.cfp = x.send(chosen(slots=2, open_ms=1_000, decide_ms=10_000, duration_ms=60_000))
    x.send(ask(x.cfp, "bob", 70), "bob")
    x.ask = x.send(ask(x.cfp, "ann", 60), "participant")


def deciding(x: Conversation) -> None:
    """The deadline has passed, and the participant's ask binds."""
    choosing(x)
    x.pass_time(1_000)
    assert x.town.state.cfps[x.cfp].decides_until_ms


def preferred(x: Conversation) -> None:
    """The initiator has chosen the participant's ask, and another slot is open."""
    deciding(x)
    x.send(c.AwardBid(x.ask))


def declined(x: Conversation) -> None:
    """The initiator has declined the participant's ask."""
    deciding(x)
    x.send(c.RejectBid(x.ask))


def expired(x: Conversation) -> None:
    """The initiator has not decided in time."""
    deciding(x)
    x.pass_time(10_000)
    assert x.cfp not in x.town.state.cfps


def uninvited(x: Conversation) -> None:
    """A CFP by invitation, which the participant has not got."""
    x.cfp = x.send(buying(slots=2, invited=(x.town.state.account_names["bob"],)))


STATES: dict[str, Callable[[Conversation], None]] = {
    state.__name__: state
    for state in (
        nothing,
        called,
        refused,
        proposed,
        withdrawn,
        unanswered,
        accepted,
        rejected,
        working,
        finished,
        broken,
        timed_out,
        cancelled,
        choosing,
        deciding,
        preferred,
        declined,
        expired,
        uninvited,
    )
}
MESSAGES: dict[str, Callable[[Conversation], Command] | None] = {
    "cfp": lambda _: buying(),
    "accept": lambda x: c.AwardBid(x.ask),
    "reject": lambda x: c.RejectBid(x.ask),
    "cancel": lambda x: c.CancelCfp(x.cfp),
    "refuse": lambda x: c.RefuseCfp(x.cfp, ""),
    "propose": lambda x: ask(x.cfp, "ann", 65),
    "withdraw": lambda x: c.WithdrawBid(x.ask),
    "start": lambda x: started(x.ask),
    "done": lambda x: done(x.ask, "result"),
    "failure": lambda x: failed(x.ask, "why"),
    "release": lambda x: c.ReleaseLease(x.ask),
    "noise": None,
}
"""None: bytes that are no message at all."""
INITIATOR = """
state     | cfp| accept   | reject   | cancel| refuse | propose| withdraw | start    | done     | failure  | release
nothing   | yes| no bid   | no bid   | no cfp| no cfp | no cfp | no bid   | no lease | no lease | no lease | no lease
called    | yes| no bid   | no bid   | yes   | own cfp| own cfp| no bid   | no lease | no lease | no lease | no lease
refused   | yes| no bid   | no bid   | yes   | own cfp| own cfp| no bid   | no lease | no lease | no lease | no lease
proposed  | yes| automatic| automatic| yes   | own cfp| own cfp| not owner| no lease | no lease | no lease | no lease
withdrawn | yes| no bid   | no bid   | yes   | own cfp| own cfp| no bid   | no lease | no lease | no lease | no lease
unanswered| yes| no bid   | no bid   | closed| closed | closed | no bid   | no lease | no lease | no lease | no lease
accepted  | yes| no bid   | no bid   | closed| closed | closed | no bid   | not owner| not owner| not owner| not owner
rejected  | yes| no bid   | no bid   | closed| closed | closed | no bid   | no lease | no lease | no lease | no lease
working   | yes| no bid   | no bid   | closed| closed | closed | no bid   | not owner| not owner| not owner| not owner
finished  | yes| no bid   | no bid   | closed| closed | closed | no bid   | no lease | no lease | no lease | no lease
broken    | yes| no bid   | no bid   | closed| closed | closed | no bid   | no lease | no lease | no lease | no lease
timed_out | yes| no bid   | no bid   | closed| closed | closed | no bid   | no lease | no lease | no lease | no lease
cancelled | yes| no bid   | no bid   | closed| closed | closed | no bid   | no lease | no lease | no lease | no lease
choosing  | yes| open     | open     | yes   | own cfp| own cfp| not owner| no lease | no lease | no lease | no lease
deciding  | yes| yes      | yes      | yes   | closed | closed | not owner| no lease | no lease | no lease | no lease
preferred | yes| no bid   | no bid   | yes   | closed | closed | no bid   | not owner| not owner| not owner| not owner
declined  | yes| no bid   | no bid   | yes   | closed | closed | no bid   | no lease | no lease | no lease | no lease
expired   | yes| no bid   | no bid   | closed| closed | closed | no bid   | no lease | no lease | no lease | no lease
uninvited | yes| no bid   | no bid   | yes   | own cfp| own cfp| no bid   | no lease | no lease | no lease | no lease
"""
PARTICIPANT = """
state     | cfp| accept   | reject   | cancel   | refuse   | propose  | withdraw| start   | done    | failure | release
nothing   | yes| no bid   | no bid   | no cfp   | no cfp   | no cfp   | no bid  | no lease| no lease| no lease| no lease
called    | yes| no bid   | no bid   | not owner| yes      | yes      | no bid  | no lease| no lease| no lease| no lease
refused   | yes| no bid   | no bid   | not owner| sequence | sequence | no bid  | no lease| no lease| no lease| no lease
proposed  | yes| not owner| not owner| not owner| sequence | has bid  | yes     | no lease| no lease| no lease| no lease
withdrawn | yes| no bid   | no bid   | not owner| sequence | yes      | no bid  | no lease| no lease| no lease| no lease
unanswered| yes| no bid   | no bid   | closed   | closed   | closed   | no bid  | no lease| no lease| no lease| no lease
accepted  | yes| no bid   | no bid   | closed   | closed   | closed   | no bid  | yes     | sequence| yes     | sequence
rejected  | yes| no bid   | no bid   | closed   | closed   | closed   | no bid  | no lease| no lease| no lease| no lease
working   | yes| no bid   | no bid   | closed   | closed   | closed   | no bid  | sequence| yes     | yes     | sequence
finished  | yes| no bid   | no bid   | closed   | closed   | closed   | no bid  | no lease| no lease| no lease| no lease
broken    | yes| no bid   | no bid   | closed   | closed   | closed   | no bid  | no lease| no lease| no lease| no lease
timed_out | yes| no bid   | no bid   | closed   | closed   | closed   | no bid  | no lease| no lease| no lease| no lease
cancelled | yes| no bid   | no bid   | closed   | closed   | closed   | no bid  | no lease| no lease| no lease| no lease
choosing  | yes| not owner| not owner| not owner| sequence | has bid  | yes     | no lease| no lease| no lease| no lease
deciding  | yes| not owner| not owner| not owner| closed   | closed   | binding | no lease| no lease| no lease| no lease
preferred | yes| no bid   | no bid   | not owner| closed   | closed   | no bid  | yes     | sequence| yes     | sequence
declined  | yes| no bid   | no bid   | not owner| closed   | closed   | no bid  | no lease| no lease| no lease| no lease
expired   | yes| no bid   | no bid   | closed   | closed   | closed   | no bid  | no lease| no lease| no lease| no lease
uninvited | yes| no bid   | no bid   | not owner| uninvited| uninvited| no bid  | no lease| no lease| no lease| no lease
"""

CELLS = [
    (role, state, message, code)
    for role, table in (("initiator", INITIATOR), ("participant", PARTICIPANT))
    for state, codes in rows(table)
    for message, code in (codes | {"noise": Code.UNREADABLE}).items()
]


def standing(town: Town) -> object:
    """What a no must not change."""
    state = town.state
    return as_plain([state.accounts, state.cfps, state.holds, state.leases, state.works])


@pytest.mark.parametrize(("role", "state", "message", "code"), CELLS, ids=[" ".join(cell[:3]) for cell in CELLS])
def test_a_message_in_a_state(role: str, state: str, message: str, code: Code) -> None:
    """The answer is the one of the table; a no leaves money, CFPs, leases and work as they were."""
    town, _ = bazaar("ann", "bob", "cat")
    conversation = Conversation(town)
    STATES[state](conversation)
    before = standing(town)
    make, keys = MESSAGES[message], ROLES[role]
    if make is not None:
        answer = town.send(make(conversation), keys)
    else:
        answer = town.post(*town.seal_bytes(b"hello", keys, town.next_sequence(keys)))
    assert answer.code is code
    assert (before == standing(town)) == (code is not Code.ACCEPTED)


def test_the_table_is_complete() -> None:
    """Every state and every message, from both sides, once."""
    assert {cell[:3] for cell in CELLS} == {(r, s, m) for r in ROLES for s in STATES for m in MESSAGES}
    assert len(CELLS) == len(ROLES) * len(STATES) * len(MESSAGES) == 456


@pytest.mark.parametrize("end", [finished, broken, timed_out])
def test_every_end_settles_escrow_and_bond(end: Callable[[Conversation], None]) -> None:
    """However work ends, nobody holds anything for it afterwards, and what one pays the other has."""
    town, ids = bazaar("ann", "bob", "cat")
    conversation = Conversation(town)
    end(conversation)
    assert conversation.ask not in town.state.works
    postings = [p for a in town.answers for p in a.of(e.CreditsTransferred) if p.award == conversation.ask]
    assert len(postings) == 1
    moved = postings[0].amount_ucr
    paid = end is finished
    assert (postings[0].debit, postings[0].credit) == (
        (ids["buyer"], ids["ann"]) if paid else (ids["ann"], ids["buyer"])
    )
    assert moved == (100 if paid else 5)
    assert town.state.accounts[ids["ann"]].held_ucr == 0
