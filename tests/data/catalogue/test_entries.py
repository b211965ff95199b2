"""Every entry of the catalogue is valid, states its sources, and reads a replica of its set through the real reader."""

from __future__ import annotations

from pathlib import Path

import pytest

from medtransfer.data.catalogue import find_entry, references
from medtransfer.data.catalogue.entry import Entry
from medtransfer.data.catalogue.fit import check_fit
from medtransfer.data.prepare import read_set
from medtransfer.data.targets import TARGETS
from medtransfer.data.targets.target import counts_of
from medtransfer.study import Data
from medtransfer.tasks import TASKS

from ..sets import data_of
from .replicas import REPLICAS

ENTRIES = {reference: find_entry(reference) for reference in references()}
READABLE = {reference: entry for reference, entry in ENTRIES.items() if entry.reading is not None}


def data_for(entry: Entry) -> Data:
    """Return the section `data` that an entry makes, for files in a folder."""
    given = {"layout": "auto", "group": None, "split": {"method": "random"}} | entry.settings()
    return data_of(**given | {"source": "folder"})


def test_there_are_at_least_forty_sets() -> None:
    assert len(READABLE) >= 40


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_an_entry_is_named_after_its_file_and_short(entry: Entry) -> None:
    assert ENTRIES[entry.reference] is entry
    assert len(entry.shows) <= 60
    for text in (entry.title, entry.shows, *(flaw.says for flaw in entry.flaws)):
        assert text == " ".join(text.split())


def test_every_set_that_can_be_read_has_a_replica() -> None:
    assert REPLICAS.keys() == READABLE.keys()


@pytest.mark.parametrize("reference", READABLE)
def test_an_entry_reads_its_replica(tmp_path: Path, reference: str) -> None:
    entry, replica = READABLE[reference], REPLICAS[reference]
    data, raw = data_for(entry), replica.write(tmp_path)
    reading = read_set(raw, data, TARGETS[TASKS[entry.task].target])
    table = reading.rows
    assert counts_of(table).to_dict() == replica.labels
    assert table["split"].dropna().value_counts().to_dict() == replica.splits
    assert (data.split.method == "published") == ("test" in replica.splits)
    groups = len(table) if replica.groups is None else replica.groups
    assert table["key"].nunique() == groups
    assert sum(path in reading.masks for path in table["path"]) == replica.masked
    assert check_fit(entry, table, data) == len(table) <= sum(replica.labels.values())
    if len(replica.labels) > 1 and len(entry.classes) > 1:
        assert set(entry.classes) == set(replica.labels)
