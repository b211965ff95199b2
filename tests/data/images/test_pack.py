"""All images of a set in one array: as few channels as they need, and every unreadable file named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medtransfer.data.images.decode import decode
from medtransfer.data.images.pack import pack, repack
from medtransfer.util.errors import UserError
from medtransfer.util.progress import CHUNK

RNG = np.random.default_rng(1)


def write_images(folder: Path, count: int, coloured: set[int] | None = None) -> list[str]:
    names = [f"{number:03}.png" for number in range(count)]
    for number, name in enumerate(names):
        shape = (6, 9, 3) if number in (coloured or set()) else (6, 9)
        Image.fromarray(RNG.integers(0, 256, shape, dtype=np.uint8)).save(folder / name)
    return names


def test_grey_images_are_packed_in_one_channel_in_the_order_of_their_paths(tmp_path: Path) -> None:
    names = write_images(tmp_path, 5)[::-1]
    table = pack(tmp_path, names, 8, "pad", tmp_path / "packed.npy")
    packed = np.load(tmp_path / "packed.npy")
    assert packed.shape == (5, 8, 8, 1)
    assert packed.dtype == np.uint8
    for row, name in enumerate(names):
        alone = decode(tmp_path / name, 8, "pad")
        np.testing.assert_array_equal(packed[row, ..., 0], alone.pixels)
        described = (alone.sha256, 9, 6, "L")
        assert tuple(table.loc[row, ["sha256", "width", "height", "mode"]]) == described


@pytest.mark.parametrize("coloured", [{0}, {4}, {5, 6}], ids=str)
def test_one_coloured_image_gives_all_three_channels(
    tmp_path: Path, coloured: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medtransfer.data.images.pack.CHUNK", 2)
    names = write_images(tmp_path, 7, coloured)
    pack(tmp_path, names, 8, "stretch", tmp_path / "packed.npy")
    packed = np.load(tmp_path / "packed.npy")
    assert packed.shape == (7, 8, 8, 3)
    for number, name in enumerate(names):
        alone = decode(tmp_path / name, 8, "stretch").pixels
        np.testing.assert_array_equal(packed[number], alone if number in coloured else np.dstack([alone] * 3))


def test_more_images_than_a_chunk_stay_in_order(tmp_path: Path) -> None:
    count = CHUNK + 3
    for number in range(count):
        Image.fromarray(np.full((2, 2), number % 251, np.uint8)).save(tmp_path / f"{number:03}.pgm")
    pack(tmp_path, [f"{number:03}.pgm" for number in range(count)], 2, "stretch", tmp_path / "packed.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "packed.npy")[:, 0, 0, 0], np.arange(count) % 251)


def test_every_unreadable_file_is_listed_and_nothing_is_written(tmp_path: Path) -> None:
    names = write_images(tmp_path, 4)
    (tmp_path / names[1]).write_bytes(b"no image")
    (tmp_path / names[3]).write_bytes((tmp_path / names[3]).read_bytes()[:40])
    target = tmp_path / "out" / "packed.npy"
    target.parent.mkdir()
    with pytest.raises(UserError) as raised:
        pack(tmp_path, names, 8, "stretch", target)
    assert [problem.split(": ")[:2] for problem in raised.value.problems] == [
        ["001.png", "unreadable"],
        ["003.png", "unreadable"],
    ]
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize("count", [6, CHUNK + 9])
def test_repacking_keeps_the_selected_rows_and_writes_the_same_file_as_numpy(tmp_path: Path, count: int) -> None:
    original = RNG.integers(0, 256, (count, 4, 4, 1), dtype=np.uint8)
    kept = np.delete(np.arange(count), [1, 4])
    np.save(tmp_path / "packed.npy", original)
    np.save(tmp_path / "expected.npy", original[kept])
    repack(tmp_path / "packed.npy", kept)
    assert (tmp_path / "packed.npy").read_bytes() == (tmp_path / "expected.npy").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["expected.npy", "packed.npy"]
