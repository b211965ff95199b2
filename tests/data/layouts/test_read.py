"""The table that describes a set."""

from __future__ import annotations

from medtransfer.data.layouts.describe import describe_set
from medtransfer.data.layouts.detect import resolve_layout
from medtransfer.data.layouts.read import read_layout

from .detection import AUTO, SPLITS


def test_the_table_is_aligned_and_counts_everything(write_set) -> None:
    root = write_set(f"{SPLITS} spare/a.png", {"readme.md": "", "a.txt": "", "b.txt": ""})
    layout = resolve_layout(root, AUTO)
    assert describe_set(root, layout, read_layout(root, layout)).replace(str(root), "RAW").splitlines() == [
        "layout   split_folders",
        "root     RAW",
        "classes  cyst             2",
        "         normal           1",
        "splits   test             1",
        "         train            2",
        "ignored  .txt files       2",
        "         images in spare  1",
        "         readme.md        1",
    ]
