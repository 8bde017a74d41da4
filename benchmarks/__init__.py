"""Benchmarks: `make bench`. They print ratios taken in one run, and are no tests: nothing fails on an absolute time."""
