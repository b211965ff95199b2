"""Several findings for each image: any number of names, or none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from medtransfer.data.labels import as_yaml, in_one_split, label_problems, plain
from medtransfer.data.layouts import Reading
from medtransfer.data.layouts.image_tables import MARKS, label_columns
from medtransfer.data.layouts.label_csv import EMPTIED
from medtransfer.data.layouts.label_tables import LabelTables, label_tables
from medtransfer.data.targets import TARGETS, Encoded, Target
from medtransfer.data.targets.finding_cells import ABSENT, PRESENT, Cells, as_cell, joined_cells, read_cells
from medtransfer.study import Data, Labels, Layout
from medtransfer.util.errors import many, near
from medtransfer.util.text import counted, listed

NONE_WORDS = frozenset(("no finding", "no findings", "none", "normal", "healthy"))
"""Words that mean that there is no finding, as `labels.plain` writes it, unless `data.labels.none` names the words."""
NOTHING = "no finding"
"""How an image without a finding is displayed."""
SEPARATOR, UNKNOWN = "|", "?"
STATES = {"1": "present", "0": "absent", "-1": "uncertain", "": "empty", "true": "present", "false": "absent"}
MOST_COLUMNS = 6


class Findings(Target):
    """See `Target`.

    The label of an image is its findings in alphabetical order, `A|B`; those that are not known follow as `?C`.
    """

    noun = "findings"
    listed_as = "findings"
    settings = frozenset(("separator", "none", "uncertain", "empty"))

    def readings(self, base: Path, files: Sequence[PurePosixPath]) -> list[Reading]:
        """Return a reading for each column of each table that may hold findings, and for its columns of marks."""
        return [Reading(layout, "possible") for table in label_tables(base, files) for layout in _layouts_of(table)]

    def joined(self, labels: Sequence[str]) -> str:
        """Return a label of all findings of an image's rows."""
        return joined_cells(labels)

    def marked(self, marks: pd.DataFrame) -> tuple[pd.Series, list[str]]:
        """Return the findings of rows of marks: 1 or 0, -1 if uncertain, empty if not known."""
        cells = marks.apply(lambda column: column.str.strip().str.lower().str.removesuffix(".0"))
        states = cells.apply(lambda column: column.map(STATES))
        problems = [
            f"column {name!r} contains {listed(sorted(set(marks[name][states[name].isna()]))[:3])}, but a column of a "
            "finding contains only 1, 0, -1 (uncertain) or nothing"
            for name in marks
            if states[name].isna().any()
        ]
        idle = [name for name in marks if not (states[name] == "present").any()]
        problems += many(idle, "is the column of a finding that no image has")
        found = [as_cell(dict(zip(marks.columns, row, strict=True))) for row in states.to_numpy()]
        return pd.Series(found, index=marks.index), problems

    def renamed(self, table: pd.DataFrame, labels: Labels) -> tuple[pd.DataFrame, list[str], list[str]]:
        """Split the cells into findings, rename and drop these, and settle what is uncertain or empty."""
        cells, problems = read_cells(table["label"], labels.separator, lambda **changes: as_yaml(labels, **changes))
        if problems:
            return table, [], problems
        lines = _unknown_names(cells, labels) + _unsettled(cells, labels) + _contradictions(table, cells, labels)
        if lines:
            return table, [], lines
        states = [_settled(cell, labels) for cell in cells]
        every = {name for of in states for name in of}
        out = np.array(["" in labels.drop and _is_empty(cell) for cell in cells])
        out |= [bool(every) and len(of) == len(every) and PRESENT not in of.values() for of in states]
        texts = pd.Series([_as_text(of) for of in states], index=table.index)
        kept = table.assign(label=texts)[~out].reset_index(drop=True)
        emptied = np.array([_loses_all(cell, labels) for cell in cells])
        kept.attrs[EMPTIED] = list(table["path"][emptied & ~out])
        return kept, list(table["path"][out]), []

    def names(self, labels: pd.Series) -> pd.Series:
        """Return the findings of each image, or the one name of images without any."""
        return labels.map(lambda label: _parsed(label)[0] or (NOTHING,))

    def problems(self, table: pd.DataFrame, labels: Labels) -> list[str]:
        """Return findings that may be one under two names; and refuse fewer than two, and exclusive classes."""
        rows = _by_finding(table)
        found = label_problems(rows, labels)
        names, each = set(rows["label"]), rows.groupby("path").size()
        if not found and len(names) < 2:
            found = [f"expected two or more findings, but got {f'only {min(names)!r}' if names else 'none'}"]
        elif not found and len(each) == len(table) and (each == 1).all():
            found = [
                "each image has just one finding, so these are exclusive classes: study.task: classification; if cells "
                f"hold several: {as_yaml(labels, separator=',')}, or as they are separated"
            ]
        return found

    def encode(self, labels: pd.Series, data: Data) -> Encoded:
        """Return 1 for each finding of an image, 0 for the others, nan for those that are not known."""
        present, unknown = zip(*map(_parsed, labels), strict=True)
        names = sorted({name for of in (*present, *unknown) for name in of})
        values = np.zeros((len(labels), len(names)), np.float32)
        number = {name: place for place, name in enumerate(names)}
        for row, (own, open_) in enumerate(zip(present, unknown, strict=True)):
            values[row, [number[name] for name in own]] = 1
            values[row, [number[name] for name in open_]] = np.nan
        strata = pd.Series([(*of, "") for of in present], index=labels.index)  # "": each image counts, too
        return Encoded(labels, strata, self.names(labels), names=names, values=values)

    def published_problems(self, table: pd.DataFrame, labels: Labels) -> list[str]:
        """Return findings that are in one published split only."""
        return in_one_split(_by_finding(table, unknown=False), labels)

    def split_problems(self, table: pd.DataFrame, whole: pd.DataFrame) -> list[str]:
        """Return findings that no training image or no test image has, or that all test images have."""
        parsed = [_parsed(label) for label in table["label"]]
        names = sorted({name for label in whole["label"] for part in _parsed(label) for name in part})
        found = []
        for what, splits in (("training", ("train", "rotating")), ("test", ("test", "rotating"))):
            chosen = [own for own, split in zip(parsed, table["split"], strict=True) if split in splits]
            lacking = [name for name in names if not any(name in own for own, _ in chosen)]
            always = [name for name in names if chosen and all(name in own + open_ for own, open_ in chosen)]
            for which, those in ((f"no {what} image has", lacking), (f"all {what} images have", always)):
                if those:
                    found.append(
                        f"data.split: {which} {listed(those)}; to leave {'it' if len(those) == 1 else 'them'} out: "
                        f"data.labels: {{drop: [{', '.join(those)}]}}"
                    )
        return found


def _layouts_of(table: LabelTables) -> list[Layout]:
    others = table.others
    marks = [name for name in others if {"1", "1.0"} & set(others[name]) and set(others[name].str.strip()) <= MARKS]
    found = table.layouts("one_hot_csv", classes=marks) if len(marks) > 1 else []
    columns, named = label_columns(others.drop(columns=marks))
    if named or not found:
        found += [layout for name in columns[:MOST_COLUMNS] for layout in table.layouts("label_csv", label=name)]
    return found


def displayed(names: Sequence[str], values: np.ndarray) -> str:
    """Return the label of an image by its values [names]: 1 if it has a finding, nan if that is not known."""
    states = {name: PRESENT if value == 1 else "" for name, value in zip(names, values, strict=True) if value != 0}
    return _as_text(states)


def _parsed(label: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the findings of a label, and those that are not known."""
    names = [] if label == NOTHING else label.split(SEPARATOR)
    unknown = tuple(name.removeprefix(UNKNOWN) for name in names if name.startswith(UNKNOWN))
    return tuple(name for name in names if not name.startswith(UNKNOWN)), unknown


def _as_text(states: dict[str, str]) -> str:
    own = sorted(name for name, state in states.items() if state == PRESENT)
    return SEPARATOR.join([*own, *(f"{UNKNOWN}{name}" for name in sorted(states.keys() - own))]) or NOTHING


def _by_finding(table: pd.DataFrame, unknown: bool = True) -> pd.DataFrame:
    """Return one row for each finding of each image, the finding as its label."""
    parsed = [_parsed(label) for label in table["label"]]
    names = [own + (open_ if unknown else ()) for own, open_ in parsed]
    return table[["path", "split"]].assign(label=names).explode("label").dropna(subset="label")


def _is_none(name: str, labels: Labels) -> bool:
    return name in labels.none if labels.none is not None else plain(name) in NONE_WORDS


def _is_empty(cell: dict[str, str]) -> bool:
    return list(cell) == [""]


def _named(cell: dict[str, str], labels: Labels) -> dict[str, str]:
    """Return the states of findings by their new names; a state that says more comes first."""
    found: dict[str, str] = {}
    for name, state in cell.items():
        new = labels.aliases.get(name, name)
        found[new] = max(found.get(new, ABSENT), state, key=(ABSENT, "empty", "uncertain", PRESENT).index)
    return found


def _settled(cell: dict[str, str], labels: Labels) -> dict[str, str]:
    """Return the findings that an image has, `present`, and those that are not known, `uncertain` or `empty`."""
    named = {name: state for name, state in _named(cell, labels).items() if name not in labels.drop}
    if any(_is_none(name, labels) and state == PRESENT for name, state in named.items()):
        return {}
    uncertain = {"positive": PRESENT, "negative": ABSENT}.get(str(labels.uncertain), "uncertain")
    meaning = {"uncertain": uncertain, "empty": ABSENT if labels.empty == "negative" else "empty"}
    settled = {name: meaning.get(state, state) for name, state in named.items() if not _is_none(name, labels)}
    return {name: state for name, state in settled.items() if state != ABSENT}


def _loses_all(cell: dict[str, str], labels: Labels) -> bool:
    """Return whether an image has findings, all of which `data.labels.drop` leaves out."""
    present = [name for name, state in _named(cell, labels).items() if state == PRESENT and not _is_none(name, labels)]
    return bool(present) and all(name in labels.drop for name in present)


def _unknown_names(cells: Cells, labels: Labels) -> list[str]:
    """Return the names in `data.labels` that are no finding, and findings whose names cannot be written."""
    known = {name for cell in cells for name in cell}
    after = {labels.aliases.get(name, name) for name in known}
    given: list[tuple[str, Iterable[str], set[str]]] = [
        ("aliases", labels.aliases, known),
        ("drop", labels.drop, after),
        ("none", labels.none or (), after),
    ]
    found = [
        f"data.labels.{field}: no finding {name!r}{near(name, filter(None, among))}"
        for field, names, among in given
        for name in names
        if name not in among
    ]
    odd = sorted(name for name in after if SEPARATOR in name or name.startswith(UNKNOWN))
    return found + many(odd, f"contains {SEPARATOR} or begins with {UNKNOWN}; rename it by data.labels.aliases")


def _unsettled(cells: Cells, labels: Labels) -> list[str]:
    """Ask what -1, empty marks and empty cells mean, if `data.labels` does not say so."""
    found = []
    for state, mark in (("uncertain", "-1"), ("empty", "nothing")):
        number = sum(state in cell.values() for cell in cells)
        if number and getattr(labels, state) is None:
            ways = ("ignore", "positive", "negative") if state == "uncertain" else ("ignore", "negative")
            changes: list[dict[str, Any]] = [{state: way} for way in ways]
            offers = " or ".join(as_yaml(labels, **change) for change in changes)
            rows = f"{counted(number, 'image')} {'has' if number == 1 else 'have'} {mark} for some finding"
            found.append(f"{rows}; say what it means: {offers}")
    number = sum(_is_empty(cell) for cell in cells)
    if number and "" not in (labels.none or ()) and "" not in labels.drop:
        words = [*(labels.none or sorted({name for cell in cells for name in cell if _is_none(name, labels)})), ""]
        found.append(
            f"{counted(number, 'image')} {'has' if number == 1 else 'have'} an empty label; if it means no finding: "
            f"{as_yaml(labels, none=words)}; to leave the images out: {as_yaml(labels, drop=[''])}"
        )
    return found


def _contradictions(table: pd.DataFrame, cells: Cells, labels: Labels) -> list[str]:
    """Return images with a finding and with the word for none."""
    wrong: dict[str, list[str]] = {}
    for path, cell in zip(table["path"], cells, strict=True):
        named = _named(cell, labels)
        present = [name for name, state in named.items() if state == PRESENT and name not in labels.drop]
        none = [name for name in present if _is_none(name, labels)]
        if none and len(none) < len(present):
            wrong.setdefault(none[0], []).append(str(path))
    return [
        line
        for word, paths in wrong.items()
        for line in many(paths, f"has {word!r} and a finding; to ignore this word: {as_yaml(labels, drop=[word])}")
    ]


TARGETS.register("findings", Findings())
