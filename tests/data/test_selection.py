"""Which files of a set count."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medtransfer.data.selection import summary_of, unwanted_files
from medtransfer.study import Files
from medtransfer.util.errors import UserError

NAMES = ["a/1.png", "a/2.jpg", "b/deep/1.png", "b/3.png", "labels.csv"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("set")
    for name in [*NAMES, "a/.hidden.png"]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    ("files", "left_out"),
    [
        ({}, []),
        ({"exclude": ["b/*"]}, ["b/3.png", "b/deep/1.png"]),
        ({"exclude": ["*.jpg", "labels.csv"]}, ["a/2.jpg", "labels.csv"]),
        ({"include": ["*/1.png"]}, ["a/2.jpg", "b/3.png", "labels.csv"]),
        ({"include": ["*.png"], "exclude": ["b/deep/*"]}, ["a/2.jpg", "b/deep/1.png", "labels.csv"]),
        ({"exclude": ["?/[23].*"]}, ["a/2.jpg", "b/3.png"]),
    ],
)
def test_patterns_select_files_by_their_paths(root: Path, files: dict[str, list[str]], left_out: list[str]) -> None:
    assert unwanted_files(root, Files(**files)) == left_out


def test_a_pattern_without_files_is_an_error_that_shows_what_a_path_looks_like(root: Path) -> None:
    with pytest.raises(UserError) as raised:
        unwanted_files(root, Files(include=["*.png"], exclude=["1.png", "c/*"]))
    assert [line.split(", such as")[0] for line in raised.value.problems] == [
        "data.files.exclude: '1.png' matches none of the 5 files",
        "data.files.exclude: 'c/*' matches none of the 5 files",
    ]


def test_patterns_that_leave_no_image_are_an_error(root: Path) -> None:
    with pytest.raises(UserError, match=r"^data\.files: the patterns leave no image$"):
        unwanted_files(root, Files(include=["*.csv"]))


@given(st.lists(st.text("ab123*?/.", min_size=1, max_size=6), min_size=1, max_size=3))
def test_every_file_is_kept_or_left_out_as_the_standard_library_matches_it(root: Path, patterns: list[str]) -> None:
    hit = {name for name in NAMES if any(fnmatchcase(name, pattern) for pattern in patterns)}
    idle = [pattern for pattern in patterns if not any(fnmatchcase(name, pattern) for name in NAMES)]
    try:
        left_out = unwanted_files(root, Files(exclude=patterns))
    except UserError as error:
        assert idle or not [name for name in NAMES if name not in hit and not name.endswith(".csv")], error
    else:
        assert left_out == sorted(hit)
        assert not idle


def test_the_summary_counts_all_and_names_some() -> None:
    paths = [f"{number:03}.png" for number in range(60)]
    assert summary_of({"unreadable": paths, "beyond": []}) == {"unreadable": {"images": 60, "paths": paths[:50]}}
