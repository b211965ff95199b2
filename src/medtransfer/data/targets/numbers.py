"""A number for each image, such as a length or an age."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from medtransfer.data.labels import as_yaml
from medtransfer.data.layouts import Reading
from medtransfer.data.layouts.files import words
from medtransfer.data.layouts.image_tables import IDENTITY_WORDS, UNNAMED
from medtransfer.data.layouts.label_tables import label_tables
from medtransfer.data.targets import TARGETS, Encoded, Target
from medtransfer.data.targets.number_cells import SIGNS, as_numbers, rough_numbers, units_of, with_points
from medtransfer.study import Data, Labels
from medtransfer.util.errors import UserError
from medtransfer.util.text import counted, yaml_word

BINS = 5
"""The number of quantile bins by which splits are stratified."""
MOST_SHOWN = 6
MOSTLY = 0.9
"""The least share of numbers in a column that is offered; reading it reports the other cells."""


class Numbers(Target):
    """See `Target`; labels are displayed as the range of their quantile bin."""

    noun = "numbers"
    listed_as = "ranges"
    properties = frozenset(("unit",))
    settings = frozenset(("decimal",))

    def readings(self, base: Path, files: Sequence[PurePosixPath]) -> list[Reading]:
        """Return a reading for each numeric column of each table that names images: which one is meant is asked."""
        return [
            Reading(layout, "possible")
            for table in label_tables(base, files)
            for name in table.others
            if _is_measure(name, table.others[name])
            for layout in table.layouts("label_csv", label=name)
        ]

    def renamed(self, table: pd.DataFrame, labels: Labels) -> tuple[pd.DataFrame, list[str], list[str]]:
        """Apply `data.labels`, and write numbers with points before decimals, where the cells show where these are."""
        renamed, dropped, problems = super().renamed(table, labels)
        texts, unclear = with_points(renamed["label"], labels.decimal)
        if unclear is not None:
            ways = " or ".join(as_yaml(labels, decimal=each) for each in SIGNS)
            sign = "comma" if "," in unclear else "point"
            problems.append(
                f"{unclear!r} may have decimals after its {sign}, or thousands before it; say which: {ways}"
            )
        return renamed.assign(label=texts), dropped, problems

    def described(self, labels: pd.Series) -> str:
        """Return the smallest and the largest number."""
        values = as_numbers(labels)
        return f"numbers from {values.min():g} to {values.max():g}"

    def answers(self, labels: pd.Series) -> pd.Series:
        """Return the numbers: 74 and 74.0 do not contradict each other."""
        return as_numbers(labels)

    def problems(self, table: pd.DataFrame, labels: Labels) -> list[str]:
        """Return labels that are missing or no finite numbers; and refuse numbers that are all the same."""
        values, units = as_numbers(table["label"]), units_of(table["label"])
        if len(units) > 1:
            return [f"numbers in several units ({', '.join(unit or 'none' for unit in units)}); write them in one"]
        wrong = table[~np.isfinite(values)]
        found = [*_with_commas(wrong), *_not_numbers(wrong, labels)]
        if not found and values.nunique() < 2:
            found = [f"expected numbers that differ, but all {len(values)} are {values.iloc[0]:g}"]
        return found

    def encode(self, labels: pd.Series, data: Data) -> Encoded:
        """Return the numbers, named as their column."""
        values = as_numbers(labels).to_numpy()
        if data.order is not None or data.labels.positive is not None:
            raise UserError("data: order and labels.positive belong to classes, not to numbers; omit them")
        unit = "".join(units_of(labels)[:1])
        if unit and unit.casefold() != (data.unit or "").casefold():
            raise UserError(
                f"data.unit: the numbers have the unit {unit}, as in {labels.iloc[0]!r}; set data.unit: {unit}"
            )
        ranges = pd.Series(bin_ranges(values, data.unit or ""), index=labels.index)
        strata = ranges.map(lambda name: (name,))
        return Encoded(ranges, strata, names=[data.layout.label or "value"], values=values.astype(np.float32)[:, None])


def bin_ranges(values: np.ndarray, unit: str) -> list[str]:
    """Return the range of each value's quantile bin as text, such as `44 to 103 mm`.

    Equal values share a bin, so that there are fewer than `BINS` if some values are frequent.
    """
    edges = np.unique(np.quantile(values, np.arange(1, BINS) / BINS, method="inverted_cdf"))
    number = np.unique(np.searchsorted(edges, values, side="left"), return_inverse=True)[1]
    ends = [(values[number == each].min(), values[number == each].max()) for each in range(number.max() + 1)]
    names: list[str] = []
    for digits in range(3, 18):  # as few as tell the bins apart
        names = [f"{low:.{digits}g} to {high:.{digits}g} {unit}".strip() for low, high in ends]
        if len(set(names)) == len(names):
            break
    return [names[each] for each in number]


def _is_measure(name: str, column: pd.Series) -> bool:
    """Return whether a column holds several numbers and little else, and is not named as an identity."""
    values = rough_numbers(column)
    identity = name.startswith(UNNAMED) or bool(IDENTITY_WORDS.intersection(words(name)))
    return not identity and bool(np.isfinite(values).mean() >= MOSTLY) and values.nunique() > 1


def _with_commas(wrong: pd.DataFrame) -> list[str]:
    numbers = as_numbers(wrong["label"].str.replace(",", ".", regex=False))
    commas = wrong[np.isfinite(numbers)]
    if commas.empty:
        return []
    return [
        f"{counted(len(commas), 'label')} with a comma, such as {commas['label'].iloc[0]!r} of "
        f"{commas['path'].iloc[0]}; write decimals with a point, and no separators of thousands"
    ]


def _not_numbers(wrong: pd.DataFrame, labels: Labels) -> list[str]:
    """Return the labels that are no number, whatever a comma means, with the `data.labels` that leaves them out."""
    numbers = as_numbers(wrong["label"].str.replace(",", ".", regex=False))
    others = wrong[~np.isfinite(numbers)]
    if others.empty:
        return []
    names = list(others["label"].value_counts().index)
    shown = ", ".join("no label" if name == "" else yaml_word(name) for name in names[:MOST_SHOWN])
    more = ", …" if len(names) > MOST_SHOWN else ""
    return [
        f"{counted(len(others), 'image')} without a number ({shown}{more}), such as {others['path'].iloc[0]}; "
        f"to leave them out: {as_yaml(labels, drop=names)}"
    ]


TARGETS.register("numbers", Numbers())
