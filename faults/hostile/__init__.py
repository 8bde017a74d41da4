"""Adversaries of a market: what they send, what honest members do meanwhile, and who is right by the log alone.

The same kinds run in memory (`python -m tests.hostile.campaign`) and on a real broker (section `hostile`).
"""
