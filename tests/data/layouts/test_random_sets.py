"""Sets that combine folders, tables, copies, masks, splits and encodings at random are read rightly or refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from medtransfer.data.layouts.copies import find_copies
from medtransfer.data.layouts.detect import resolve_layout
from medtransfer.data.layouts.read import read_layout
from medtransfer.util.errors import UserError

from .detection import AUTO

SETS = 300
SHAPES = (
    "class",
    "split/class",
    "class/split",
    "flat",
    "part",
    "site/class",
    "coarse/class",
    "number/class",
    "class/patient",
)
HEADS = ("image,label", "Image Name,diagnosis", "id_code,level", "file,Tissue", "name,zz")
ENCODINGS = ("utf-8", "utf-8-sig", "cp1252", "utf-16")
CLASSES = (("Normal", "Zyste"), ("bösartig", "gutartig"), ("0", "1", "2"), ("glioma", "no tumour", "pituitary"))


@dataclass
class Drawn:
    """A random set: files with their contents, the labels and splits of its images, and what is odd about it."""

    files: dict[str, bytes] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    splits: dict[str, str | None] = field(default_factory=dict)
    quirks: list[str] = field(default_factory=list)

    def content(self, name: str) -> None:
        self.files[name] = f"picture {len(self.files)}".encode()


def drawn(seed: int) -> Drawn:
    rng = Random(seed)
    made = Drawn()
    shape, classes = rng.choice(SHAPES), rng.choice(CLASSES)
    made.quirks.append(shape)
    _images(made, rng, shape, classes)
    tabled = shape in ("flat", "part") or rng.random() < 0.4
    if tabled:
        _table(made, rng, shape)
    if rng.random() < 0.3:
        _masks(made, rng)
    if rng.random() < 0.3:
        _copy(made, rng)
    return made


def _images(made: Drawn, rng: Random, shape: str, classes: tuple[str, ...]) -> None:
    coarse = dict(zip(classes, ("lung", "colon", "lung"), strict=False))
    number = 0
    for at, label in enumerate(classes):
        for split in ("train", "valid", "test") if "split" in shape else ("",):
            for _ in range(rng.randint(3, 6)):
                number += 1
                words = {"class": label, "split": split, "flat": "images", "part": f"part_{1 + number % 2}"}
                words |= {"site": ("oslo", "rome")[number % 2], "coarse": coarse[label], "number": f"{90 + number % 4}"}
                words |= {"patient": f"p{10 * at + number % 3:03}"}
                path = "/".join([*(words[part] for part in shape.split("/")), f"img {number}.png"])
                made.content(path)
                made.labels[path], made.splits[path] = label, split.replace("valid", "val") or None


def _table(made: Drawn, rng: Random, shape: str) -> None:
    """Write a table of the labels, or of other ones; some without half of its rows, some of names without extension."""
    head, encoding = rng.choice(HEADS), rng.choice(ENCODINGS)
    other = rng.random() < 0.4
    made.quirks += ["a table", encoding, *(["other labels"] if other else [])]
    rows = []
    for at, (path, label) in enumerate(made.labels.items()):
        name = path.rsplit("/", 1)[1]
        rows.append(f"{name if seed_bit(rng) else name[:-4]},{('x', 'y', 'z')[at % 3] if other else label}")
    if other and shape in ("flat", "part"):
        made.labels = {path: ("x", "y", "z")[at % 3] for at, path in enumerate(made.labels)}
    text = "\n".join([head, *rows]) + "\n"
    made.files["labels.csv"] = text.encode(encoding)


def seed_bit(rng: Random) -> bool:
    return rng.random() < 0.5


def _masks(made: Drawn, rng: Random) -> None:
    made.quirks.append("masks")
    suffix = rng.random() < 0.5
    for path in list(made.labels):
        folder, name = path.rsplit("/", 1)
        made.content(f"{folder}/{name[:-4]}_mask.png" if suffix else f"{folder}/masks/{name}")


def _copy(made: Drawn, rng: Random) -> None:
    made.quirks.append("a copy")
    wrapper = rng.choice(("all", "set/set", "copy of it"))
    made.files |= {f"{wrapper}/{path}": content for path, content in made.files.items()}


@pytest.mark.parametrize("hundred", range(SETS // 100))
def test_a_random_set_is_read_rightly_or_refused(tmp_path: Path, hundred: int) -> None:
    right = 0
    for seed in range(100 * hundred, 100 * hundred + 100):
        made, root = drawn(seed), tmp_path / str(seed)
        for path, content in made.files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
        copies = find_copies(root, ".")
        try:
            table = read_layout(root, resolve_layout(root, AUTO, copies), copies)
        except UserError:
            continue
        right += 1
        labels = dict(zip(table["path"], table["label"], strict=True))
        splits = dict(zip(table["path"], table["split"], strict=True))
        assert labels == made.labels, (seed, made.quirks)
        assert "other labels" not in made.quirks or made.quirks[0] in ("flat", "part"), (seed, made.quirks)
        if table["split"].notna().any():
            assert splits == made.splits, (seed, made.quirks)
    assert right > 20
