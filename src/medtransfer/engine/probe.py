"""What training and running a variant's network costs an image on this machine, from a few made-up images.

Run as a program, in a process of its own, so that its memory is that of a training stage:

    python -m medtransfer.engine.probe VARIANT CHANNELS OUTPUTS
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medtransfer.util.errors import UserError
from medtransfer.util.hardware import peak_memory_mb

if TYPE_CHECKING:
    from torch import Tensor

    from medtransfer.features.cut import Division
    from medtransfer.models.network import Network
    from medtransfer.study import Strategy, Variant

LEAST, MOST, SECONDS = 3, 20, 1.0
"""Repeats of each measurement, of which the median counts: at least, at most, and how long they may take."""

IMAGES = 32


@dataclass(frozen=True)
class Probe:
    """Seconds an image, and memory.

    prefix: the frozen layers whose output is kept; 0 where there are none. row_bytes: what is kept of an image; None
    where nothing is. step: forward, backward and the optimizer, of what lies behind the prefix. forward: of that alone,
    in eval mode. start: seconds until a stage can begin. memory: of the whole process, in MB.
    """

    start: float
    prefix: float
    row_bytes: int | None
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
        raise UserError(
            f"{name}: its network could not be probed: {(done.stderr.strip() or 'killed').splitlines()[-1]}"
        )
    found = json.loads(done.stdout.splitlines()[-1])
    return Probe(start=seconds - found.pop("busy"), **found)


def measure(name: str, channels: int, outputs: int) -> dict[str, Any]:
    """Measure what `Probe` tells, its start aside, and how long that took: `busy`."""
    from medtransfer.models.assemble import Weights
    from medtransfer.models.gradient_checkpointing import forget_activations
    from medtransfer.models.network import Normalise
    from medtransfer.models.weights import without_weights
    from medtransfer.study import load_study
    from medtransfer.tasks import TASKS
    from medtransfer.util.compute import choose_compute, in_precision

    study = load_study()
    variant, compute = _untrained(study.variant(name)), choose_compute(study.params.training.device)
    task, size = TASKS[study.params.study.task], study.params.data.image_size
    weights, grey = Weights(None, without_weights(variant.model), None), (0.5, 0.5, 0.5)
    started = time.perf_counter()
    network = task.assemble(variant, weights, outputs, size, Normalise(grey, grey), (0, 0)).to(compute.device)
    if variant.strategy.gradient_checkpointing:
        forget_activations(network)
    compute = in_precision(compute, study.params.training.precision, network, channels, size)
    with compute.autocast():
        division = _division(network, size) if task.flat_features else None
        pixels = _pixels(max(IMAGES, variant.strategy.batch_size), channels, size).to(compute.device)
        found: dict[str, Any] = {"prefix": 0.0, "row_bytes": None}
        run, inputs = network.forward, pixels
        if division is not None:
            prefix = division.prefix
            found = {"prefix": _seconds(lambda: prefix(pixels[:IMAGES]), IMAGES, train=False)}
            found["row_bytes"] = division.row_bytes
            run, inputs = division.rest.forward, _without_gradients(lambda: prefix(pixels))
        found["forward"] = _seconds(lambda: run(inputs[:IMAGES]), IMAGES, train=False)
        found["step"] = _step(network, variant.strategy, run, inputs[: variant.strategy.batch_size])
    return found | {"memory": peak_memory_mb(), "busy": time.perf_counter() - started}


def _untrained(variant: Variant) -> Variant:
    """Give the variant with random weights: what they are costs nothing, and they need not be there yet."""
    from dataclasses import replace

    return replace(variant, strategy=variant.strategy.model_copy(update={"init": "random"}))


def _division(network: Network, image_size: int) -> Division | None:
    from medtransfer.features.cut import divide
    from medtransfer.features.graph import NotDivisibleError

    try:
        return divide(network, image_size)
    except NotDivisibleError:
        return None


def _pixels(count: int, channels: int, size: int) -> Tensor:
    import torch

    return torch.randint(256, (count, channels, size, size), dtype=torch.uint8)


def _step(network: Network, strategy: Strategy, run: Callable[[Tensor], Tensor], inputs: Tensor) -> float:
    """Give the seconds an image of a training step; 0 where a head is fitted at once, or nothing trains."""
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


def _without_gradients(function: Callable[[], Tensor]) -> Tensor:
    import torch

    with torch.no_grad():
        return function()


def _seconds(function: Callable[[], Any], images: int, train: bool) -> float:
    """Give the median seconds an image, the first call left out."""
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
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))  # noqa: T201 - to the process that asked
