"""Bugs planted by hand in ties and weights by budget root: see planted.py."""

from __future__ import annotations

from tests.mutants.mutant import DIRECTED, Mutant

TIES, WEIGHTS, STATE = "market/ties.py", "market/weights.py", "market/state.py"
LOTS, EPOCHS, GUARDS, PRICES = (
    f"tests/market/{name}.py" for name in ("test_ties", "test_weights", "test_guards_identities", "test_pricing")
)
CHECKER = ("tests/analytics/test_verify_identities.py",)

IDENTITY_MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "ties of calls go by account",
        TIES,
        "            turns.append((seen[root], self._lot(root), bid))\n",
        "            turns.append((0, self._lot(bid.account), bid))\n",
        "whoever has more accounts wins more ties",
        (LOTS,),
    ),
    Mutant(
        "a root has all its turns at once",
        TIES,
        "            seen[root] += 1\n",
        "",
        "two accounts of a root keep a rival off two slots",
        (LOTS,),
    ),
    Mutant(
        "turns are drawn before version 10",
        TIES,
        "        if self.state.rules_version < ROOT_TIES_RULES_VERSION:\n",
        "        if self.state.rules_version < ROOT_TIES_RULES_VERSION - 1:\n",
        "an old ledger cannot be judged again",
        (LOTS,),
    ),
    Mutant(
        "turns are not drawn in version 10",
        TIES,
        "        if self.state.rules_version < ROOT_TIES_RULES_VERSION:\n",
        "        if self.state.rules_version <= ROOT_TIES_RULES_VERSION:\n",
        "whoever has more accounts wins more ties",
        (LOTS,),
    ),
    Mutant(
        "turns are counted among all bids",
        TIES,
        "groupby(by_lot, key=score)",
        "groupby(by_lot, key=lambda bid: 0)",
        "a root's lower bids come before others' higher ones",
        (LOTS,),
    ),
    Mutant(
        "a tie at a price is that of its own bid",
        TIES,
        "        tied = [rival for rival in others if score(rival) == tie]\n",
        "        tied = [other]\n",
        "a price at which its winner would lose, or a higher one than the least",
        (PRICES, LOTS),
    ),
    Mutant(
        "a price is found among equals as they came with the winner",
        "market/pricing.py",
        "    others = ties.without(winner, ranked, _score)\n",
        "    others = [b for b in ranked if b is not winner]\n",
        "a winner pays for a bid that its sibling had pushed ahead",
        (PRICES,),
    ),
    Mutant(
        "a root weighs what its bidder does",
        STATE,
        "        return limits.WEIGHT_PERMILLE_MAX if weights is None else weights.least_at(epoch)\n",
        "        return account.weight_at(epoch)\n",
        "a clean account bids around a weight that was lowered",
        (EPOCHS,),
    ),
    Mutant(
        "a root has its weight of today",
        WEIGHTS,
        "lambda account: account.weights[-1][0] > epoch",
        "lambda account: account.weights[-1][0] < 0",
        "a weight that changes counts for open calls",
        (EPOCHS,),
    ),
    Mutant(
        "a root forgets an earlier weight",
        WEIGHTS,
        "*(account.weight_at(epoch) for account in since)",
        "*(account.weight_at(epoch) for account in since[1:])",
        "an open call forgets a low weight that was raised since",
        (EPOCHS,),
    ),
    Mutant(
        "an old weight of an account stays",
        WEIGHTS,
        "            self.now -= Counter({account.weights[-1][1]: 1})\n",
        "            pass\n",
        "a weight that was raised again stays low for ever",
        (EPOCHS,),
    ),
    Mutant(
        "a restored market forgets who was weighed",
        "market/snapshot.py",
        "    _restore_weights(s)\n",
        "",
        "after a restart a clean account bids around a weight that was lowered",
        (DIRECTED,),
    ),
    Mutant(
        "a restored market has weights in the order of opening",
        "market/snapshot.py",
        "    for account in sorted(changed, key=lambda account: account.weights[-1][0]):\n",
        "    for account in changed:\n",
        "after a restart an open call counts by a weight of today",
        (DIRECTED,),
    ),
    Mutant(
        "a clearing weighs who orders",
        "market/rules/clearings.py",
        "        weight = state.weight_at(account, state.weight_epoch)\n",
        "        weight = account.weights[-1][1]\n",
        "the punished account orders nothing, and its root buys at full weight",
        (GUARDS,),
    ),
    Mutant(
        "asks have their own weight",
        "market/rules/buying.py",
        "            weight_permille=ctx.state.weight_at(contractor, cfp.weight_epoch),\n",
        "            weight_permille=contractor.weight_at(cfp.weight_epoch),\n",
        "a clean contractor asks around a weight that was lowered",
        (DIRECTED,),
    ),
    Mutant(
        "the checker draws by account",
        "analytics/checker/roots.py",
        "book.accounts[a].root if told_apart else None",
        "book.accounts[a].name if told_apart else None",
        "a ledger is found wrong that is right",
        CHECKER,
    ),
    Mutant(
        "the checker counts no turns",
        "analytics/checker/prices.py",
        "        before[score, lots[0]] += 1\n",
        "",
        "a ledger is found wrong that is right",
        CHECKER,
    ),
    Mutant(
        "the checker weighs each account alone",
        "analytics/checker/roots.py",
        "    others = book.weighed.get(account.root, {}).values()\n",
        "    others = [account]\n",
        "a ledger is found wrong that is right",
        CHECKER,
    ),
    Mutant(
        "the checker forgets who was weighed",
        "analytics/checker/books.py",
        "        self.accounts[ident] = account\n        roots.note(self, account)\n",
        "        self.accounts[ident] = account\n",
        "a ledger is found wrong from a checkpoint on",
        CHECKER,
    ),
    Mutant(
        "the checker weighs tokens by account",
        "analytics/checker/tokens.py",
        "        weight = weight_of(book, order.account, book.epoch) * (1000 - share)\n",
        "        weight = account.weights[-1][1] * (1000 - share)\n",
        "a clearing is found wrong that is right",
        CHECKER,
    ),
)
