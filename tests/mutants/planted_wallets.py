"""Bugs planted by hand in wallets, their transport, and what agents take for worth: see planted.py."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

CLIENT, STRATEGIES = "contractnet/client", "contractnet/strategies"
WALLET, HOLDINGS, HTTP = f"{CLIENT}/wallet.py", f"{CLIENT}/holdings.py", f"{CLIENT}/http.py"
USAGE, BIDDER = f"{CLIENT}/usage.py", f"{CLIENT}/bidding.py"
HELD, ORDERS = ("tests/client/test_wallet.py",), ("tests/client/test_wallet_orders.py",)
SENT, CLAIMS, BIDS = (
    ("tests/client/test_http.py",),
    ("tests/client/test_bidding.py::test_a_claim_and_a_worth_are_what_estimates_have_delivered",),
    ("tests/client/test_bidding.py::test_a_strategy_is_told_once_of_each_call",),
)

WALLET_MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "what was set aside is the forecast",
        WALLET,
        "        self._handed_out += spent - spending.tokens\n",
        "",
        "a wallet orders its callers' estimates, whatever they use",
        ORDERS,
    ),
    Mutant(
        "what waited is no demand",
        WALLET,
        "            self._handed_out += waiter.tokens\n            waiter.parts.set_result(parts)\n",
        "            waiter.parts.set_result(parts)\n",
        "where each call waits, nothing is ordered ahead",
        ORDERS,
    ),
    Mutant(
        "who asks is demand",
        WALLET,
        "        waiter = _Waiter(tokens, task, monotonic(), asyncio.get_running_loop().create_future())\n",
        "        waiter = _Waiter(tokens, task, monotonic(), asyncio.get_running_loop().create_future())\n"
        "        self._handed_out += tokens\n",
        "callers that gave up are bought for, each retry anew",
        ORDERS,
    ),
    Mutant(
        "served and cancelled in one instant loses the tokens",
        WALLET,
        "            self.holdings.give_back(waiter.parts.result(), self._supply.now_ms())\n",
        "",
        "paid tokens that nobody can spend",
        HELD,
    ),
    Mutant(
        "what can never be held is waited for",
        WALLET,
        "system=self.terms.system)) is not None and tokens > bound.tokens:\n",
        "system=self.terms.system)) is not None and tokens > 2 * bound.tokens:\n",
        "it holds up whoever waits behind it, for its whole timeout",
        ORDERS,
    ),
    Mutant(
        "tokens are spent in the order in which they came",
        HOLDINGS,
        "        self._held.sort(key=lambda one: one.grant.expires_at_ms)\n",
        "",
        "what expires first is left to expire, and what is over behind it counts as held",
        ("tests/client/test_holdings.py",),
    ),
    Mutant(
        "a debt is paid with what stays",
        HOLDINGS,
        "            held.left -= paid\n",
        "",
        "more is spent and reported than was granted",
        HELD,
    ),
    Mutant(
        "all come back when the provider says",
        HTTP,
        "else asked_s + self._dice.uniform(0, self._backoff_s)\n",
        "else asked_s\n",
        "who was told the same time is refused together again",
        SENT,
    ),
    Mutant(
        "a file that is over is sent again",
        HTTP,
        "(callable(seekable) and bool(seekable()))\n",
        "callable(seekable)\n",
        "the second request lacks what was read by the first",
        SENT,
    ),
    Mutant(
        "a stream that was closed early used what it said",
        HTTP,
        "                said = None if said is None else max(said, unsaid)\n",
        "                pass\n",
        "the provider counts on, the tokens are spent again",
        SENT,
    ),
    Mutant(
        "a report without an answer is forgotten",
        USAGE,
        "        if sealed is not None:\n            self._unanswered.append(sealed)\n",
        "",
        "usage that nobody is charged with in attribution",
        ("tests/client/test_holdings.py",),
    ),
    Mutant(
        "throttling waits for the next batch",
        USAGE,
        '        """Report soon: the market lowers a pool\'s rate by what it hears."""\n        self._hurry.set()\n',
        '        """Report soon: the market lowers a pool\'s rate by what it hears."""\n',
        "the rate is lowered seconds too late",
        HELD,
    ),
    Mutant(
        "a worth is of the estimate",
        BIDDER,
        "        worth_ucr = math.floor(worth_ucr * min(Fraction(expected) / estimate, Fraction(WORTH_TIMES_MAX)))\n",
        "        pass\n",
        "who overestimates its work overpays for it",
        CLAIMS,
    ),
    Mutant(
        "what was refused is never told",
        BIDDER,
        "                self._strategy.observe(Outcome(cfp.pricing, price_ucr, 0, None))\n",
        "",
        "what a strategy has set aside for a bid stays so for good",
        BIDS,
    ),
    Mutant(
        "own offers lower one's reserve",
        f"{STRATEGIES}/reserve.py",
        "        return max(self._least_ucr, math.ceil(max(thresholds)))\n",
        "        return max(self._least_ucr, math.ceil(min(thresholds)))\n",
        "a root that offers little is asked for little",
        ("tests/strategies/test_reserve.py",),
    ),
    Mutant(
        "a worth does not wait",
        f"{STRATEGIES}/utility.py",
        "    return math.floor(gain_ucr * weight * urgency)\n",
        "    return math.floor(gain_ucr * weight)\n",
        "an agent with time pays as if it had none",
        ("tests/strategies/test_utility.py",),
    ),
    Mutant(
        "the first interval counts as any",
        f"{STRATEGIES}/demand.py",
        "        weight = self._weight if self._seen else 1.0\n",
        "        weight = self._weight\n",
        "a wallet takes many intervals to order what its callers use",
        ("tests/strategies/test_demand.py",),
    ),
    Mutant(
        "nothing is ordered for use that varies",
        f"{STRATEGIES}/demand.py",
        "        ahead = math.ceil(self._mean * (1 + until_clearing) + margin * self.deviation)\n",
        "        ahead = math.ceil(self._mean * (1 + until_clearing))\n",
        "callers wait in every second interval",
        ("tests/strategies/test_demand.py",),
    ),
    Mutant(
        "an own win is a price that was seen",
        f"{STRATEGIES}/shading.py",
        "            exact += not seen[place][1]\n",
        "            exact += 1\n",
        "an agent outbids its own past",
        ("tests/strategies/test_bidding.py",),
    ),
)
