"""`medtransfer predict --submission`: predictions in the form of a competition's sample submission."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
import pandas as pd

from medtransfer.data.layouts.files import IMAGE_SUFFIXES
from medtransfer.deployment.images import ImageBatches
from medtransfer.deployment.model import Model
from medtransfer.deployment.predictor import Predictor
from medtransfer.models.network import BATCH
from medtransfer.tasks import TASKS
from medtransfer.util.errors import UserError, near
from medtransfer.util.files import atomic_file
from medtransfer.util.text import counted, listed

Values = Literal["labels", "probabilities"]
WITHOUT_FINDING = frozenset(("0", "no", "negative", "normal", "benign", "healthy", "false", "control"))
"""Names of the class that a 0 of a competition with two classes means."""
MOST_SHOWN = 3


@dataclass(frozen=True)
class Form:
    """The contents of the columns of a sample submission.

    columns: the number of a class for each column of probabilities or of 0 and 1; or, for a single column of labels,
    nothing, and `labels`: the text for each class. hard: whether columns hold 0 and 1 instead of probabilities.
    """

    columns: list[int]
    labels: list[str]
    hard: bool
    summary: str

    def cells(self, probabilities: np.ndarray) -> list[str]:
        """Return the cells of one image, from its probabilities [classes]."""
        best = int(probabilities.argmax())
        if self.labels:
            return [self.labels[best]]
        return [str(int(number == best)) if self.hard else str(probabilities[number]) for number in self.columns]


def write_submission(
    model: Model, files: Sequence[Path], sample: Path, target: Path, labels: Sequence[str], values: Values | None
) -> str:
    """Predict the images that a sample submission names and write its columns and ids, in its order, to `target`.

    labels: `CLASS=TEXT` pairs, the label or column of the sample for each class. values: what to write; by default,
    labels where the sample has whole numbers or words, probabilities where it has fractions or a column per class.
    Returns a sentence on what was written. Raises `UserError`, and writes nothing, for ids without an image, columns or
    labels that match no class, choices that the sample leaves open, and unreadable images.
    """
    if TASKS[model.card["task"]].per_pixel:
        raise UserError(f"--submission: {model.name} predicts masks; only classes of images can be submitted")
    if target.absolute() == sample.absolute():
        raise UserError(f"--submission: {target} is the sample itself; choose another file with -o")
    table = _read(sample)
    key = _id_column(table, files, sample)
    chosen = _match(list(table[key]), files, f"{sample}: {key}")
    form = form_of(table.drop(columns=key), model.card["classes"], _pairs(labels, model.card["classes"]), values)
    if form.hard and not TASKS[model.card["task"]].one_class:
        raise UserError(
            f"--submission: {form.summary}, but {model.name} does not predict one class of each image; "
            "--values probabilities writes the probability of each column"
        )
    probabilities = _predict(model, list(dict.fromkeys(chosen)))
    with atomic_file(target) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table.columns)
        for identity, path in zip(table[key], chosen, strict=True):
            cells = iter(form.cells(probabilities[path]))
            writer.writerow([identity if name == key else next(cells) for name in table.columns])
    unused = len(files) - len(set(chosen))
    return f"{counted(len(table), 'id')}; {form.summary}" + (
        f"; {counted(unused, 'image')} not listed in the sample" * bool(unused)
    )


def form_of(sample: pd.DataFrame, classes: Sequence[str], given: dict[str, str], values: Values | None) -> Form:
    """Infer the contents of the columns of a sample without its ids, for a model's classes; see `write_submission`."""
    if len(sample.columns) > 1:
        return _class_columns(sample, classes, given, values)
    (name,) = sample.columns
    cells = set(sample[name])
    numbers = pd.to_numeric(pd.Series(sorted(cells)), errors="coerce")
    if values is None and (cells == {""} or not cells):
        raise UserError(
            f"--submission: column {name!r} is empty; choose what to write: --values labels or probabilities"
        )
    fractions = numbers.notna().all() and any(re.search(r"[.eE]", cell) for cell in cells)
    grades = len(classes) > 2 and _are_classes(cells, classes)  # 0.0 may be a grade, but of two classes a probability
    if values == "probabilities" or (values is None and fractions and not grades):
        number = _positive(name, classes, given)
        return Form([number], [], False, f"{name}: the probability of {classes[number]}")
    texts = _texts(name, cells, bool(numbers.notna().all()), classes, given)
    meaning = ", ".join(
        text if text == label else f"{text} = {label}" for text, label in zip(texts, classes, strict=True)
    )
    return Form([], texts, True, f"{name}: the predicted class ({meaning})")


def _class_columns(sample: pd.DataFrame, classes: Sequence[str], given: dict[str, str], values: Values | None) -> Form:
    known = {_plain(given.get(label, label)): number for number, label in enumerate(classes)}
    unknown = [name for name in sample if _plain(name) not in known]
    missing = [label for label in classes if _plain(given.get(label, label)) not in {_plain(name) for name in sample}]
    if unknown or missing:
        parts = [f"no class for the columns {listed(unknown)}"] * bool(unknown)
        parts += [f"no column for the classes {listed(missing)}"] * bool(missing)
        pairs = ",".join(f"{label}=COLUMN" for label in missing or classes)
        raise UserError(f"--submission: {' and '.join(parts)}; if only their names differ: --labels {pairs}")
    marks = sample.apply(pd.to_numeric, errors="coerce")
    one_hot = bool(marks.isin((0, 1)).all(axis=None)) and bool((marks.sum(axis=1) == 1).all())
    hard = values == "labels" or (
        values is None and one_hot and not sample.astype(str).stack().str.contains(".", regex=False).any()
    )
    what = "1 for the predicted class" if hard else "the probability of each class"
    return Form([known[_plain(name)] for name in sample], [], hard, f"{counted(len(sample.columns), 'column')}: {what}")


def _positive(name: str, classes: Sequence[str], given: dict[str, str]) -> int:
    """Return the class whose probability a single column holds."""
    plain = [_plain(label) for label in classes]
    if _plain(name) in plain:
        return plain.index(_plain(name))
    if len(classes) != 2:
        raise UserError(
            f"--submission: {name!r} is one column of probabilities, but the model has {len(classes)} classes; "
            "--values labels writes the predicted class"
        )
    ones = [number for number, label in enumerate(classes) if _plain(given.get(label, "")) == "1"]
    without = [number for number, label in enumerate(plain) if label in WITHOUT_FINDING]
    if len(ones) == 1:
        return ones[0]
    if given or len(without) != 1:
        raise UserError(f"--submission: which class is {name!r} the probability of? {_ask(classes, ('0', '1'))}")
    return 1 - without[0]


def _texts(name: str, cells: set[str], numeric: bool, classes: Sequence[str], given: dict[str, str]) -> list[str]:
    """Return the text of each class in a single column of labels."""
    if given:
        return [given[label] for label in classes]
    if _are_classes(cells, classes):
        spelled = {_plain(cell): cell for cell in sorted(cells)}
        return [spelled.get(_plain(label), label) for label in classes]
    without = [_plain(label) in WITHOUT_FINDING for label in classes]
    if numeric and len(classes) == 2 and sum(without) == 1:
        return ["0" if negative else "1" for negative in without]
    texts = (
        [str(number) for number in range(len(classes))] if numeric else [f"TEXT{n + 1}" for n in range(len(classes))]
    )
    shown = ", ".join(sorted(cells)[:MOST_SHOWN])
    raise UserError(f"--submission: {name!r} has {shown}, which are not classes of the model. {_ask(classes, texts)}")


def _ask(classes: Sequence[str], texts: Sequence[str]) -> str:
    pairs = ",".join(f"{label}={text}" for label, text in zip(classes, texts, strict=True))
    return f"Say which class is written how, such as --labels '{pairs}'"


def _are_classes(cells: set[str], classes: Sequence[str]) -> bool:
    return {_plain(cell) for cell in cells} <= {_plain(label) for label in classes}


def _plain(name: str) -> str:
    """Return a name without case, spaces, signs and the form of whole numbers, which do not distinguish classes."""
    return re.sub(r"^(\d+)\.0+$", r"\1", re.sub(r"[\s_-]+", " ", name).strip().casefold())


def _pairs(given: Sequence[str], classes: Sequence[str]) -> dict[str, str]:
    """Read `CLASS=TEXT` pairs, several to a text, separated by commas."""
    pairs = dict(pair.rpartition("=")[::2] for text in given for pair in text.split(","))
    if unknown := [label for label in pairs if label not in classes]:
        raise UserError(f"--labels: no class {unknown[0]!r}{near(unknown[0], classes)}; expected CLASS=TEXT,CLASS=TEXT")
    if given and (missing := [label for label in classes if label not in pairs]):
        raise UserError(f"--labels: nothing for the classes {listed(missing)}")
    return pairs


def _read(sample: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(sample, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"--submission: {sample}: no such file") from None
    except (ValueError, OSError) as error:
        raise UserError(f"--submission: {sample}: not a CSV table: {' '.join(str(error).split())}") from None
    if len(table.columns) < 2 or table.empty:
        raise UserError(f"--submission: {sample}: expected a column of ids, one or more columns to fill, and rows")
    return table


def _id_column(table: pd.DataFrame, files: Sequence[Path], sample: Path) -> str:
    """Return the column that names most images; of several, the first."""
    known = {file.stem for file in files} | {file.name for file in files}
    names = {name: [PurePosixPath(_path(value)) for value in table[name]] for name in table}
    hits = {name: sum(path.name in known or path.stem in known for path in paths) for name, paths in names.items()}
    best = max(hits, key=lambda name: hits[name])
    if not hits[best]:
        raise UserError(
            f"--submission: no column of {sample} names any of the {counted(len(files), 'image')}, such as "
            f"{files[0].name}; its first id is {table.iloc[0, 0]}"
        )
    return best


def _match(ids: Sequence[str], files: Sequence[Path], where: str) -> list[Path]:
    """Return the image of each id: its path or name, with or without the suffix, or with that of another format."""
    by_name: dict[str, list[Path]] = {}
    for file in files:
        for name in {file.name, file.stem}:
            by_name.setdefault(name, []).append(file)
    found: list[Path] = []
    missing: list[tuple[str, list[Path]]] = []
    ambiguous: list[tuple[str, list[Path]]] = []
    for identity in ids:
        path = PurePosixPath(_path(identity))
        folders = path.parent.parts
        named = by_name.get(path.name, [])
        if not named and path.suffix.lower() in IMAGE_SUFFIXES:
            named = by_name.get(path.stem, [])  # converted to another format
        named = (
            [file for file in named if file.absolute().parent.parts[-len(folders) :] == folders] if folders else named
        )
        exact = [file for file in named if file.name == path.name]
        if len(exact or named) == 1:
            found.append((exact or named)[0])
        else:
            (ambiguous if named else missing).append((identity, named))
    for problem, cases in (("without an image", missing), ("with several images", ambiguous)):
        if cases:
            shown = ", ".join(
                f"{name}{f' ({named[0]}, {named[1]})' if named else ''}" for name, named in cases[:MOST_SHOWN]
            )
            more = ", …" if len(cases) > MOST_SHOWN else ""
            raise UserError(f"--submission: {where}: {counted(len(cases), 'id')} {problem}: {shown}{more}")
    return found


def _path(identity: str) -> str:
    return identity.strip().replace("\\", "/")


def _predict(model: Model, files: Sequence[Path]) -> dict[Path, np.ndarray]:
    predictor = Predictor(model.folder, model.runs, model.compute())
    batches = ImageBatches(files, model.card, BATCH)
    found = {
        file: row for batch in batches for file, row in zip(batch.files, predictor.answers(batch.pixels), strict=True)
    }
    if batches.unreadable:
        raise UserError([*batches.unreadable, "--submission: not written, as these ids have no prediction"])
    return found
