"""The names of labels: aliases, labels left out, and names that look like one class under two names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

import pandas as pd

from medtransfer.data.layouts.files import words
from medtransfer.study import Labels
from medtransfer.util.errors import near
from medtransfer.util.text import FORMULA, UNSHOWN, counted, listed, yaml_word

MOST_SHOWN, LEAST_CLASSES = 6, 2
BETWEEN_LETTERS = re.compile(r"(?<=[^\W\d_]) (?=[^\W\d_])")
"""A space that may be missing: `Mild Demented`, `MildDemented`."""
SIGNS = "=+-@\uff1d\uff0b\uff0d\uff20 "
FORMULA_NAME = "formula"
NEARLY_EQUAL = 0.88
"""The share of letters in common, by `difflib`, above which names are so alike that they may be one."""


def rename_labels(table: pd.DataFrame, labels: Labels) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Apply aliases to the column label, then leave the rows of dropped labels out.

    Returns the new table, the paths of the rows left out, and the problems: names that are not among the labels.
    """
    known = set(table["label"])
    renamed = table.assign(label=[labels.aliases.get(label, label) for label in table["label"]])
    after = set(renamed["label"])
    problems = [
        f"data.labels.aliases: no label {name!r}{near(name, filter(None, known))}"
        for name in labels.aliases
        if name not in known
    ]
    problems += [
        f"data.labels.drop: no label {name!r}{near(name, filter(None, after))}"
        for name in labels.drop
        if name not in after
    ]
    out = renamed["label"].isin(labels.drop)
    return renamed[~out].reset_index(drop=True), list(table["path"][out]), problems


def label_problems(table: pd.DataFrame, labels: Labels) -> list[str]:
    """Return the problems of the columns label and split, each with the `data.labels` that solves it.

    Labels may be missing, contain signs that break the pages which show them, differ only in how one name is written,
    or begin with another that is in other splits.
    """
    names = list(table["label"].sort_values().value_counts().index)
    confirmed = {name for name, target in labels.aliases.items() if name == target}
    found = [*_empty(table, labels), *_unshown(names, labels)]
    return [*found, *_spellings(names, confirmed, labels), *_similar_names(table, confirmed, labels)]


def _empty(table: pd.DataFrame, labels: Labels) -> Iterator[str]:
    without = table["path"][table["label"] == ""]
    if len(without):
        ways = f"to leave them out: {as_yaml(labels, drop=[''])}"
        if table["label"].nunique() < LEAST_CLASSES + 1:
            ways = "without them one class is left; name another column of labels in data.layout"
        yield (
            f"{counted(len(without), 'image')} {'has' if len(without) == 1 else 'have'} no label, such as "
            f"{without.iloc[0]}; {ways}"
        )


def _unshown(names: Sequence[str], labels: Labels) -> Iterator[str]:
    """Find names that other programs would obey: control characters, marks of direction, and formulas."""
    clean = {name: " ".join(UNSHOWN.sub(" ", name).split()) for name in names if UNSHOWN.search(name)}
    if clean:
        shown = ", ".join(map(yaml_word, list(clean)[:MOST_SHOWN]))
        yield f"names with control characters: {shown}; to rename them: {as_yaml(labels, clean)}"
    formulas = {name: name.lstrip(SIGNS) or FORMULA_NAME for name in names if name not in clean and FORMULA.match(name)}
    if formulas:
        shown = ", ".join(map(yaml_word, list(formulas)[:MOST_SHOWN]))
        yield f"names that a spreadsheet would run as formulas: {shown}; to rename them: {as_yaml(labels, formulas)}"


def _spellings(names: Sequence[str], confirmed: Collection[str], labels: Labels) -> Iterator[str]:
    """Find names, the most frequent first, of which several are one class but for how they are written."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(BETWEEN_LETTERS.sub("", plain(name)), []).append(name)
    same = [each for each in found.values() if len(each) > 1 and not set(each) <= set(confirmed)]
    if same:
        shown = "; ".join(" and ".join(map(yaml_word, each)) for each in same[:MOST_SHOWN])
        aliases = {name: each[0] for each in same for name in each[1:]}
        own = {name: name for each in same for name in each}
        yield (
            f"one class has several names: {shown}; to make each one class: {as_yaml(labels, aliases)}; "
            f"if they are different classes: {as_yaml(labels, own)}"
        )


def _similar_names(table: pd.DataFrame, confirmed: Collection[str], labels: Labels) -> Iterator[str]:
    """Find classes whose names begin with that of another, or nearly equal it, which is in other published splits."""
    splits, sizes = _splits_of(table), table["label"].value_counts()
    aliases: dict[str, str] = {}
    for name, of in splits.items():
        others = [other for other, theirs in splits.items() if of and theirs and of.isdisjoint(theirs)]
        larger = [other for other in others if (sizes[other], other) > (sizes[name], name)]
        found = [other for other in others if _begins(name, other) or (other in larger and _nearly_equal(name, other))]
        if found and name not in confirmed:
            aliases[name] = max(found, key=len)
    if aliases:
        name, other = next(iter(aliases.items()))
        yield (
            f"{yaml_word(name)}, in {listed(sorted(splits[name]))}, and {yaml_word(other)}, in "
            f"{listed(sorted(splits[other]))}, may be one class under two names; if so: {as_yaml(labels, aliases)}; "
            f"if not: {as_yaml(labels, dict(zip(aliases, aliases, strict=True)))}"
        )


def _splits_of(table: pd.DataFrame) -> dict[str, set[str]]:
    return {str(name): set(splits.dropna()) for name, splits in table.groupby("label")["split"]}


def in_one_split(table: pd.DataFrame, labels: Labels) -> list[str]:
    """Return a problem if classes are in one published split only, with the `data.labels` that solve it."""
    splits = _splits_of(table)
    confirmed = {name for name, target in labels.aliases.items() if name == target}
    alone = {name: next(iter(of)) for name, of in splits.items() if len(of) == 1 and name not in confirmed}
    if table["split"].nunique() < 2 or not alone:
        return []
    shown = ", ".join(f"{yaml_word(name)} in {split}" for name, split in list(alone.items())[:MOST_SHOWN])
    aliases: dict[str, str] = {}
    for name, split in alone.items():
        others = [other for other, of in alone.items() if of != split and other not in aliases]
        if close := get_close_matches(name, others, n=1):
            aliases[name] = close[0]
    ways = [f"if one class has two names: {as_yaml(labels, aliases)}"] if aliases else []
    ways += [f"to leave them out: {as_yaml(labels, drop=list(alone))}"]
    if kept := {name: name for name, split in alone.items() if split != "test"}:
        ways += [f"to keep {listed(list(map(yaml_word, kept)))} so: {as_yaml(labels, kept)}"]
    return [
        f"data.labels: {counted(len(alone), 'class', 'classes')} of {len(splits)} in one published split only ({shown}"
        f"{', …' if len(alone) > MOST_SHOWN else ''}); {'; '.join(ways)}; or draw the splits: "
        "data.split: {method: random}"
    ]


def _begins(long: str, short: str) -> bool:
    first, second = words(short), words(long)
    return 0 < len(first) < len(second) and second[: len(first)] == first


def _nearly_equal(name: str, other: str) -> bool:
    """Return whether two names differ in a letter or two, as `tumor` and `tumour` do, and not in a number."""
    first, second = plain(name), plain(other)
    same_numbers = re.findall(r"\d+", first) == re.findall(r"\d+", second)
    return same_numbers and bool(get_close_matches(first, [second], cutoff=NEARLY_EQUAL))


def plain(label: str) -> str:
    """Return a label without what distinguishes no classes: case, spaces, hyphens, form of Unicode or of numbers."""
    text = unicodedata.normalize("NFKC", label).casefold()
    text = re.sub(r"[\s_]+|(?<=\w)-(?=\w)", " ", text).strip()
    return str(Decimal(text).normalize() + 0) if re.fullmatch(r"[+-]?\d+(\.\d*)?", text) else text


def as_yaml(labels: Labels, aliases: dict[str, str] | None = None, drop: Sequence[str] = (), **changes: Any) -> str:
    """Write `data.labels` as in `params.yaml`, with further aliases, labels to leave out, and other changes."""
    both = labels.aliases | (aliases or {})
    dropped = [*labels.drop, *(name for name in drop if name not in labels.drop)]
    given = labels.model_dump(exclude_none=True) | {"aliases": both, "drop": dropped} | changes
    parts = [f"{name}: {_flow(value)}" for name, value in given.items() if value or name not in ("aliases", "drop")]
    return f"data.labels: {{{', '.join(parts)}}}"


def _flow(value: str | list[str] | dict[str, str]) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{yaml_word(name)}: {yaml_word(target)}" for name, target in value.items()) + "}"
    return f"[{', '.join(map(yaml_word, value))}]" if isinstance(value, list) else yaml_word(value)
