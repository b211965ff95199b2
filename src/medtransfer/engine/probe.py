"""The cost of training and running a variant's network on this machine, measured on a few random images.

Run as a program, in a process of its own, so that its memory is that of a training stage:

    python -m medtransfer.engine.probe VARIANT CHANNELS OUTPUTS
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from medtransfer.util.errors import UserError
from medtransfer.util.hardware import peak_memory_mb

if TYPE_CHECKING:
    from torch import Tensor

    from medtransfer.models.network import Network
    from medtransfer.study import Strategy

LEAST, MOST, SECONDS = 3, 20, 1.0
"""Repeats of each measurement, of which the median counts: the least, the most, and the time they may take."""
IMAGES = 32


@dataclass(frozen=True)
class Probe:
    """Seconds per image, and memory.

    start: seconds until a stage can begin. prefix: the frozen layers whose output is cached; 0 if there are none.
    features: the key of that output, of untrained weights; None if nothing is cached. row_bytes: its size per image.
    step: forward, backward and optimizer step of the layers behind the prefix. forward: of those alone, in eval mode.
    memory: the peak of the whole process, in MB.
    """

    start: float
    prefix: float
    features: str | None
    row_bytes: int
    step: float
    forward: float
    memory: float


def probe(name: str, channels: int, outputs: int) -> Probe:
    """Probe the network of a variant of `params.yaml` in a process of its own."""
    command = [sys.executable, "-m", "medtransfer.engine.probe", name, str(channels), str(outputs)]
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if done.returncode:
        reason = (done.stderr.strip() or "killed").splitlines()[-1]
        raise UserError(f"variants.{name}: its network cannot be probed: {reason}")
    found = json.loads(done.stdout.splitlines()[-1])
    return Probe(start=seconds - found.pop("busy"), **found)


def measure(name: str, channels: int, outputs: int) -> dict[str, Any]:
    """Measure the fields of `Probe` except `start`, and the time that took, `busy`.

    The weights are random: they do not matter to the cost, and may not be downloaded yet.
    """
    import numpy as np
    import torch

    from medtransfer.features.embedder import embedder_of
    from medtransfer.models.assemble import Weights
    from medtransfer.models.gradient_checkpointing import forget_activations
    from medtransfer.models.low_rank import add_adapters
    from medtransfer.models.network import Normalise, to_channels_first
    from medtransfer.models.weights_card import without_weights
    from medtransfer.study import load_study
    from medtransfer.tasks import TASKS
    from medtransfer.util.compute import choose_compute, in_precision

    study = load_study()
    variant, compute = study.variant(name), choose_compute(study.params.training.device)
    variant = replace(variant, strategy=variant.strategy.model_copy(update={"init": "random"}))
    task, size = TASKS[study.params.study.task], study.params.data.image_size
    weights, grey = Weights(None, without_weights(variant.model), None), (0.5, 0.5, 0.5)
    started = time.perf_counter()
    outputs = task.width(outputs, variant.strategy.loss)
    network = task.assemble(variant, weights, outputs, size, Normalise(grey, grey), (0, 0))
    add_adapters(network, variant.strategy, (0, 0))
    if variant.strategy.gradient_checkpointing:
        forget_activations(network)
    network.to(compute.device)
    compute = in_precision(compute, study.params.training.precision, network, channels, size)
    embedder = None if task.per_pixel else embedder_of(network, size, compute)
    shape = (max(IMAGES, variant.strategy.batch_size), size, size, channels)
    pixels = np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)
    found: dict[str, Any] = {"prefix": 0.0, "features": None, "row_bytes": 0}
    run, inputs = network.forward, to_channels_first(pixels).to(compute.device)
    if embedder is not None:
        prefix = _seconds(lambda: embedder.activations(pixels[:IMAGES]), IMAGES, train=False)
        found = {"prefix": prefix, "features": embedder.key, "row_bytes": embedder.row_bytes}
        rows = [embedder.activations(pixels[start : start + IMAGES]) for start in range(0, len(pixels), IMAGES)]
        run, inputs = embedder.rest.forward, torch.cat(rows).to(compute.device)
    with compute.autocast():
        found["forward"] = _seconds(lambda: run(inputs[:IMAGES]), IMAGES, train=False)
        found["step"] = _step(network, variant.strategy, run, inputs[: variant.strategy.batch_size])
    return found | {"memory": peak_memory_mb(), "busy": time.perf_counter() - started}


def _step(network: Network, strategy: Strategy, run: Callable[[Tensor], Tensor], inputs: Tensor) -> float:
    """Return the seconds per image of a training step; 0 if the head is fitted in one step, or nothing trains."""
    from medtransfer.models.heads import HEADS
    from medtransfer.training.optimizers import build_optimizer

    if HEADS[strategy.head].fitted or strategy.train == "none":
        return 0.0
    optimizer = build_optimizer(network, strategy)
    network.train()

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        run(inputs).float().square().mean().backward()
        optimizer.step()

    return _seconds(step, len(inputs), train=True)


def _seconds(function: Callable[[], Any], images: int, train: bool) -> float:
    """Return the median seconds per image, without the first call."""
    import torch

    times: list[float] = []
    with torch.set_grad_enabled(train):
        function()
        while len(times) < LEAST or (sum(times) < SECONDS and len(times) < MOST):
            started = time.perf_counter()
            function()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            times.append(time.perf_counter() - started)
    return sorted(times)[len(times) // 2] / images


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))  # noqa: T201 - read by `probe`
