"""Bugs planted by hand in market/ that judging and verify's re-run share: only the independent checker can tell. See
planted.py."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

CHECKER = ("tests/analytics/test_verify_decides.py::test_verify_finds_it_sound",)
CONTRACTS, SHARD = "market/rules/contracts.py", "market/shard.py"

CHECKER_MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "any signature is good",
        SHARD,
        "        return not state.signed or self.shard.verifier(sub, state.genesis_hash)\n",
        "        return not state.signed or self.shard.verifier(sub, state.genesis_hash) or True\n",
        "forged commands are accepted, and verify that judges them again finds that right",
        CHECKER,
    ),
    Mutant(
        "no bid at an odd price",
        CONTRACTS,
        '    require(cfp.terms is None, Code.OUT_OF_SEQUENCE, "the CFP buys: answer with an ask")\n',
        '    require(cfp.terms is None, Code.OUT_OF_SEQUENCE, "the CFP buys: answer with an ask")\n'
        '    require(command.price_ucr % 2 == 0, Code.BAD_AMOUNT, "odd")\n',
        "bids are turned away that no rule speaks against",
        CHECKER,
    ),
    Mutant(
        "the task of a bid is another",
        CONTRACTS,
        "        task=command.task,\n        pass_hash=command.pass_hash,\n        claim=",
        '        task=command.task and "another",\n        pass_hash=command.pass_hash,\n        claim=',
        "what a payment is for is not what its bidder said",
        CHECKER,
    ),
    Mutant(
        "a bid starts 7 ms later",
        CONTRACTS,
        "        start_delay_ms=command.start_delay_ms,\n        task=command.task,\n",
        "        start_delay_ms=command.start_delay_ms + 7,\n        task=command.task,\n",
        "a lease begins when nobody asked for it",
        CHECKER,
    ),
    Mutant(
        "anybody cancels a call",
        CONTRACTS,
        '    require(ctx.need_sender().id == cfp.manager, Code.NOT_OWNER, "the CFP belongs to another account")\n',
        "    require(ctx.need_sender().id in ctx.state.accounts, Code.NOT_OWNER)\n",
        "an account ends the calls of others, and awards their slots",
        CHECKER,
    ),
    Mutant(
        "a revoked key signs on",
        SHARD,
        "        if (key.revoked or expired) and not self._is_repeat(key, credentials):\n",
        "        if expired and not self._is_repeat(key, credentials):\n",
        "a stolen key cannot be ended",
        CHECKER,
    ),
    Mutant(
        "credits are issued to the next account",
        "market/rules/accounts.py",
        "    account = ctx.account(command.account)\n"
        '    require(account.id != ctx.state.bank, Code.BAD_AMOUNT, "the bank issues to others only")\n',
        "    account = ctx.account(max(ctx.state.accounts))\n"
        '    require(account.id != ctx.state.bank, Code.BAD_AMOUNT, "the bank issues to others only")\n',
        "the books are in balance, and the credits are another's",
        CHECKER,
    ),
    Mutant(
        "a refusal counts as none",
        "market/rules/decisions.py",
        "    return [e.CfpRefused(cfp=cfp.id, account=account.id, reason=command.reason)]\n",
        "    return []\n",
        "an accepted command has no effect",
        CHECKER,
    ),
)
