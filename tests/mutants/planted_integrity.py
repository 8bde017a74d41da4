"""Bugs planted by hand in the judge's statistics: see planted.py."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

FOLDER = "market/integrity"
EVIDENCE, CLAIMS, INVITATIONS = f"{FOLDER}/evidence.py", f"{FOLDER}/claims.py", f"{FOLDER}/invitations.py"
TESTS = "tests/market/integrity"
OF_EVIDENCE, OF_CLAIMS = (f"{TESTS}/test_evidence.py",), (f"{TESTS}/test_claims.py",)
OF_INVITATIONS = (f"{TESTS}/test_invitations.py",)

INTEGRITY_MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "each start puts in as much as the first",
        EVIDENCE,
        "            put_in = ONE // (self.starts * (self.starts + 1))\n",
        "            put_in = ONE // 2\n",
        "wealth comes from nowhere, and honest agents are accused",
        OF_EVIDENCE,
    ),
    Mutant(
        "what is not put in yet counts as before",
        EVIDENCE,
        " + ONE // (self.starts + 1)\n",
        " + ONE // max(1, self.starts)\n",
        "the same wealth counts twice",
        OF_EVIDENCE,
    ),
    Mutant(
        "wealth is rounded up",
        EVIDENCE,
        "min(WEALTH_MAX, wealth * factor // PPM)",
        "min(WEALTH_MAX, -(-wealth * factor // PPM))",
        "rounding speaks for an accusation",
        OF_EVIDENCE,
    ),
    Mutant(
        "e-BH compares with each one's own rank",
        EVIDENCE,
        "    return [name for name, _ in ranked[: max(enough, default=0)]]\n",
        "    return [ranked[k - 1][0] for k in enough]\n",
        "the set does not support itself",
        OF_EVIDENCE,
    ),
    Mutant(
        "e-BH forgets the tests without evidence",
        EVIDENCE,
        "if k * value * alpha_ppm >= tests * ONE * PPM",
        "if k * value * alpha_ppm >= len(values) * ONE * PPM",
        "too many are accused",
        OF_EVIDENCE,
    ),
    Mutant(
        "the tolerance is forgotten",
        CLAIMS,
        "    expected_ppm = (PPM - TOLERANCE_PPM) * shock_ppm // PPM\n",
        "    expected_ppm = shock_ppm\n",
        "honest agents are accused",
        OF_CLAIMS,
    ),
    Mutant(
        "a shock is the agent's own doing",
        CLAIMS,
        "    expected_ppm = (PPM - TOLERANCE_PPM) * shock_ppm // PPM\n",
        "    expected_ppm = PPM - TOLERANCE_PPM + 0 * shock_ppm\n",
        "everybody is accused after an outage",
        OF_CLAIMS,
    ),
    Mutant(
        "one's own outcomes make the shock",
        CLAIMS,
        "if other != agent][-OTHERS_KEPT:]",
        "if other][-OTHERS_KEPT:]",
        "a liar excuses itself",
        OF_CLAIMS,
    ),
    Mutant(
        "an attestor supplies all",
        CLAIMS,
        "        if supplied >= max(1, (standing.counted + 1) // ATTESTOR_SHARE):\n",
        "        if supplied < 0:\n",
        "one bribed attestor clears a liar",
        OF_CLAIMS,
    ),
    Mutant(
        "large tasks are mixed with the others",
        CLAIMS,
        "        if rank_permille >= least:\n",
        "        if rank_permille >= 0 * least:\n",
        "lies about the largest tasks hide",
        OF_CLAIMS,
    ),
    Mutant(
        "the lot's probability counts the agent itself",
        INVITATIONS,
        "len(lottery.eligible) - 1, len(lottery.invited) - 1\n",
        "len(lottery.eligible), len(lottery.invited)\n",
        "bets gain by the lot itself",
        OF_INVITATIONS,
    ),
    Mutant(
        "the pair is the wrong way round",
        INVITATIONS,
        "self.pairs.setdefault((agent, rival), ",
        "self.pairs.setdefault((rival, agent), ",
        "the victim of a reaction is accused",
        OF_INVITATIONS,
    ),
    Mutant(
        "bets are on the absent",
        INVITATIONS,
        "there if rival in lottery.invited else not_there",
        "not_there if rival in lottery.invited else there",
        "evidence is for the contrary",
        OF_INVITATIONS,
    ),
    Mutant(
        "silence says nothing",
        INVITATIONS,
        "NO_BID = (-1, -1)\n",
        "NO_BID = (10**18, 10**18)\n",
        "a ring that stays away is not found",
        OF_INVITATIONS,
    ),
)
