"""Whether compiling a network pays for itself: a training step as it is and compiled, and how long compiling takes.

    python benchmarks/compiled.py          # on an idle machine; writes benchmarks/results/compiled.md
    python benchmarks/compiled.py quick    # one small backbone, to see that it runs

A step is forward, backward and the optimizer's, on 32 images of 224 pixels that are in memory, as precise as
`training.precision: auto` has it. Compiling is what the first steps take beyond usual ones; that, divided by what a
step gains, is how many steps, and epochs of a thousand images, a run needs before compiling has paid. The mode
`reduce-overhead` replays CUDA graphs.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from workload import compute, publish, scratch, weights_of

from medtransfer.models.assemble import assemble
from medtransfer.models.network import Network, Normalise
from medtransfer.study import Backbone, Policy, Strategy, Variant
from medtransfer.training.optimizers import build_optimizer
from medtransfer.util.compute import Compute, in_precision
from medtransfer.util.text import markdown_table

MODELS = ("mobilenet_v3_small", "resnet18")
BATCH, SIZE, CLASSES, WARM, REPEATS = 32, 224, 14, 3, 20


def network_of(model: str, folder: Path) -> tuple[Network, Strategy]:
    """Build a network that trains whole."""
    strategy = Strategy.model_validate({"train": "all"})
    variant = Variant("compiled", model, Backbone(weights="none"), "s", strategy, "a", Policy(transforms=[]))
    weights, grey = weights_of(model, folder), Normalise((0.5,) * 3, (0.2,) * 3)
    return assemble(variant, weights, CLASSES, SIZE, grey, (0, 0)).to(compute().device), strategy


def step_seconds(
    network: nn.Module, run: Callable[..., torch.Tensor], strategy: Strategy, place: Compute
) -> list[float]:
    """Time steps, each to its end."""
    pixels = torch.randint(256, (BATCH, 1, SIZE, SIZE), dtype=torch.uint8).to(place.device)
    labels = torch.randint(CLASSES, (BATCH,)).to(place.device)
    optimizer = build_optimizer(network, strategy)
    network.train()
    times = []
    for _ in range(WARM + REPEATS):
        started = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        with place.autocast():
            loss = nn.functional.cross_entropy(run(pixels), labels)
        loss.backward()
        optimizer.step()
        loss.item()
        if place.device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return times


def measure(model: str, folder: Path) -> list[list[str]]:
    """Give the rows of a model: as it is, and compiled in each mode."""
    network, strategy = network_of(model, folder)
    place = in_precision(compute(), "auto", network, 1, SIZE)
    plain = statistics.median(step_seconds(network, network, strategy, place)[WARM:])
    rows = [[f"{model}, {place.precision}", f"{1000 * plain:.2f}", f"{BATCH / plain:,.0f}", "", "", "", ""]]
    for mode in ("default", "reduce-overhead") if place.device.type == "cuda" else ("default",):
        torch._dynamo.reset()
        times = step_seconds(network, torch.compile(network, mode=mode), strategy, place)
        step = statistics.median(times[WARM:])
        compiling, gain = sum(times[:WARM]) - WARM * step, plain - step
        paid = (
            [f"{compiling / gain:,.0f}", f"{compiling / gain / (1000 / BATCH):,.0f}"]
            if gain > 0
            else ["never", "never"]
        )
        figures = [f"{1000 * step:.2f}", f"{BATCH / step:,.0f}", f"{plain / step:.2f}", f"{compiling:.0f}", *paid]
        rows.append([f"- compiled, {mode}", *figures])
        print(*rows[-1], flush=True)
    return rows


def main(quick: bool) -> None:
    """Measure each model and publish."""
    with scratch() as folder:
        rows = [row for model in MODELS[: 1 if quick else None] for row in measure(model, folder)]
    header = ["A step of 32 images", "ms", "images/s", "times faster", "compiling, s", "paid after steps", "or epochs"]
    publish("compiled", markdown_table(header, rows), "An epoch is of 1,000 images.", keep=not quick)


if __name__ == "__main__":
    main(sys.argv[1:] == ["quick"])
