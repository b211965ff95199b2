"""Keys of groups that names, folders, columns and DICOM headers suggest; they are proposed, but never used unasked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from medtransfer.data.images.dicom import can_read_dicom, read_elements
from medtransfer.data.layouts.files import NEUTRAL_WORDS, SPLIT_NAMES, files_below, relative_to, words
from medtransfer.data.layouts.image_tables import image_tables, same_partition
from medtransfer.data.layouts.joins import join_images
from medtransfer.study import JoinedTable
from medtransfer.util.errors import UserError
from medtransfer.util.text import listed, quoted, yaml_word

COPIES = "copies of files"
MARK = r" ?\(\d+\)| - copy(?: ?\(\d+\))?"
"""The mark that a file manager adds to the name of a copy."""

PATTERNS = {
    "augmented copies": r"^(.+?)_aug_?\d+",
    "copies of a Roboflow export": r"^(.+?)\.rf\.[0-9a-f]{8,}",
    COPIES: rf"^(.+?)(?i:{MARK})?\.\w+$",
    "patients": r"(?i)((?:patient|person|subject|pat|subj|case)[-_ ]?\d+)",
    "both sides of a patient": r"^(.*\d)[ _-]?(?i:left|right|[lr]|o[ds])(?![^\W_])",
    "images of a numbered series": r"^((?:[A-Z0-9]+-)?IM-\d+)",
}
NUMBERED = [
    r"^((?:[^\W\d_]*[\W_])*[^\W_]*\d[^\W_]*" + r"(?:[\W_](?:[^\W\d_]*[\W_])*[^\W_]*\d[^\W_]*)" * more + ")"
    for more in range(3)
]
"""A name up to its first, second or third part with a digit: often the patient, before the number of the image."""

PATIENT_WORDS = frozenset(words("patient patients pid subject person case lesion participant study uid id mrn"))
OTHER_WORDS = frozenset(words("age sex gender race date birth weight height size view position side"))
"""Words in the names of columns that describe a patient without being a key."""
ARCHIVE_WORDS = NEUTRAL_WORDS | SPLIT_NAMES.keys() | frozenset(words("part parts fold folds batch stage idx version"))
CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
PATIENT_ID = "PatientID"
LEAST_SHARE = 1 / 5
"""The least share of images that share their key with another."""

MOST = 3


@dataclass(frozen=True)
class Proposal:
    """Keys, missing where an image has none, a sentence about them, and what to set: `data.group`, perhaps a table."""

    keys: pd.Series
    says: str
    group: str
    table: str = ""


def propose_groups(root: Path, table: pd.DataFrame, left_out: Collection[str] = frozenset()) -> list[str]:
    """Return a sentence for each key, at most three, by which at least a fifth of the images are in groups.

    `table` has the columns path (relative to `root`), label, and those of CSVs. Tables of the set that were not read
    are looked at, too, except the files `left_out`.
    """
    found: list[pd.Series] = []
    sentences: list[str] = []
    for proposal in _candidates(root, table, left_out) if len(table) else ():
        keys, known = proposal.keys, proposal.keys.dropna()
        if any(keys.isna().equals(other.isna()) and same_partition(known, other.dropna()) for other in found):
            continue
        found.append(keys)
        share = "all" if len(known) == len(table) else f"{len(known)} of {len(table)}"
        pasted = proposal.group if share == "all" else f"{proposal.group[:-1]}, missing: alone}}"
        sizes = known.value_counts()
        examples = listed([f"{key} ({size})" for key, size in sizes.sort_index().head(3).items()])
        sentences.append(
            f"{proposal.says.format(share=share, groups=len(sizes))}, such as {examples}; to use them, "
            f"set {f'data.tables: {proposal.table} and ' if proposal.table else ''}data.group: {pasted}"
        )
        if len(sentences) == MOST:
            break
    return sentences


def _candidates(root: Path, table: pd.DataFrame, left_out: Collection[str]) -> Iterator[Proposal]:
    for name in filter(_speaks_of_patients, table.columns.difference(["path", "label", "split"], sort=False)):
        values = table[name].str.strip()
        keys = values.where(values != "")
        if _groups(table, keys):
            yield Proposal(keys, f"column {name!r} gives {{groups}} groups", f"{{column: {yaml_word(name)}}}")
    dicom = table["path"].str.lower().str.endswith((".dcm", ".dicom"))
    if dicom.any() and can_read_dicom():
        keys = pd.Series(None, index=table.index, dtype=object)
        keys[dicom] = read_elements([root / path for path in table["path"][dicom]], PATIENT_ID)
        if _groups(table, keys):
            yield Proposal(keys, f"{{share}} images have one of {{groups}} {PATIENT_ID}s", f"{{dicom: {PATIENT_ID}}}")
    yield from _of_tables(root, table, left_out)
    yield from _of_folders(table)
    names = table["path"].str.rpartition("/")[2]
    named = False
    for what, pattern in PATTERNS.items():
        keys = names.str.extract(pattern, expand=False)
        if what == COPIES:
            keys = keys.where(keys.isin(_copied(list(names))), table["path"])
        if _groups(table, keys):
            named = True
            says = f"{{share}} file names suggest {{groups}} groups ({what})"
            yield Proposal(keys, says, f"{{pattern: {quoted(pattern)}}}")
    if not named:
        yield from _numbered(table, names)


def _speaks_of_patients(column: str) -> bool:
    said = words(CAMEL.sub(" ", column))
    return OTHER_WORDS.isdisjoint(said) and not PATIENT_WORDS.isdisjoint(said)


def _of_tables(root: Path, table: pd.DataFrame, left_out: Collection[str]) -> Iterator[Proposal]:
    """Yield columns of tables that name the images, but were not read."""
    paths = [PurePosixPath(path) for path in relative_to(root, files_below(root))] if root.is_dir() else []
    try:
        tables = image_tables(root, [path for path in paths if str(path) not in left_out])
    except UserError:  # a table of masks
        return
    for other in tables:
        names = [name for name in other.others if name not in table and _speaks_of_patients(name)]
        if not names:
            continue
        join = JoinedTable(file=str(other.file), key=other.image)
        joined, _, _ = join_images([root], table, [join])
        for name in names:
            keys = (
                joined[name].where(joined[name] != "") if name in joined else pd.Series(None, table.index, dtype=object)
            )
            if _groups(table, keys):
                says = f"column {name!r} of {other.file} gives {{groups}} groups"
                where = f"[{{file: {yaml_word(join.file)}, key: {yaml_word(join.key)}}}]"
                yield Proposal(keys, says, f"{{column: {yaml_word(name)}}}", where)


def _of_folders(table: pd.DataFrame) -> Iterator[Proposal]:
    """Yield the names of the first level of folders with numbers that are neither classes nor parts of an archive."""
    folders = table["path"].str.split("/").str[:-1]
    for level in range(1, int(folders.str.len().max()) + 1):
        names = folders.str[level - 1]
        numbered = names.str.contains(r"\d", na=False).mean() > 1 / 2
        archive = any(
            ARCHIVE_WORDS.intersection(re.findall("[a-z]+", name.lower())) for name in names.dropna().unique()
        )
        if numbered and not archive and _groups(table, names):
            says = f"the folders of level {level} suggest {{groups}} groups"
            yield Proposal(names, says, f"{{folder: {level}}}")
            return


def _numbered(table: pd.DataFrame, names: pd.Series) -> Iterator[Proposal]:
    """Yield what names begin with up to a number that takes many values, as `14` does not in `A-14-22549-40`."""
    different = ~names.duplicated()
    for pattern in NUMBERED:
        keys = names.str.extract(pattern, expand=False)
        numbers = keys.str.extract(r"([^\W_]+)$", expand=False)
        if _groups(table[different], keys[different]) and 2 * numbers.nunique() >= keys.nunique():
            says = "{share} file names suggest {groups} groups (by their first numbers)"
            yield Proposal(keys, says, f"{{pattern: {quoted(_simplified(pattern, names, keys))}}}")
            return


def _simplified(pattern: str, names: pd.Series, keys: pd.Series) -> str:
    """Return a shorter pattern that gives the same keys, if they are all of one form, else `pattern`."""
    forms = keys.dropna().map(lambda key: re.sub(r"[A-Za-z]+|\d+|[^A-Za-z\d]", _form, key)).unique()
    shorter = f"^({forms[0]})"
    return shorter if len(forms) == 1 and names.str.extract(shorter, expand=False).equals(keys) else pattern


def _form(run: re.Match[str]) -> str:
    text = run.group(0)
    return r"\d+" if text.isdecimal() else "[A-Za-z]+" if text.isalpha() else text if text in "-_" else re.escape(text)


def _groups(table: pd.DataFrame, keys: pd.Series) -> bool:
    """Return whether keys are worth a proposal: enough images share theirs, and they are not just the classes."""
    known = keys.dropna()
    sizes = known.value_counts()
    if len(sizes) < 2 or known.map(sizes).gt(1).sum() < max(LEAST_SHARE * len(table), 1):
        return False
    return not same_partition(known, table["label"][known.index]) and not set(known) <= set(table["label"])


def _copied(names: Sequence[str]) -> set[str]:
    """Return the names, without extension, of which there is a copy besides the original."""
    found = [(match.group(1), name) for name in names if (match := re.search(PATTERNS[COPIES], name))]
    sizes = Counter(key for key, _ in found)
    marked = {key for key, name in found if re.search(rf"(?i:{MARK})\.\w+$", name)}
    return {key for key in marked if sizes[key] > 1 and any(name.startswith(f"{key}.") for _, name in found)}
