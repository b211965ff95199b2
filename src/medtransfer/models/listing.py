"""The backbones that a study can name, with their size, as a table for people."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatch

import torch
from torch.utils.flop_counter import FlopCounterMode

from medtransfer.models.families import FAMILIES, ClassifierFamily, build_on_meta
from medtransfer.util.errors import UserError, near
from medtransfer.util.progress import progress
from medtransfer.util.text import MISSING, aligned

RIGHT = {"models", "pixels", "parameters", "multiply-adds"}
HEADER = ["model", "pixels", "parameters", "multiply-adds", "trained on", "licence", "weights, the default first"]
MOST = 60
"""More models are listed by name alone: each takes up to a second to build and count."""


def families_table() -> str:
    """Return the families, with the number of their models and some of them."""
    families = [(name, family.names()) for name, family in FAMILIES.items() if isinstance(family, ClassifierFamily)]
    rows = [[name, f"{len(models):,}", ", ".join(models[:3])] for name, models in families]
    return aligned(["family", "models", "such as"], rows, RIGHT) + _limits()


def backbones_table(pattern: str) -> str:
    """Return the models whose names match a shell pattern or contain a text, with their sizes.

    Multiply-adds are of one image of the size that the default weights were trained at.
    Raises `UserError` if no model matches.
    """
    wanted = pattern if any(sign in pattern for sign in "*?[") else f"*{pattern}*"
    names = [name for name in ClassifierFamily.all_names() if fnmatch(name, wanted)]
    if not names:
        raise UserError(f"no model matches {pattern!r}{near(pattern, ClassifierFamily.all_names())}")
    if len(names) > MOST:
        return "\n".join(
            [*names, f"{len(names)} models; a pattern of at most {MOST} shows their sizes and weights", ""]
        )
    rows: list[list[str]] = []
    with progress(len(names), "backbones", "model") as bar:
        for name in names:
            rows += [_row(name)]
            bar.update()
    return aligned(HEADER, rows, RIGHT) + _limits(names)


def _limits(names: Sequence[str] | None = None) -> str:
    """Return the limitations of these models, or of all; empty if there are none."""
    found = {
        pattern: reason
        for family in FAMILIES.values()
        if isinstance(family, ClassifierFamily)
        for pattern, reason in family.limits().items()
        if names is None or any(fnmatch(name, pattern) for name in names)
    }
    return "\n" + aligned(["model", "limit"], list(found.items())) if found else ""


def _row(name: str) -> list[str]:
    family = ClassifierFamily.of(name)
    size, weights = family.trained_size(name), family.weights_of(name)
    licence, data = (family.licence(name), family.pretraining_data(name)) if weights else ("", "")
    return [name, f"{size}", *_size(name, size), data or MISSING, licence or MISSING, ", ".join(weights) or MISSING]


def _size(name: str, pixels: int) -> tuple[str, str]:
    module = build_on_meta(name, pixels).eval().requires_grad_(False)
    parameters = sum(parameter.numel() for parameter in module.parameters())
    device = next(module.parameters()).device
    try:
        with torch.no_grad(), torch.device(device), FlopCounterMode(display=False) as counter:
            module(torch.zeros(1, 3, pixels, pixels))
    except (RuntimeError, NotImplementedError, TypeError):  # some models compute with the values of their tensors
        return f"{parameters / 1e6:,.1f} M", MISSING
    return f"{parameters / 1e6:,.1f} M", f"{counter.get_total_flops() / 2e9:,.2f} G"
