"""Where the pictures that go with a table lie: in a folder beside it, named like the images they belong to."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from medtransfer.files import atomic_folder


class Pictures:
    """A folder with a picture for each of `files`, at the same place below what all files have in common.

    `scan.jpg` becomes `scan_KIND.png`; where two images would share a name the later one gets a number. The pictures
    are written to `folder`, which is to become `shown`.
    """

    def __init__(self, folder: Path, shown: Path, files: Sequence[Path], kind: str) -> None:
        self._folder, self._shown, self._kind = folder, shown, kind
        self._common = os.path.commonpath([file.absolute().parent for file in files])
        self._taken: set[Path] = set()

    def save(self, file: Path, picture: Image.Image) -> Path:
        """Write a file's picture and give the path that it will have."""
        relative = Path(os.path.relpath(file.absolute(), self._common))
        number, path = 1, relative.with_name(f"{relative.stem}_{self._kind}.png")
        while path in self._taken:
            number += 1
            path = relative.with_name(f"{relative.stem}_{number}_{self._kind}.png")
        self._taken.add(path)
        (self._folder / path).parent.mkdir(parents=True, exist_ok=True)
        picture.save(self._folder / path)
        return self._shown / path


@contextmanager
def pictures_beside(table: Path, files: Sequence[Path], kind: str) -> Iterator[Pictures]:
    """Open the folder `TABLE_KINDs`, which replaces what is there once all its pictures are written."""
    folder = table.with_name(f"{table.stem}_{kind}s")
    with atomic_folder(folder) as temporary:
        yield Pictures(temporary, folder, files, kind)
