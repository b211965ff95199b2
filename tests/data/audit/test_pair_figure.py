"""The figure of duplicates: its captions, its choice of pairs, and its bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from medtransfer.data.audit.pairs import MOST_PAIRS, write_pair_figure
from medtransfer.util import plotting

IMAGES = np.arange(40, dtype=np.uint8)[:, None, None, None] + np.zeros((1, 8, 8, 1), np.uint8)


def table_of(splits: list[str | None], labels: list[str] | None = None) -> pd.DataFrame:
    count = len(splits)
    names = [f"folder/image{row}.png" for row in range(count)]
    return pd.DataFrame(
        {
            "path": names,
            "split": splits,
            "label": labels or ["cyst"] * count,
            "group": [row // 2 for row in range(count)],
        }
    )


def pairs_of(*pairs: tuple[int, int, str, int]) -> pd.DataFrame:
    return pd.DataFrame(list(pairs), columns=["first", "second", "kind", "inliers"])


@pytest.fixture
def texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function that draws a figure and returns the titles of its sections and the captions of its pairs."""
    figures = []
    draw_new = plotting.new_figure
    monkeypatch.setattr(plotting, "new_figure", lambda *size: figures.append(draw_new(*size)) or figures[-1])

    def draw(table: pd.DataFrame, pairs: pd.DataFrame) -> tuple[list[str], list[str]]:
        write_pair_figure(IMAGES, table, pairs, tmp_path / "sheet.png")
        parts = figures[-1].subfigs
        captions = [axis.get_title(loc="left") for part in parts for axis in part.axes]
        return [part.get_suptitle() for part in parts if part.get_suptitle()], [text for text in captions if text]

    return draw


def test_each_kind_has_a_section_and_each_pair_its_names(texts) -> None:
    table = table_of(["train", "train", "test", "val"], ["cyst", "cyst", "cyst", "mass"])
    headings, captions = texts(
        table, pairs_of((0, 1, "exact", 0), (0, 2, "exact", 0), (1, 3, "near", 36), (2, 3, "key", 0))
    )
    assert headings == [
        "Exact duplicates across splits: 1 of 1 pairs",
        "Near duplicates across splits: 1 of 1 pairs",
        "Images of one group key across splits: 1 of 1 pairs",
        "Exact duplicates within a split: 1 of 1 pairs",
    ]
    assert captions == [
        "train / cyst: image0.png\ntest / cyst: image2.png",
        "train / cyst: image1.png\nval / mass: image3.png\nthe labels differ",
        "test / cyst: image2.png\nval / mass: image3.png\nthe labels differ",
        "train / cyst: image0.png\ntrain / cyst: image1.png",
    ]


def test_a_figure_without_splits_names_none(texts) -> None:
    headings, captions = texts(table_of([None, None]), pairs_of((0, 1, "near", 40)))
    assert headings == ["Near duplicates: 1 of 1 pairs"]
    assert captions == ["cyst: image0.png\ncyst: image1.png"]


def test_the_most_doubtful_pair_of_every_group_is_drawn_first(texts) -> None:
    others = range(10, 10 + 2 * (MOST_PAIRS - 1), 2)
    of_one = [(0, other, "near", 60 - other) for other in range(1, 8)]
    pairs = pairs_of(*of_one, *[(row, row + 1, "near", 90) for row in others])
    headings, captions = texts(table_of(["train"] * 40), pairs)
    assert headings == [f"Near duplicates within a split: {MOST_PAIRS} of {MOST_PAIRS + 6} pairs"]
    first = [int(text.partition("image")[2].partition(".")[0]) for text in captions]
    assert first == [0, *others]
    assert "image7.png" in captions[0]


def test_a_figure_without_duplicates_and_one_of_colour_images(tmp_path: Path) -> None:
    write_pair_figure(IMAGES, table_of(["train"]), pairs_of(), tmp_path / "none.png")
    write_pair_figure(
        np.repeat(IMAGES, 3, axis=3), table_of(["train"] * 2), pairs_of((0, 1, "exact", 0)), tmp_path / "rgb.png"
    )
    for name in ("none.png", "rgb.png"):
        with Image.open(tmp_path / name) as picture:
            picture.load()


def test_the_same_pairs_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        write_pair_figure(IMAGES, table_of(["train", "test"]), pairs_of((0, 1, "near", 40)), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
