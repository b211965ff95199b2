"""A grid is written out as lines of `variants`: one per combination of levels."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_study import STUDY

from medtransfer.study import load_study
from medtransfer.study.use import grid_lines, read_study, use_study
from medtransfer.util.errors import UserError

GRID = """
grid:
  start: {head: {strategy: frozen}, whole: {strategy: scratch}}
  rate: {fast: {lr: 0.1}, slow: {lr: 0.001}}
  rest: {net: {backbone: cnn_small, augmentation: none, init: random}}
"""


@pytest.fixture
def studies(tmp_path: Path) -> Path:
    folder = tmp_path / "studies"
    folder.mkdir()
    (folder / "wide.yaml").write_text(STUDY + GRID, encoding="utf-8")
    return folder


def test_the_lines_join_those_of_variants(studies: Path, tmp_path: Path) -> None:
    target = tmp_path / "params.yaml"
    use_study("wide", [], studies, target)
    study = load_study(target)
    lines = ["head_fast_net", "head_slow_net", "whole_fast_net", "whole_slow_net"]
    assert [name for name in study.variants if name.endswith("_net")] == lines
    assert "head_only" in study.variants
    assert study.variant("whole_slow_net").strategy.lr == 0.001
    assert study.variant("whole_slow_net").strategy_name == "scratch"
    assert (
        "  head_slow_net: {strategy: frozen, lr: 0.001, backbone: cnn_small, augmentation: none, init: random}\n"
        in (target.read_text(encoding="utf-8"))
    )
    assert "grid:" not in target.read_text(encoding="utf-8")
    assert read_study(studies / "wide.yaml").variants == study.variants


def test_changes_apply_to_axes_first_and_then_to_lines(studies: Path, tmp_path: Path) -> None:
    target = tmp_path / "params.yaml"
    changes = [
        "variants.head_only_net.epochs=9",
        "grid.rate={only: {lr: 0.5}}",
        "grid.start={head: {strategy: frozen}}",
    ]
    use_study("wide", changes, studies, target)
    line = load_study(target).variant("head_only_net")
    assert (line.strategy.lr, line.strategy.epochs) == (0.5, 9)


def test_params_with_a_grid_are_refused(studies: Path) -> None:
    with pytest.raises(UserError, match="`medtransfer use NAME` expands it"):
        load_study(studies / "wide.yaml")


@pytest.mark.parametrize(
    ("grid", "line"),
    [
        ([], "grid: expected axes"),
        ({"rate": {"fast": 0.1}}, "grid.rate: expected levels, each with its fields"),
        ({"a": {"x": {"lr": 1}}, "b": {"y": {"lr": 2}}}, "grid.b: lr is also set by the axis a"),
    ],
)
def test_a_wrong_grid_is_an_error(grid: object, line: str) -> None:
    with pytest.raises(UserError, match=line):
        grid_lines(grid, "file")


def test_a_line_that_exists_already_is_an_error(studies: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="head_only: variants already has these lines"):
        use_study("wide", ["grid={all: {head_only: {strategy: frozen}}}"], studies, tmp_path / "params.yaml")


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_there_is_one_line_per_combination_of_levels(sizes: list[int]) -> None:
    grid = {f"a{i}": {f"l{j}": {f"field{i}": j} for j in range(size)} for i, size in enumerate(sizes)}
    lines = grid_lines(grid, "file")
    count = 1
    for size in sizes:
        count *= size
    assert len(lines) == count
    assert len({tuple(sorted(fields.items())) for fields in lines.values()}) == count
