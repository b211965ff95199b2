"""The device and the precision that a stage computes with; Which precision a network's own work is faster in on this machine: measured once, and the same from then on."""

from __future__ import annotations

import contextlib
import copy
import os
import time
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from medtransfer.util.errors import UserError
from medtransfer.util.files import measured
from medtransfer.util.hardware import cpu_count, processor
from medtransfer.util.progress import notice


@dataclass(frozen=True)
class Compute:
    """Where and how precisely networks run."""

    device: torch.device
    precision: str

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """Give the context that lowers the precision of what may be lowered.

        It keeps no lowered weights: a pass needs them once, and a recorded one has to make them itself.
        """
        if self.precision == "bfloat16":
            return torch.autocast(self.device.type, dtype=torch.bfloat16, cache_enabled=False)
        return contextlib.nullcontext()

    def describe(self) -> dict[str, Any]:
        """Say what decides the last bits of a result; sums on a processor depend on how threads divide them."""
        threads = torch.get_num_threads() if self.device.type == "cpu" else 0
        return {"device": self.name(), "precision": self.precision, "threads": threads, "torch": torch.__version__}

    def name(self) -> str:
        """Name the processor or the graphics card."""
        if self.device.type == "cuda":
            return torch.cuda.get_device_name(self.device)
        return f"{self.device.type}: {processor()}"


def choose_compute(wanted: str) -> Compute:
    """Take CUDA, then MPS, then the CPU where the device is `auto`, float32, and make torch deterministic.

    Which precision `training.precision` comes to depends on the network: see `in_precision`.

    Raises `UserError` where the device asked for is not there.
    """
    name = wanted
    if name == "auto":
        name = next(kind for kind in ("cuda", "mps", "cpu") if is_available(kind))
    if not is_available(name):
        raise UserError(f"training.device: {name} is not available to torch on this machine; use auto or cpu")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is deterministic only with it
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined] # a help for debugging
    torch.set_deterministic_debug_mode("warn")  # `use_deterministic_algorithms` imports the compiler: a second
    if name == "cuda":
        # float32 is float32; lower precision is asked for
        torch.backends.cudnn.conv.fp32_precision = "ieee"  # type: ignore[attr-defined]
    torch.set_num_threads(int(os.environ.get("MEDTRANSFER_THREADS", cpu_count())))
    return Compute(torch.device(name), "float32")


def is_available(device: str) -> bool:
    """Say whether torch can use `cpu`, `cuda` or `mps` on this machine."""
    return {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}[device]


WORTH = 1.2
"""Lower precision has to be so many times as fast before it is taken."""

BATCH, REPEATS, SECONDS = {"cpu": 8, "mps": 32, "cuda": 32}, 5, 3.0
"""Images of a step on each kind of device, and how many steps in both precisions count at most, or for how long."""


def in_precision(compute: Compute, wanted: str, network: nn.Module, channels: int, size: int) -> Compute:
    """Compute in float32, bfloat16, or for `auto` in whichever of both is faster for this network.

    network: maps uint8 pixels [n, channels, size, size] to a tensor; what is timed is a step of training where any of
    its body trains, and else its forward pass: the same processor may gain in one what it loses in the other.
    A precision that was asked for and is slower is told.
    """
    plain = replace(compute, precision="float32")
    if wanted == "float32":
        return plain
    pixels = (BATCH[compute.device.type], channels, size, size)
    lower, speedup = replace(compute, precision="bfloat16"), _speedup(plain, network, pixels)
    if wanted == "auto":
        return lower if speedup >= WORTH else plain
    if speedup < 1:
        notice(
            f"training.precision: this machine takes {1 / speedup:.1f} times longer for this network in bfloat16 than "
            "in float32; auto takes the faster one"
        )
    return lower


def _speedup(compute: Compute, network: nn.Module, pixels: tuple[int, ...]) -> float:
    """Give how many times as fast as float32 a step is in bfloat16; measured once for all that decides it."""
    shapes = [(tuple(tensor.shape), tensor.requires_grad) for tensor in network.parameters()]
    about = {"network": f"{network}{shapes}", "pixels": pixels, **compute.describe()}

    def measure() -> dict[str, float]:
        seconds, lower = _step_seconds(compute, network, pixels)
        return {"speedup": seconds / lower}

    return float(measured("precision", about, measure)["speedup"])


def _step_seconds(compute: Compute, network: nn.Module, pixels: tuple[int, ...]) -> tuple[float, float]:
    """Give the seconds of a step of a copy of the network in float32 and in bfloat16; nothing else changes.

    Both take turns, the first ones left out, and the least of each counts: what else the machine does only adds to it.
    """
    device = compute.device
    computing = [replace(compute, precision=precision) for precision in ("float32", "bfloat16")]
    times: list[list[float]] = []
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        images = torch.randint(256, pixels, dtype=torch.uint8, generator=torch.Generator().manual_seed(0)).to(device)
        network = copy.deepcopy(network).to(device)
        trains = any(parameter.requires_grad for parameter in getattr(network, "body", network).parameters())
        network.train(trains)
        while len(times) <= REPEATS and (len(times) < 2 or sum(map(sum, times)) < SECONDS):
            times.append([_timed_step(each, network, images, trains) for each in computing])
    plain, lower = (min(found) for found in zip(*times[1:], strict=True))
    return plain, lower


def _timed_step(compute: Compute, network: nn.Module, images: torch.Tensor, trains: bool) -> float:
    started = time.perf_counter()
    with torch.set_grad_enabled(trains), compute.autocast():
        loss = network(images).float().square().mean()
    if trains:
        loss.backward()
    loss.item()  # waits for the device
    return time.perf_counter() - started
