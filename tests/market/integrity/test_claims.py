"""Evidence that an agent delivers less than it claims."""

from __future__ import annotations

from fractions import Fraction

from market.integrity.claims import (
    ATTESTOR_SHARE,
    BETS_PPM,
    SIZES_KEPT,
    TOLERANCE_PPM,
    ClaimAudit,
    Outcome,
    rank,
)
from market.integrity.evidence import ONE, PPM

ANN, BOB = b"ann", b"bob"


def outcome(number: int, attested: int, *, agent: bytes = ANN, claimed: int = 100, size: int = 100) -> Outcome:
    """The numbered task of an agent, each attested by another."""
    return Outcome(agent, b"attestor %d" % number, claimed, attested, size)


def audited(outcomes: list[Outcome]) -> ClaimAudit:
    """After these."""
    audit = ClaimAudit()
    for each in outcomes:
        audit.observe(each)
    return audit


def test_whoever_delivers_what_it_claims_less_the_tolerance_gives_no_evidence() -> None:
    """Nine tenths of the claim are the null hypothesis itself: every factor is 1."""
    audit = audited([outcome(n, (PPM - TOLERANCE_PPM) * 100 // PPM) for n in range(500)])
    assert ONE - 100 < audit.standings[ANN].value <= ONE


def test_a_fair_gamble_at_the_tolerance_does_not_gain() -> None:
    """All or nothing with the mean of the null: over all courses of eight tasks the expected e-value is at most 1."""
    chance = Fraction(PPM - TOLERANCE_PPM, PPM)
    expected = Fraction(0)
    for course in range(2**8):
        delivered = [course >> bit & 1 for bit in range(8)]
        value = audited([outcome(n, 100 * done) for n, done in enumerate(delivered)]).standings[ANN].value
        expected += chance ** sum(delivered) * (1 - chance) ** (8 - sum(delivered)) * Fraction(value, ONE)
    assert Fraction(999, 1_000) < expected <= 1


def test_rounding_speaks_for_the_agent() -> None:
    """Two thirds, which no number of millionths is, in three of ten tasks and all in the others are nine tenths on
    average: each bet's expectation is at most what was put in."""
    chances = {2: Fraction(3, 10), 3: Fraction(7, 10)}
    wealth = {done: audited([outcome(0, done, claimed=3)]).standings[ANN].strata[0].wealth for done in chances}
    for bet in range(len(BETS_PPM)):
        assert sum(chance * wealth[done][bet] for done, chance in chances.items()) <= ONE // 2


def test_delivering_a_quarter_shows_within_twenty_tasks() -> None:
    """And delivering twice the claim takes evidence away again."""
    audit = audited([outcome(n, 25) for n in range(20)])
    assert audit.standings[ANN].value > 100 * ONE
    for number in range(20, 60):
        audit.observe(outcome(number, 200))
    assert audit.standings[ANN].value < ONE


def test_lies_about_the_large_tasks_alone_show() -> None:
    """One large task in twenty, of which a tenth is delivered; all others deliver more than was claimed."""
    outcomes = [
        outcome(n, 10 if n % 20 == 19 else 102, size=1_000 if n % 20 == 19 else 100 + n % 7) for n in range(600)
    ]
    audit = audited(outcomes)
    everything, quarter, twentieth = (process.value for process in audit.standings[ANN].strata)
    assert audit.standings[ANN].value > 100 * ONE
    assert everything < ONE < quarter < twentieth


def test_no_attestor_supplies_more_than_its_share() -> None:
    """One that attests again and again counts once, and then once for each ten tasks that count."""
    audit = ClaimAudit()
    briber = [audit.observe(Outcome(ANN, b"briber", 100, 100, 1)) for _ in range(50)]
    assert sum(briber) == 1
    others = sum(audit.observe(outcome(n, 100)) for n in range(99))
    assert others == 99
    assert sum(audit.observe(Outcome(ANN, b"briber", 100, 100, 1)) for _ in range(50)) == 100 // ATTESTOR_SHARE


def test_a_shock_that_hits_all_accuses_nobody_and_one_that_hits_ann_alone_does() -> None:
    """Twelve agents deliver what they claim, then 60% of it for a while."""
    agents = [b"agent %d" % number for number in range(12)]

    def course(hit: set[bytes]) -> ClaimAudit:
        audit = ClaimAudit()
        for number in range(80):
            for agent in agents:
                low = number >= 40 and agent in hit
                audit.observe(outcome(number, 60 if low else 100, agent=agent))
        return audit

    common = course(set(agents))
    assert max(standing.value for standing in common.standings.values()) < 3 * ONE
    assert course({agents[0]}).standings[agents[0]].value > 20 * ONE


def test_nobody_makes_a_shock_of_its_own() -> None:
    """Twelve agents deliver what they claim; then one of them alone has tasks, and delivers 60%."""
    agents = [b"agent %d" % number for number in range(12)]
    audit = audited([outcome(number, 100, agent=agent) for number in range(40) for agent in agents])
    for number in range(40, 80):
        audit.observe(outcome(number, 60, agent=agents[0]))
    assert audit.standings[agents[0]].value > 20 * ONE


def test_an_outcome_beyond_all_measure_costs_no_more_than_the_stake() -> None:
    """A task that delivers a million times its claim: wealth falls, and is not negative."""
    audit = audited([outcome(n, 10**8) for n in range(30)])
    assert all(min(process.wealth) >= 0 for process in audit.standings[ANN].strata)
    assert max(BETS_PPM) < PPM


def test_what_is_kept_of_an_agent_is_bounded() -> None:
    """The last sizes, in both orders."""
    audit = audited([outcome(n, 100, size=n * 7 % 31) for n in range(3 * SIZES_KEPT)])
    standing = audit.standings[ANN]
    assert len(standing.sizes) == SIZES_KEPT
    assert standing.ranked == sorted(standing.sizes)


def test_ranks() -> None:
    """Permille of those below, half of the equal ones."""
    assert rank([], 3) == 500
    assert [rank([1, 2, 2, 3], value) for value in (0, 1, 2, 3, 4)] == [0, 125, 500, 875, 1_000]
