"""The section `grid` of a study file: many lines of `variants` from a few axes, written out before they run.

    grid:
      backbone: {vgg19: {backbone: vgg19}, resnet50: {backbone: resnet50, head_batch_norm: true}}
      rate: {lr1e2: {lr: 0.01}, lr1e4: {lr: 1.0e-4}}

makes the lines `vgg19_lr1e2`, `vgg19_lr1e4`, `resnet50_lr1e2` and `resnet50_lr1e4`: one of each level of each
axis, with the fields of its levels together. `params.yaml` itself never has a grid, so that a reader and DVC
see every line.
"""

from __future__ import annotations

from itertools import product
from typing import Any

from medtransfer.errors import UserError


def grid_lines(grid: Any, where: str) -> dict[str, dict[str, Any]]:
    """Give the lines of a grid by their names, in the order of its axes.

    Raises `UserError` where it is no mapping of axes to levels to fields, or two axes set the same field.
    """
    problems = list(_problems(grid))
    if problems:
        raise UserError([f"{where}: {problem}" for problem in problems])
    axes = [list(levels.items()) for levels in grid.values()]
    return {
        "_".join(name for name, _ in chosen): {key: value for _, fields in chosen for key, value in fields.items()}
        for chosen in product(*axes)
    }


def write_out(document: Any, where: str) -> None:
    """Replace the section `grid` of a study, in place, by its lines at the end of `variants`.

    Raises `UserError` where a line of that name stands there already.
    """
    if not isinstance(document, dict) or "grid" not in document:
        return
    lines = grid_lines(document.pop("grid"), where)
    variants = document.setdefault("variants", {})
    if not isinstance(variants, dict):
        raise UserError(f"{where}: variants: expected a section of lines, but got {variants!r}")
    if twice := sorted(lines.keys() & variants.keys()):
        raise UserError(f"{where}: grid: {', '.join(twice)}: these lines stand in variants already")
    variants.update(lines)


def _problems(grid: Any) -> list[str]:
    if not isinstance(grid, dict) or not grid:
        return [f"grid: expected axes, such as backbone: {{vgg19: {{backbone: vgg19}}}}, but got {grid!r}"]
    problems: list[str] = []
    owner: dict[str, str] = {}
    for axis, levels in grid.items():
        if not isinstance(levels, dict) or not levels or not all(isinstance(f, dict) for f in levels.values()):
            problems.append(f"grid.{axis}: expected levels, each with its fields, but got {levels!r}")
            continue
        for key in {key for fields in levels.values() for key in fields}:
            if owner.setdefault(key, axis) != axis:
                problems.append(f"grid.{axis}: {key} is set by the axis {owner[key]} too")
    return sorted(problems)
