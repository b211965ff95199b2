"""The folder of pictures beside a table."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from medtransfer.deployment.rows import pictures_beside

PICTURE = Image.new("L", (2, 2))


def test_pictures_lie_as_their_images_do_and_no_name_is_used_twice(tmp_path: Path) -> None:
    files = [tmp_path / "set" / name for name in ("a/1.png", "b/1.png", "b/1.jpg")]
    with pictures_beside(tmp_path / "out.csv", files, "mask") as pictures:
        shown = [pictures.save(file, PICTURE) for file in files]
    names = ["a/1_mask.png", "b/1_mask.png", "b/1_2_mask.png"]
    assert shown == [tmp_path / "out_masks" / name for name in names]
    assert all(path.is_file() for path in shown)


def test_an_earlier_folder_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    (tmp_path / "out_masks").mkdir()
    (tmp_path / "out_masks" / "old.png").touch()
    with pytest.raises(KeyboardInterrupt), pictures_beside(tmp_path / "out.csv", [tmp_path / "1.png"], "mask") as found:
        found.save(tmp_path / "1.png", PICTURE)
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.rglob("*.png")] == ["old.png"]
    with pictures_beside(tmp_path / "out.csv", [tmp_path / "1.png"], "mask") as found:
        found.save(tmp_path / "1.png", PICTURE)
    assert [path.name for path in tmp_path.rglob("*.png")] == ["1_mask.png"]
