"""The folder of pictures next to a table of predictions."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from medtransfer.deployment.tables import pictures_next_to

PICTURE = Image.new("L", (2, 2))


def test_pictures_are_in_folders_like_those_of_their_images_and_have_unique_names(tmp_path: Path) -> None:
    files = [tmp_path / "set" / name for name in ("a/1.png", "b/1.png", "b/1.jpg")]
    with pictures_next_to(tmp_path / "out.csv", files, "mask") as pictures:
        shown = [pictures.save(file, PICTURE) for file in files]
    names = ["a/1_mask.png", "b/1_mask.png", "b/1_2_mask.png"]
    assert shown == [tmp_path / "out_masks" / name for name in names]
    assert all(path.is_file() for path in shown)


def test_an_earlier_folder_is_kept_until_the_new_one_is_complete(tmp_path: Path) -> None:
    table, file = tmp_path / "out.csv", tmp_path / "1.png"
    (tmp_path / "out_masks").mkdir()
    (tmp_path / "out_masks" / "old.png").touch()
    with pytest.raises(KeyboardInterrupt), pictures_next_to(table, [file], "mask") as pictures:
        pictures.save(file, PICTURE)
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.rglob("*.png")] == ["old.png"]
    with pictures_next_to(table, [file], "mask") as pictures:
        pictures.save(file, PICTURE)
    assert [path.name for path in tmp_path.rglob("*.png")] == ["1_mask.png"]
