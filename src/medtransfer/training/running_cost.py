"""What running a network costs on this machine: measured once, for timing takes seconds and is never the same twice."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from medtransfer.backbones.network import Network, count_multiply_adds
from medtransfer.compute import Compute
from medtransfer.files import measured, sha256_of_code

LATENCY_BATCH, SECONDS, REPEATS = 16, 1.0, 5


@dataclass(frozen=True)
class RunningCost:
    """Multiply-adds of an image's way through a network, and the seconds that it takes in a batch of 16."""

    multiply_adds: int
    seconds_an_image: float


def running_cost(network: Network, image_size: int, channels: int, compute: Compute) -> RunningCost:
    """Give what a network in eval mode, on its device, costs; kept by its structure and all that decides speed."""
    shapes = [tuple(tensor.shape) for tensor in network.state_dict().values()]
    about = {"network": f"{network}{shapes}", "pixels": [channels, image_size], **compute.describe()}
    about["code"] = sha256_of_code("backbones", "heads", "compute.py")

    def measure() -> dict[str, Any]:
        pixels = torch.zeros(LATENCY_BATCH, channels, image_size, image_size, dtype=torch.uint8, device=compute.device)
        return asdict(RunningCost(count_multiply_adds(network, image_size), _latency(network, pixels, compute)))

    return RunningCost(**measured("costs", about, measure))


def _latency(network: Network, pixels: torch.Tensor, compute: Compute) -> float:
    """Time predictions from packed pixels: the median seconds an image of up to 5 repeats."""
    times: list[float] = []
    network.eval()
    with torch.inference_mode(), compute.autocast():
        network(pixels)
        while len(times) < REPEATS and sum(times) < SECONDS:
            started = time.perf_counter()
            network(pixels).cpu()
            times.append(time.perf_counter() - started)
    return float(np.median(times)) / LATENCY_BATCH
