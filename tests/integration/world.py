"""The world of these tests, which the fault campaign shares."""

from faults.world import CREDITS, PARTITIONS, Market, World, new_world

__all__ = ["CREDITS", "PARTITIONS", "Market", "World", "new_world"]
