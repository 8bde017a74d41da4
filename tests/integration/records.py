"""The commands topic as it is stored; the fault campaign shares it."""

from faults.records import Stored, stored

__all__ = ["Stored", "stored"]
