"""The checker of these tests, which the fault campaign shares."""

from faults.checker import Verdict, check

__all__ = ["Verdict", "check"]
