"""Measure whether `torch.compile` pays for itself: training steps with and without it, and the time to compile.

    python benchmarks/compiled.py          # on an idle machine; writes benchmarks/results/compiled.md
    python benchmarks/compiled.py quick    # one small backbone, as a smoke test

A step is forward, backward and optimizer step on 32 images of 224 pixels in memory, in the precision that
`training.precision: auto` chooses. Compile time is the extra time of the first steps; divided by the time saved per
step, it gives the number of steps, and of epochs of 1,000 images, after which compiling has paid off. The mode
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
    """Build a network in which all layers train."""
    strategy = Strategy.model_validate({"train": "all"})
    variant = Variant("compiled", model, Backbone(weights="none"), "s", strategy, "a", Policy(transforms=[]))
    weights, grey = weights_of(model, folder), Normalise((0.5,) * 3, (0.2,) * 3)
    return assemble(variant, weights, CLASSES, SIZE, grey, (0, 0)).to(compute().device), strategy


def step_seconds(
    network: nn.Module, run: Callable[..., torch.Tensor], strategy: Strategy, place: Compute
) -> list[float]:
    """Return the seconds of each step, synchronised with the device."""
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
    """Return the table rows of a model: eager, and compiled in each mode."""
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
    header = ["Step of 32 images", "ms", "images/s", "speed-up", "compile time, s", "pays off after steps", "epochs"]
    publish("compiled", markdown_table(header, rows), "An epoch has 1,000 images.", keep=not quick)


if __name__ == "__main__":
    main(sys.argv[1:] == ["quick"])
