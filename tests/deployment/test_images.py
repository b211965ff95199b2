"""The images of a command: found in folders, read in batches, without unreadable ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medtransfer.deployment.images import ImageBatches, find_images
from medtransfer.util.errors import UserError

CARD = {"image_size": 8, "resize": "stretch", "channels": 1}


def write(path: Path, value: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (12, 9), value).save(path)
    return path


def test_images_are_found_in_folders_at_any_depth(tmp_path: Path) -> None:
    inner = write(tmp_path / "a/b/1.png")
    write(tmp_path / "a/.hidden/2.png")
    (tmp_path / "a/table.csv").write_text("no image")
    alone = write(tmp_path / "0.png").rename(tmp_path / "without_suffix")
    assert find_images([alone, tmp_path / "a"]) == [alone, inner]


def test_every_path_without_images_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError) as raised:
        find_images([tmp_path / "empty", tmp_path / "gone"])
    assert [problem.removeprefix(f"{tmp_path}/").split(":")[0] for problem in raised.value.problems] == [
        "empty",
        "gone",
    ]


@pytest.mark.parametrize(("count", "sizes"), [(8, [4, 4]), (9, [4, 4, 1]), (3, [3])])
def test_batches_keep_the_order_of_the_images(tmp_path: Path, count: int, sizes: list[int]) -> None:
    files = [write(tmp_path / f"{number}.png", number) for number in range(count)]
    found = list(ImageBatches(files, CARD, 4))
    assert [len(batch.files) for batch in found] == sizes
    assert [file for batch in found for file in batch.files] == files
    assert {size for batch in found for size in batch.sizes} == {(12, 9)}
    pixels = np.concatenate([batch.pixels for batch in found])
    assert pixels.shape == (count, 8, 8, 1)
    np.testing.assert_array_equal(pixels[:, 0, 0, 0], np.arange(count))


def test_unreadable_files_are_skipped(tmp_path: Path) -> None:
    files = [write(tmp_path / f"{number}.png", number) for number in range(5)]
    files[1].write_bytes(b"no image")
    files[4].write_bytes(files[0].read_bytes()[:20])
    batches = ImageBatches(files, CARD, 2)
    assert [batch.files for batch in batches] == [[files[0], files[2]], [files[3]]]
    assert [line.split(": ")[:2] for line in batches.unreadable] == [[str(files[n]), "unreadable"] for n in (1, 4)]
