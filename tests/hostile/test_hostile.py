"""The small form of the hostile campaign: every kind of adversary, a hundred times."""

from __future__ import annotations

import pytest

from contractnet.messages import events as e
from faults.hostile.grief import FLOOD
from faults.hostile.ground import Shot, words
from tests.hostile import queries
from tests.hostile.campaign import KINDS, closing_line, failures, live
from tests.hostile.life import Life

ATTEMPTS = 100


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_forged_is_accepted_and_nothing_honest_lost(kind: str) -> None:
    """Each attempt has the code that it has to have; honest commands and awards come out as without the attack."""
    verdict = live(kind, 7, ATTEMPTS)
    print(verdict.line())
    assert verdict.sound, verdict.wrong
    assert verdict.attempts >= ATTEMPTS
    assert verdict.awards or kind == queries.NAME
    assert verdict.honest
    assert not [what for what in failures([verdict]) if "slow down" not in what]  # a growth of so few says nothing


def test_griefing_costs_the_griefer_and_changes_no_award() -> None:
    """Its credits stand still while its bids do nothing: other bids of it are refused meanwhile."""
    verdict = live("hold_griefing", 7, ATTEMPTS)
    assert verdict.held_credit_s > 0
    assert verdict.codes["INSUFFICIENT_CREDIT"] > 0
    assert verdict.sound


def test_races_are_won_by_as_many_as_credits_allow() -> None:
    """By one, two or three of six; each of the account's two keys wins some."""
    life = Life("overspend", 7)
    verdict = life.run(ATTEMPTS)
    assert verdict.sound, verdict.wrong
    assert verdict.races == len(life.ground.races)
    assert set(life.ground.races.values()) == {1, 2, 3}
    won = {entry.source.offset for entry in life.entries() if isinstance(entry.event, e.CommandAccepted)}
    keys = {dict(shot.headers)["key"] for offset, shot in life.shots.items() if shot.race and offset in won}
    assert len(keys) == 2


def test_a_flood_is_fifty_to_one() -> None:
    """Of what is sent once the market is open and has traded once."""
    life = Life("flood", 7)
    life.begin()
    before = len(life.shots)
    life = Life("flood", 7)
    life.run(1_000)
    sent = [shot.hostile for offset, shot in life.shots.items() if offset >= before]
    assert sum(sent) == FLOOD * sent.count(False)
    assert life.ground.promised


def test_keys_of_every_kind_are_tried_after_their_end() -> None:
    """Revoked, rotated away, expired; of a member, the bank, the operator."""
    life = Life("revoked", 7)
    assert life.run(300).sound
    ended = [type(entry.event).__name__ for entry in life.entries()]
    assert {"KeyRevoked", "KeyExpires", "OperatorKeyRotated"} <= set(ended)
    tried = {dict(shot.headers)["key"] for shot in life.shots.values() if shot.hostile}
    # Of the member and the bank: two revoked, two and three rotated away, three that expired or gave way to such a one.
    assert len(tried) == (2 + 2 + 3) + (2 + 2 + 3) + 2


def test_a_seed_repeats() -> None:
    """The same seed makes the same records, byte for byte."""
    one, other = Life("bombs", 3), Life("bombs", 3)
    one.run(30)
    other.run(30)
    assert list(one.shots.values()) == list(other.shots.values())


def test_the_judge_sees_what_is_wrong() -> None:
    """An attempt that is accepted, one without its code, an honest command that is refused: each is counted."""
    life = Life("forged", 1)
    life.run(20)
    shots = life.shots
    first = next(offset for offset, shot in shots.items() if not shot.hostile)
    hostile = next(offset for offset, shot in shots.items() if shot.hostile)
    life.shots = shots | {hostile: Shot(b"", b"", [], words("ACCEPTED"))}
    assert life._verdict().misjudged == 1
    taken = Shot(shots[first].key, shots[first].value, shots[first].headers, words("BAD_SIGNATURE"))
    life.shots = shots | {first: taken}
    verdict = life._verdict()
    assert verdict.accepted == 1
    assert "accepted=1" in closing_line([verdict], 1)
    life.shots = shots | {first: Shot(b"", b"", [], words("BAD_NAME"), hostile=False)}
    assert life._verdict().honest_lost == 1
    life.shots = shots
    life.ground.races[1] = 1
    assert life._verdict().misjudged == 1
    life.ground.races.clear()
    cfp, (winner, price) = next(iter(life.ground.promised.items()))
    life.ground.promised[cfp] = (winner, price - 5)
    assert life._verdict().honest_lost == 1
