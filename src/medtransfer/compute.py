"""The device and the precision that a stage computes with."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import Any

import torch

from medtransfer.errors import UserError
from medtransfer.hardware import cpu_count, processor
from medtransfer.study import Training


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


def choose_compute(training: Training) -> Compute:
    """Take CUDA, then MPS, then the CPU where the device is `auto`, float32, and make torch deterministic.

    Which precision `training.precision` comes to depends on the network: see `in_precision`.

    Raises `UserError` where the device asked for is not there.
    """
    name: str = training.device
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
