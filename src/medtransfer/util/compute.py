"""The device and the precision that a stage computes with."""

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
        """Return the context in which torch lowers the precision of the operations that allow it.

        Lowered weights are not cached: a pass needs them once, and a recorded pass must make them itself.
        """
        if self.precision == "bfloat16":
            return torch.autocast(self.device.type, dtype=torch.bfloat16, cache_enabled=False)
        return contextlib.nullcontext()

    def describe(self) -> dict[str, Any]:
        """Return settings that decide the last bits of a result; on a CPU, sums depend on how threads divide them."""
        threads = torch.get_num_threads() if self.device.type == "cpu" else 0
        return {"device": self.name(), "precision": self.precision, "threads": threads, "torch": torch.__version__}

    def name(self) -> str:
        """Return the name of the CPU or GPU."""
        if self.device.type == "cuda":
            return torch.cuda.get_device_name(self.device)
        return f"{self.device.type}: {processor()}"


def choose_compute(wanted: str) -> Compute:
    """Choose the device, in float32, and make torch deterministic. For the precision see `in_precision`.

    wanted: `cuda`, `mps`, `cpu`, or `auto` for the first of these that is available. Raises `UserError` if it is not.
    """
    name = next(kind for kind in ("cuda", "mps", "cpu") if is_available(kind)) if wanted == "auto" else wanted
    if not is_available(name):
        raise UserError(f"training.device: {name} is not available to torch on this machine; use auto or cpu")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS is not deterministic
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined] # only for debugging, and slow
    torch.set_deterministic_debug_mode("warn")  # `use_deterministic_algorithms` would import the compiler: a second
    if name == "cuda":
        # no TF32: lower precision only on request
        torch.backends.cudnn.conv.fp32_precision = "ieee"  # type: ignore[attr-defined]
    torch.set_num_threads(int(os.environ.get("MEDTRANSFER_THREADS", cpu_count())))
    return Compute(torch.device(name), "float32")


def is_available(device: str) -> bool:
    """Return whether torch can use `cpu`, `cuda` or `mps` on this machine."""
    return {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}[device]


WORTH = 1.2
"""The least speed-up for which `auto` chooses the lower precision."""

BATCH = {"cpu": 8, "mps": 32, "cuda": 32}
"""Images per measured step on each kind of device."""

REPEATS, SECONDS = 5, 3.0
"""The limits of a measurement: pairs of steps that count, and their total time."""


def in_precision(compute: Compute, wanted: str, network: nn.Module, channels: int, size: int) -> Compute:
    """Return `compute` in float32, in bfloat16, or for `auto` in the one that is faster for this network.

    network: maps uint8 pixels [n, channels, size, size] to a tensor. A training step is timed if any of its body
    trains, else its forward pass, because a CPU may be faster in one and slower in the other. A notice says so if
    bfloat16 was requested and is slower.
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
            f"training.precision: on this machine this network takes {1 / speedup:.1f} times as long in bfloat16 as in "
            "float32; auto chooses the faster one"
        )
    return lower


def _speedup(compute: Compute, network: nn.Module, pixels: tuple[int, ...]) -> float:
    """Return the speed-up of a step in bfloat16 over float32; measured once per network, pixels and device."""
    shapes = [(tuple(tensor.shape), tensor.requires_grad) for tensor in network.parameters()]
    about = {"network": f"{network}{shapes}", "pixels": pixels, **compute.describe()}

    def measure() -> dict[str, float]:
        seconds, lower = _step_seconds(compute, network, pixels)
        return {"speedup": seconds / lower}

    return float(measured("precision", about, measure)["speedup"])


def _step_seconds(compute: Compute, network: nn.Module, pixels: tuple[int, ...]) -> tuple[float, float]:
    """Return the seconds of a step of a copy of the network in float32 and in bfloat16, without side effects.

    Steps in both precisions alternate, and the minimum of each counts, because other load only adds time. The first
    pair is a warm-up.
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
