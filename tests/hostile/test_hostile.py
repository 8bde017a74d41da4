"""The small form of the hostile campaign: every kind of adversary, a hundred times."""

from __future__ import annotations

import pytest

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
    cfp, (winner, price) = next(iter(life.ground.promised.items()))
    life.ground.promised[cfp] = (winner, price - 5)
    assert life._verdict().honest_lost == 1
