"""The rules of a market, pure: no clock, no randomness, no I/O, no floats.

`Shard.apply` answers one record of the commands topic with ledger entries; `Shard.fold` takes an entry of the ledger.
Both change state only through `evolve`, so live processing, recovery and audits are the same fold.
"""

from market.notices import notices_of, told
from market.shard import Shard

__all__ = ["Shard", "notices_of", "told"]
