"""NumPy archives as MedMNIST publishes them: their rows are images, and their arrays give labels and splits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medtransfer.data.images.decode import decode
from medtransfer.data.layouts.detect import resolve_layout
from medtransfer.data.layouts.read import as_yaml, read_layout
from medtransfer.util.errors import UserError

from .detection import AUTO, refusal

COUNTS = {"train": 6, "val": 2, "test": 4}


def arrays(shape: tuple[int, ...] = (8, 8), labels: tuple[int, ...] = (1,)) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    found = {}
    for split, count in COUNTS.items():
        found[f"{split}_images"] = rng.integers(0, 256, (count, *shape), np.uint8)
        found[f"{split}_labels"] = (
            (np.arange(count * int(np.prod(labels))) % 2).astype(np.uint8).reshape(count, *labels)
        )
    return found


def write(root: Path, **saved: Any) -> Path:
    root.mkdir(exist_ok=True)
    np.savez_compressed(root / "some.npz", **saved)
    return root


@pytest.mark.parametrize("labels", [(), (1,)])
@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 3)])
def test_every_row_is_an_image_with_its_label_and_split(
    tmp_path: Path, shape: tuple[int, ...], labels: tuple[int, ...]
) -> None:
    saved = arrays(shape, labels)
    root = write(tmp_path / "raw", **saved)
    layout = resolve_layout(root, AUTO)
    assert as_yaml(layout) == "{kind: npz, file: some.npz}"
    table = read_layout(root, layout).set_index("path")
    assert table["split"].value_counts().to_dict() == COUNTS
    for split, count in COUNTS.items():
        for row in range(count):
            path = f"some.npz#{split}{row}"
            assert table.loc[path, "label"] == str(row % 2)
            assert np.array_equal(decode(root / path, 8, "stretch").pixels, saved[f"{split}_images"][row])


@pytest.mark.parametrize(
    ("saved", "reason"),
    [
        (arrays((8, 8, 8)), "some.npz: train_images are volumes of shape (8, 8, 8); expected grey or RGB images"),
        (arrays(labels=(14,)), "some.npz: train_labels are several labels per image, of shape (14,); expected one"),
        (arrays() | {"val_labels": np.zeros((7, 1), np.uint8)}, "some.npz: 2 images but 7 labels of split val"),
        ({"x": np.zeros(3)}, "RAW: expected images, but got 1 NumPy archive (.npz), which are not read"),
    ],
    ids=["volumes", "several labels", "another number", "other arrays"],
)
def test_other_arrays_are_named(tmp_path: Path, saved: dict[str, np.ndarray], reason: str) -> None:
    root = write(tmp_path / "raw", **saved)
    with pytest.raises(UserError) as raised:
        resolve_layout(root, AUTO)
    assert reason in str(raised.value).replace(str(root), "RAW")


def test_arrays_of_objects_are_never_unpickled(tmp_path: Path) -> None:
    objects = np.array([{}, {}], dtype=object)
    root = tmp_path / "raw"
    root.mkdir()
    np.savez(root / "some.npz", train_images=objects, train_labels=objects, allow_pickle=True)
    assert "expected images" in refusal(root)
