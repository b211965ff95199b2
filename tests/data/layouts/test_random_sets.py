"""Sets that combine folders, tables, copies, masks, splits and encodings at random are read rightly or refused."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from zipfile import ZipFile

import pytest

from medtransfer.data.layouts.copies import find_copies
from medtransfer.data.layouts.detect import resolve_layout
from medtransfer.data.layouts.read import read_layout
from medtransfer.data.layouts.unused_masks import unused_masks
from medtransfer.util.errors import UserError

from .detection import AUTO, choices_of

FAST, ALL = 300, 3000
"""Sets in the fast test, and in that of `make test-all`."""
SHAPES = (
    "class",
    "split/class",
    "class/split",
    "flat",
    "part",
    "split",
    "site/class",
    "coarse/class",
    "number/class",
    "class/patient",
)
TABLED = ("flat", "part", "split")
"""Shapes whose labels are in a table."""
HEADS = ("image,label", "Image Name,diagnosis", "id_code,level", "file,Tissue", "name,zz", "")
ENCODINGS = ("utf-8", "utf-8-sig", "cp1252", "utf-16")
CLASSES = (("Normal", "Zyste"), ("bösartig", "gutartig"), ("0", "1", "2"), ("glioma", "no tumour", "pituitary"))
NAMES = ("plain", "stem", "JPG", "foreign", "number")
"""How a table writes the names of images."""
ROWS = ("all", "all", "all", "twice", "some missing", "some more", "a contradiction")
FURTHER = ("thumbnails", "an archive", "unsorted", "spelt otherwise", "other names", "lists", "readers", "a holdout")
"""What every second set has besides, where its shape allows it."""
UNREADABLE = ("a contradiction", "lists", "readers")
"""What has no right reading as classes."""


@dataclass
class Drawn:
    """A random set: files with their contents, the labels and splits of its images, and what is odd about it."""

    files: dict[str, bytes] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    splits: dict[str, str | None] = field(default_factory=dict)
    quirks: list[str] = field(default_factory=list)

    def image(self, name: str, pixels: bytes = b"") -> None:
        self.files[name] = b"P5 8 8 255\n" + (pixels or (1000 + 999 * len(self.files)).to_bytes(8) * 8)


def drawn(seed: int) -> Drawn:
    rng = Random(seed)
    made = Drawn()
    shape, classes = rng.choice(SHAPES), rng.choice(CLASSES)
    made.quirks.append(shape)
    _images(made, rng, shape, classes)
    if shape in TABLED or rng.random() < 0.4:
        _tables(made, rng, shape)
    if rng.random() < 0.3:
        _masks(made, rng)
    if rng.random() < 0.3:
        _copy(made, rng)
    if "split" in shape and rng.random() < 0.3:
        made.quirks.append("unlabelled")
        for number in range(5):
            made.image(f"{'test' if shape == 'split' else 'testing'}/unknown {number}.png")
    if seed % 2 == 0:
        _further(made, rng, shape, classes)
    return made


def _further(made: Drawn, rng: Random, shape: str, classes: tuple[str, ...]) -> None:
    """Add one of `FURTHER`; the labels stay those of a right reading."""
    kind, words = rng.choice(FURTHER), not classes[0].isdigit()
    if kind == "thumbnails":
        for path in list(made.labels):
            made.image(f"{path[:-4]}_thumb.png")
    elif kind == "an archive":
        packed = io.BytesIO()
        with ZipFile(packed, "w") as archive:
            archive.writestr("more/img 5000.png", "")
        made.files["more.zip"] = packed.getvalue()
        made.labels["more/img 5000.png"] = classes[0]
    elif kind == "unsorted" and shape in ("class", "split/class"):
        for number in range(3):
            made.image(
                f"{'train/' if shape == 'split/class' else ''}{rng.choice(('unknown', '_unsorted'))}/{number}.png"
            )
    elif kind == "spelt otherwise" and shape == "split/class":
        changed = classes[0].swapcase() if words else f"{classes[0]}.0"
        _moved(made, f"train/{classes[0]}/", f"train/{changed}/")
    elif kind == "other names" and shape == "class" and words:
        for at, (path, label) in enumerate(list(made.labels.items())):
            said = classes[1] if at < 2 else label
            made.files[f"{label}/{said}_{at}.png"] = made.files.pop(path)
            del made.labels[path]
            made.labels[f"{label}/{said}_{at}.png"] = said
    elif kind in ("lists", "readers") and shape == "flat":
        rows = [(path.rpartition("/")[2], label) for path, label in made.labels.items()]
        lines = [
            f"{name},\"['{label}', 'other']\"" if at % 2 else f"{name},['{label}']"
            for at, (name, label) in enumerate(rows)
        ]
        if kind == "readers":
            lines = [f"{name},{label},{who}" for who in ("R1", "R2") for name, label in rows]
            lines[0] = f"{rows[0][0]},{classes[-1] if rows[0][1] != classes[-1] else classes[0]},R1"
        head = "image,label" + (",reader" if kind == "readers" else "")
        made.files = {name: content for name, content in made.files.items() if not name.endswith(".csv")}
        made.files["labels.csv"] = "\n".join([head, *lines]).encode()
    elif kind == "a holdout" and shape == "split/class":
        for label in classes:
            made.image(f"holdout/{label}/more.png")
            made.labels[f"holdout/{label}/more.png"], made.splits[f"holdout/{label}/more.png"] = label, None
    else:
        return
    made.quirks.append(kind)


def _moved(made: Drawn, before: str, after: str) -> None:
    for values in (made.files, made.labels, made.splits):
        for path in [path for path in values if path.startswith(before)]:
            values[path.replace(before, after)] = values.pop(path)  # type: ignore[attr-defined]


def _images(made: Drawn, rng: Random, shape: str, classes: tuple[str, ...]) -> None:
    coarse = dict(zip(classes, ("lung", "colon", "lung"), strict=False))
    number = 0
    splits = ("",) if "split" not in shape else ("train", "valid", "test") if rng.random() < 0.7 else ("train", "valid")
    for at, label in enumerate(classes):
        for split in splits:
            for _ in range(rng.randint(4, 6)):
                number += 1
                words = {"class": label, "split": split, "flat": "images", "part": f"part_{1 + number % 2}"}
                words |= {"site": ("oslo", "rome")[number % 2], "coarse": coarse[label], "number": f"{90 + number % 4}"}
                words |= {"patient": f"p{10 * at + number % 3:03}"}
                path = "/".join([*(words[part] for part in shape.split("/")), f"img {number:04}.png"])
                made.image(path)
                made.labels[path], made.splits[path] = label, split.replace("valid", "val") or None


def _tables(made: Drawn, rng: Random, shape: str) -> None:
    """Write a table of the labels or of other ones; of split folders, perhaps one for each split."""
    if rng.random() < 0.4:
        made.quirks.append("other labels")
    labels = {
        path: ("x", "y", "z")[at % 3] if "other labels" in made.quirks else label
        for at, (path, label) in enumerate(made.labels.items())
    }
    head, encoding, names = rng.choice(HEADS), rng.choice(ENCODINGS), rng.choice(NAMES)
    rows = rng.choice(ROWS)
    made.quirks += ["a table", head, encoding, names, rows]
    if names == "number":
        _renumber(made, labels)
    apart = shape == "split" and rng.random() < 0.6
    for split in dict.fromkeys(made.splits.values()) if apart else [None]:
        chosen = {path: label for path, label in labels.items() if split is None or made.splits[path] == split}
        lines = _lines(chosen, names, rows)
        name = f"{split}.csv" if split else "labels.csv"
        text = "\n".join([*([head] if head else []), *lines]) + "\n"
        separator = rng.choice(",;\t")
        made.files[name] = text.replace(",", separator).encode(encoding)
    if shape in TABLED:
        made.labels = labels


def _renumber(made: Drawn, labels: dict[str, str]) -> None:
    """Name the images by a number alone."""
    for values in (made.files, made.labels, made.splits, labels):
        for path in [path for path in values if "img " in path]:
            values[path.replace("img ", "")] = values.pop(path)  # type: ignore[attr-defined]


def _lines(labels: dict[str, str], names: str, rows: str) -> list[str]:
    written = {
        "plain": lambda name: name,
        "stem": lambda name: name[:-4],
        "JPG": lambda name: name.replace(".png", ".JPG"),
        "foreign": lambda name: f"/home/me/set/{name}",
        "number": lambda name: str(int(name[:-4])),
    }[names]
    lines = [f"{written(path.rpartition('/')[2])},{label}" for path, label in labels.items()]
    other = next((label for label in labels.values() if label != next(iter(labels.values()))), "another")
    more = {
        "all": [],
        "twice": lines[:3],
        "some missing": [],
        "some more": ["img 9998.png,x", "img 9999.png,x"],
        "a contradiction": [f"{lines[0].partition(',')[0]},{other}"],
    }[rows]
    return lines[2:] if rows == "some missing" else lines + more


def _masks(made: Drawn, rng: Random) -> None:
    made.quirks.append("masks")
    suffix, kind = rng.random() < 0.5, rng.choice(("masks", "more pictures"))
    made.quirks.append(kind)
    for number, path in enumerate(list(made.labels)):
        folder, name = path.rsplit("/", 1)
        pixels = bytes([0, 255] * 32) if kind == "masks" else bytes((7 * number + 13 * at) % 251 for at in range(64))
        made.image(f"{folder}/{name[:-4]}_mask.png" if suffix else f"{folder}/masks/{name}", pixels)


def _copy(made: Drawn, rng: Random) -> None:
    made.quirks.append("a copy")
    wrapper = rng.choice(("all", "set/set", "copy of it"))
    made.files |= {f"{wrapper}/{path}": content for path, content in made.files.items()}


def check(seed: int, root: Path) -> bool:
    """Write and read a set; return whether it was read, and fail if wrongly, or if a choice cannot be read."""
    made = drawn(seed)
    for path, content in made.files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    copies = find_copies(root, ".")
    aside = frozenset((*copies, *unused_masks(root, ".", copies.keys())))
    try:
        table = read_layout(root, resolve_layout(root, AUTO, aside), aside)
    except UserError as error:
        for layout in choices_of(str(error)):
            assert read_layout(root, layout, aside)["label"].nunique() > 1, (seed, made.quirks)
        return False
    labels = dict(zip(table["path"], table["label"], strict=True))
    assert labels == made.labels, (seed, made.quirks)
    assert "other labels" not in made.quirks or made.quirks[0] in TABLED, (seed, made.quirks)
    assert not set(UNREADABLE).intersection(made.quirks), (seed, made.quirks)
    if table["split"].notna().any():
        assert dict(zip(table["path"], table["split"], strict=True)) == made.splits, (seed, made.quirks)
    return True


@pytest.mark.parametrize("hundred", range(FAST // 100))
def test_a_random_set_is_read_rightly_or_refused_with_choices_that_work(tmp_path: Path, hundred: int) -> None:
    assert sum(check(seed, tmp_path / str(seed)) for seed in range(100 * hundred, 100 * hundred + 100)) > 20


@pytest.mark.parametrize("seed", [703, 1269, 1693, 3280])
def test_sets_that_were_once_read_wrongly(tmp_path: Path, seed: int) -> None:
    check(seed, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("hundred", range(FAST // 100, ALL // 100))
def test_many_more_random_sets(tmp_path: Path, hundred: int) -> None:
    assert sum(check(seed, tmp_path / str(seed)) for seed in range(100 * hundred, 100 * hundred + 100)) > 20
