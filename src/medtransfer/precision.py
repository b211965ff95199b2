"""Which precision trains faster on this machine: measured once, and the same from then on."""

from __future__ import annotations

import itertools
import statistics
import time
from typing import Any

import torch
from torch import nn

from medtransfer.files import measured

REPEATS, BATCH, CHANNELS, SIZE = 3, 8, 32, 48
WORTH = 1.2
"""Lower precision has to be so many times as fast before it is taken."""


def speedup_of_bfloat16(device: torch.device, about: dict[str, Any]) -> float:
    """Give how many times as fast as float32 a step of training of three convolutions is in bfloat16.

    Processors without instructions for it take many times longer. Measured once for `about`: all that decides speed.
    """

    def measure() -> dict[str, float]:
        return {"speedup": _step_seconds(device, lower=False) / _step_seconds(device, lower=True)}

    return float(measured("precision", about, measure)["speedup"])


def _step_seconds(device: torch.device, lower: bool) -> float:
    """Give the median seconds of a step, the first left out."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(0)
        widths = (3, CHANNELS, CHANNELS, CHANNELS)
        layers = [nn.Conv2d(*pair, 3) for pair in itertools.pairwise(widths)]
        network, images = nn.Sequential(*layers).to(device), torch.rand(BATCH, 3, SIZE, SIZE, device=device)
    times = []
    for _ in range(REPEATS + 1):
        started = time.perf_counter()
        with torch.autocast(device.type, torch.bfloat16, enabled=lower):
            loss = network(images).float().square().mean()
        loss.backward()
        loss.item()  # waits for the device
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:])
