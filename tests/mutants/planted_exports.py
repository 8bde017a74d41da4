"""Bugs planted by hand in exports and replays. See planted.py."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

FILES, MANIFEST = "contractnet/exports/container.py", "contractnet/exports/manifest.py"
SOURCE, CUT = "analytics/verify/export.py", "analytics/export_kafka.py"
REPLAY, PUBLISH = "projections/replay.py", "projections/publish.py"
OF_FILES, OF_MARKETS = "tests/contractnet/test_exports.py", "tests/analytics/test_export.py"
OF_REPLAYS = "tests/projections/test_replay.py"
WHAT_IF, OF_WHAT_IF = "analytics/whatif.py", "tests/analytics/test_whatif.py"

EXPORT_MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "null headers are no headers",
        FILES,
        "        None if headers is None else [",
        "        [] if headers is None else [",
        "a record whose headers nobody can read looks like one without",
        (f"{OF_FILES}::test_every_record_comes_back",),
    ),
    Mutant(
        "a file may end early",
        FILES,
        "    if (last, count) != (entry.last, entry.records):\n",
        "    if count > entry.records:\n",
        "records at the end of a file are left out, and its manifest is believed",
        (f"{OF_FILES}::test_a_broken_file_with_a_manifest_that_agrees",),
    ),
    Mutant(
        "no hashes",
        MANIFEST,
        "        if _sha256(directory / name) != file.sha256:\n",
        "        if len(_sha256(directory / name)) != len(file.sha256):\n",
        "a file that was changed is read",
        (f"{OF_FILES}::test_a_changed_file_is_named",),
    ),
    Mutant(
        "files that nobody named",
        MANIFEST,
        "    for name in sorted(there.keys() - files.keys() - {FILE_NAME}):\n",
        "    for name in sorted(there.keys() - files.keys() - there.keys()):\n",
        "something is put into the directory, and others take it for a part of the export",
        (f"{OF_FILES}::test_files_that_are_missing_added_cut_or_elsewhere",),
    ),
    Mutant(
        "any signature is good for a manifest",
        MANIFEST,
        "    if not verify(public, signed, _signed(content)):\n",
        "    if not verify(public, signed, _signed(content)) and not public:\n",
        "a manifest that was changed after the operator signed it counts as the operator's",
        (f"{OF_FILES}::test_a_manifest_that_was_changed_after_it_was_signed",),
    ),
    Mutant(
        "names that lead elsewhere",
        MANIFEST,
        "        if file.name != file_name(topic, part.partition, file.first):\n",
        "        if not file.name.endswith(file_name(topic, part.partition, file.first)[-5:]):\n",
        "a manifest makes its reader open any file of the machine",
        (f"{OF_FILES}::test_a_manifest_that_makes_no_sense",),
    ),
    Mutant(
        "anybody signs an export",
        SOURCE,
        "    if signer is not None and signer not in trusted:\n",
        "    if signer is not None and not trusted:\n",
        "a stranger's signature looks like one that counts",
        (f"{OF_MARKETS}::test_whose_signature_counts",),
    ),
    Mutant(
        "markets are not looked up",
        SOURCE,
        "        for market in sorted(there ^ named, key=lambda found: found.name):\n",
        "        for market in sorted(there & set(), key=lambda found: found.name):\n",
        "a manifest names a genesis that is not that of its ledger",
        (f"{OF_MARKETS}::test_markets_that_the_manifest_misnames",),
    ),
    Mutant(
        "notices of later entries stay",
        CUT,
        "    return next((offset for offset, at in notices if at >= first_after), end)\n",
        "    return next((offset for offset, at in notices if at > first_after), end)\n",
        "an export of a busy market has notices without their entries, and verify calls it unsound",
        (f"{OF_MARKETS}::test_where_notices_are_cut",),
    ),
    Mutant(
        "one millisecond on both sides",
        CUT,
        "    if before and max(before) >= first_after:\n",
        "    if before and max(before) > first_after:\n",
        "notices of entries before the end are cut off",
        (f"{OF_MARKETS}::test_where_notices_are_cut",),
    ),
    Mutant(
        "an export overwrites",
        "analytics/export.py",
        "        if os.path.lexists(directory):\n",
        "        if directory.is_file():\n",
        "what somebody keeps as evidence is replaced, or it is said too late that it is not",
        (f"{OF_MARKETS}::test_nothing_is_overwritten",),
    ),
    Mutant(
        "a draft that stays",
        "analytics/export.py",
        "        shutil.rmtree(draft, ignore_errors=True)\n",
        "        pass\n",
        "an interrupted export leaves open bids on the disk under a hidden name",
        (f"{OF_MARKETS}::test_an_export_that_is_interrupted",),
    ),
    Mutant(
        "the moment itself is later",
        REPLAY,
        "pc.greater(table",
        "pc.greater_equal(table",
        "what happened at the moment asked for is not in the tables",
        (f"{OF_REPLAYS}::test_until_a_time",),
    ),
    Mutant(
        "one record too many",
        REPLAY,
        "record.partition == self.until.partition and record.offset <= offset)",
        "record.partition == self.until.partition and record.offset <= offset + 1)",
        "a replay goes on after its moment",
        (f"{OF_REPLAYS}::test_until_an_offset",),
    ),
    Mutant(
        "segments are left out",
        PUBLISH,
        '            execute(f"CREATE TABLE {table} AS {_sealed(store, segments.get(table, []))}{unsealed}")\n',
        '            execute(f"CREATE TABLE {table} AS {unsealed}")\n',
        "a replay of a long ledger has the newest rows only",
        (f"{OF_REPLAYS}::test_all_of_it",),
    ),
    Mutant(
        "a zone is passed over",
        REPLAY,
        "found if found.tzinfo is not None else found.replace(tzinfo=UTC)",
        "found.replace(tzinfo=UTC)",
        "a replay stops hours before or after the moment",
        (f"{OF_REPLAYS}::test_how_a_time_is_written",),
    ),
    Mutant(
        "a what-if draws its own ties",
        WHAT_IF,
        "        self._now.head = self._then.head  # ties are drawn by it\n",
        "",
        "what no change has brought about is told as its consequence",
        (f"{OF_WHAT_IF}::test_the_same_terms_change_nothing",),
    ),
    Mutant(
        "a what-if changes calls that managers award",
        WHAT_IF,
        "        if isinstance(command, c.CallForProposals) and command.award is Awarder.AUTO:\n",
        "        if isinstance(command, c.CallForProposals):\n",
        "calls that the rules allow first prices alone are refused, and all their awards are missing",
        (f"{OF_WHAT_IF}::test_calls_that_managers_award_keep_their_prices",),
    ),
    Mutant(
        "a what-if shows the end of one side",
        WHAT_IF,
        "                balances = (then.balance_ucr if then else 0, now.balance_ucr if now else 0)\n",
        "                balances = (then.balance_ucr if then else 0, then.balance_ucr if then else 0)\n",
        "nobody ever seems to gain or lose",
        (f"{OF_WHAT_IF}::test_what_differs_follows_from_the_change",),
    ),
)
