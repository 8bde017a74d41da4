"""The judge's statistics, in whole numbers: evidence that claims, or bids, are not what the market's rules assume.

Each test is an e-process: wealth that starts at 1, is bet on what comes next, and on average does not grow while the
agent is honest. docs/judge.md states the null hypothesis, the filtration, and what each test cannot see.
"""
