"""The fault campaign: real workers under load on a real broker, attacked, and judged by the log alone.

`make faults`, or `python -m faults`. Like `services` it may import all others, and nothing imports it.
"""
