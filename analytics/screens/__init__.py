"""Screens for bid rigging: what a tender's bids look like, and a classifier that learns from labelled tenders.

`statistics` has the screens (pure), `bids` reads files, `columns` says which columns may be learned from, `features`
makes the table, `training` measures, `report` writes. docs/screens.md says what none of it proves.
"""
