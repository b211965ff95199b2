"""Second copies of a set are found by their bytes, and only where leaving them out loses nothing."""

from __future__ import annotations

import pytest

from medtransfer.data.layouts.copies import find_copies
from medtransfer.data.layouts.describe import Aside, describe_set
from medtransfer.data.layouts.detect import resolve_layout
from medtransfer.data.layouts.read import as_yaml, read_layout
from medtransfer.util.errors import UserError

from .detection import AUTO

TWO = {"yes/a.png": "1", "yes/b.png": "2", "no/a.png": "3", "no/c.png": "4"}


def below(folder: str, files: dict[str, str] = TWO) -> dict[str, str]:
    return {f"{folder}/{name}": content for name, content in files.items()}


@pytest.mark.parametrize(
    ("files", "copied"),
    [
        (TWO | below("all"), ["all/no", "all/yes"]),
        (below("set") | below("set/set"), ["set/set/no", "set/set/yes"]),
        (below("X ") | below("x/X "), ["x/X /no", "x/X /yes"]),
        (below("PART_1") | below("part_1"), ["part_1/no", "part_1/yes"]),
        (TWO, []),
        (TWO | below("all") | {"all/no/c.png": "5"}, []),
        (TWO | below("all") | {"all/other/d.png": "5"}, []),
        (below("train") | below("test"), []),
        (TWO | below("test"), []),
        (below("one") | below("two"), []),
        ({"cat/a.png": "1", "dog/a.png": "1"}, []),
    ],
    ids=["all", "twice its name", "another case above", "another case", "none", "another picture", "another folder",
         "two splits", "a split and the whole", "two centres", "two classes"],
)  # fmt: skip
def test_a_copy_has_the_same_bytes_in_a_folder_of_the_same_name(
    write_set, files: dict[str, str], copied: list[str]
) -> None:
    copies = find_copies(write_set("", files), ".")
    assert sorted({path.rsplit("/", 1)[0] for path in copies}) == copied
    assert all(files[copy] == files[original] for copy, original in copies.items())


def test_a_copied_set_is_read_once_and_the_copies_are_named(write_set) -> None:
    root = write_set("", TWO | below("all"))
    copies = find_copies(root, ".")
    layout = resolve_layout(root, AUTO, copies)
    table = read_layout(root, layout, copies)
    assert as_yaml(layout) == "class_folders"
    assert list(table["path"]) == sorted(TWO)
    lines = describe_set(root, layout, table, Aside(copies=copies)).splitlines()
    assert [line.split() for line in lines if "all/" in line] == [
        ["copies", "all/no", "of", "no", "2"],
        ["all/yes", "of", "yes", "2"],
    ]


def test_masks_next_to_a_copy_are_still_refused(write_set) -> None:
    files = {"x/a.png": "1", "x/a_mask.png": "2", "y/b.png": "3"}
    root = write_set("", files | below("all", files))
    with pytest.raises(UserError, match="1 of 3 images are masks of others"):
        resolve_layout(root, AUTO, find_copies(root, "."))


def test_copies_are_only_looked_for_below_the_root(write_set) -> None:
    assert find_copies(write_set("", TWO | below("all")), "all") == {}
