"""Time what the project does itself against the library's own way, on the same work.

    python benchmarks/against_libraries.py          # writes benchmarks/results/against_libraries.md
    python benchmarks/against_libraries.py quick    # little work, as a smoke test

Views: processes of `Drawers` against workers of torch's `DataLoader`, which draw the same bytes. Heads: a training step
of `StackedHeads` against `vmap` over `torch.func.functional_call`, with the same optimizer. Import: torchvision's
models with and without the stub for torch's compiler.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from workload import about, first_rows, medians, part_of, policy_of, prepared_set, publish, scratch

from medtransfer.augmentation.drawers import Drawers, drawer_count
from medtransfer.augmentation.views import ViewMaker
from medtransfer.study import Strategy
from medtransfer.training.optimizers import optimizer_of
from medtransfer.training.stacked_heads import StackedHeads
from medtransfer.util.text import markdown_table

RATES, COHORT, ROWS, WIDTH, CLASSES = 4, 15, 32, 576, 14
IMPORTS = {
    "with the stub": "from medtransfer.models.torchvision_models import models; models()",
    "without": "import torch._dynamo; from medtransfer.models.torchvision_models import models; models()",
}
Drawn = tuple[np.ndarray, np.ndarray]


class ViewSet(Dataset[Drawn]):
    """Views of some images, as a data set of torch's."""

    def __init__(self, maker: ViewMaker, rows: np.ndarray) -> None:
        self._maker, self._rows = maker, rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, position: int) -> Drawn:
        """Draw view 0 of an image."""
        return self._maker.draw(int(self._rows[position]), 0)


def stacked(batch: list[Drawn]) -> Drawn:
    """Stack the views of a batch and their labels."""
    pixels, labels = zip(*batch, strict=True)
    return np.stack(pixels), np.stack(labels)


def loaded(maker: ViewMaker, rows: np.ndarray) -> Drawn:
    """Draw views by workers of a `DataLoader`."""
    workers = drawer_count()
    loader = DataLoader(
        ViewSet(maker, rows), ROWS, num_workers=workers, collate_fn=stacked, multiprocessing_context="fork"
    )
    pixels, labels = zip(*loader, strict=True)
    return np.concatenate(pixels), np.concatenate(labels)


def in_batches(draw: Callable[[np.ndarray], Drawn], rows: np.ndarray) -> None:
    """Draw batch after batch, as an epoch with fresh views does."""
    for start in range(0, len(rows), ROWS):
        draw(rows[start : start + ROWS])


def views(maker: ViewMaker, rows: np.ndarray, repeats: int) -> list[list[str]]:
    """Return a table row for all images at once and one for batch after batch."""
    drawers = Drawers(maker)
    ours, theirs = partial(drawers.draw, view=0), partial(loaded, maker)
    assert all(np.array_equal(mine, yours) for mine, yours in zip(ours(rows), theirs(rows), strict=True))
    some = rows[: 8 * ROWS]
    found = [
        row(f"{len(rows)} views at once", medians(repeats, ours=partial(ours, rows), theirs=partial(theirs, rows))),
        row(
            f"{len(some)} views, {ROWS} at a time",
            medians(repeats, ours=partial(in_batches, ours, some), theirs=partial(in_batches, theirs, some)),
        ),
    ]
    drawers.close()
    return found


def heads(steps: int, repeats: int) -> list[str]:
    """Return a table row for training steps of linear heads that share their batches in groups of `RATES`."""
    torch.manual_seed(0)
    runs, strategy = RATES * COHORT, Strategy(train="head")
    modules = [nn.Sequential(nn.Linear(WIDTH, CLASSES)) for _ in range(runs)]
    features, labels = torch.randn(COHORT, ROWS, WIDTH), torch.randint(CLASSES, (COHORT, ROWS))
    each, rates = labels.repeat_interleave(RATES, dim=0), torch.linspace(1e-4, 3e-3, runs)
    parameters, buffers = stack_module_state(modules)
    optimizer = optimizer_of([{"params": list(parameters.values()), "lr": 1.0}], strategy)
    batched = vmap(lambda values, rows: functional_call(modules[0], (values, buffers), (rows,)))
    stack = StackedHeads(modules, strategy, [runs], [{}] * runs)

    def ours() -> None:
        for _ in range(steps):
            leaves = stack.parameters(slice(runs))
            logits = stack.logits(features, slice(runs), leaves, [])
            loss = functional.cross_entropy(logits.transpose(1, 2), each, reduction="none").mean(dim=1).sum()
            stack.step(dict(zip(leaves, torch.autograd.grad(loss, list(leaves.values())), strict=True)), rates)

    def theirs() -> None:
        for _ in range(steps):
            logits = batched(parameters, features.repeat_interleave(RATES, dim=0))
            loss = functional.cross_entropy(logits.transpose(1, 2), each, reduction="none").mean(dim=1).sum()
            before = [value.detach().clone() for value in parameters.values()]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                for value, old in zip(parameters.values(), before, strict=True):
                    torch.lerp(old, value, rates.view(-1, *[1] * (value.ndim - 1)), out=value)

    return row(f"{steps} steps of {runs} heads", medians(repeats, ours=ours, theirs=theirs))


def imports(repeats: int) -> list[str]:
    """Return a table row for importing torchvision's models."""
    ours, theirs = (partial(subprocess.run, [sys.executable, "-c", code], check=True) for code in IMPORTS.values())
    return row("import of torchvision's models", medians(repeats, ours=ours, theirs=theirs))


def row(work: str, times: dict[str, float]) -> list[str]:
    """Return the cells of one comparison."""
    return [work, f"{times['ours']:.2f}", f"{times['theirs']:.2f}", f"{times['theirs'] / times['ours']:.2f}"]


def main(quick: bool) -> None:
    """Measure and publish."""
    repeats = 1 if quick else 5
    with scratch() as folder:
        prepared = prepared_set(folder / "set")
        said = about(prepared)
        if quick:
            prepared = part_of(prepared, folder / "part", first_rows(prepared, 64, 8, 8))
        maker = ViewMaker(prepared, policy_of(1), 0)
        table = [
            *views(maker, prepared.roles(0).train, repeats),
            heads(20 if quick else 500, repeats),
            imports(repeats),
        ]
        header = ["work", "the project's, s", "the library's, s", "ratio"]
        publish("against_libraries", markdown_table(header, table), said, keep=not quick)


if __name__ == "__main__":
    main(sys.argv[1:] == ["quick"])
