"""Files of weights: damaged, and sound ones of what no network needs; read as the stage `weights` reads them."""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path
from random import Random
from typing import Any

import torch
from safetensors.torch import save
from torch import nn

from medtransfer.models.weights import load_weights, read_state

from .bytes_of import EXTREMES, damaged

KINDS = ("F64", "F32", "F16", "BF16", "F8_E4M3", "F4", "I64", "U8", "BOOL", "C64", "F99", "", "f32", 7, None)
MODULE = nn.Sequential(nn.Linear(8, 4), nn.BatchNorm1d(4))


def _state(**changed: Any) -> dict[Any, Any]:
    torch.manual_seed(0)
    return {name: tensor.clone() for name, tensor in MODULE.state_dict().items()} | changed


def _pickled(value: object, **options: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, **options)
    return buffer.getvalue()


def _odd(random: Random) -> dict[Any, Any]:
    """Return weights with one tensor, or key, as none should be."""
    shape = random.choice(((4, 8), (4,), (), (0, 8), (1 << 14, 1 << 14)))
    real = torch.ones(random.choice(((4, 8), (4,))))
    kinds = (
        torch.float16,
        torch.float64,
        torch.bfloat16,
        torch.complex64,
        torch.int64,
        torch.bool,
        torch.float8_e4m3fn,
    )
    odd = random.choice(
        (
            lambda: torch.ones(1).expand(1 << 14, 1 << 14),
            lambda: torch.ones(1, dtype=torch.float16).expand(1 << 20, 1 << 20),
            lambda: torch.as_strided(torch.ones(16), (4, 8), (1, 1)),
            lambda: torch.ones(shape, device="meta"),
            real.to_sparse,
            lambda: torch.eye(4, 8).to_sparse_csr(),
            lambda: torch.quantize_per_tensor(real, 0.1, 0, torch.qint8),
            lambda: real.to(random.choice(kinds)),
            lambda: real * random.choice((float("nan"), float("inf"), -float("inf"), 1e38, 1e-45)),
            lambda: nn.Parameter(real),
            lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
            lambda: real.numpy().tolist(),
            lambda: torch.ones(4).untyped_storage(),
        )
    )()
    key = random.choice(
        (
            "0.weight",
            "0.weight",
            "1.running_var",
            "1.num_batches_tracked",
            "other",
            "a\0b",
            "é" * 99,
            7,
            None,
            b"k",
            ("a", 1),
        )
    )
    return _state(**{}) | {key: odd}


def _torch_file(random: Random) -> bytes:
    old = {"_use_new_zipfile_serialization": random.random() < 0.5}
    deep: Any = _state()
    for _ in range(random.choice((1, 3, 300))):
        deep = {random.choice(("state_dict", "model", "net", "x")): deep}
    itself: dict[str, Any] = {}
    itself["model"] = itself
    values = (
        _state(),
        _state(),
        _odd(random),
        _odd(random),
        _odd(random),
        deep,
        [_state()],
        torch.ones(3),
        {},
        itself,
        "text",
        None,
        {"net": 3},
    )
    chosen = random.choice(values)
    try:
        return _pickled(chosen, **old)
    except (RuntimeError, NotImplementedError, AttributeError, TypeError):  # torch cannot write all of them
        return pickle.dumps({"0.weight": random.choice((1, [1.0], {"a": 1}))}, protocol=random.randrange(6))


def _safetensors(random: Random) -> bytes:
    sound = save(dict(_state().items()))
    length = int.from_bytes(sound[:8], "little")
    header, data = json.loads(sound[8 : 8 + length]), sound[8 + length :]
    for _ in range(random.choice((0, 0, 1, 1, 2))):
        name = random.choice(list(header))
        entry = (
            header[name]
            if isinstance(header[name], dict) and "shape" in header[name]
            else {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
        )
        change = random.choice(("dtype", "shape", "data_offsets", "name", "metadata", "deep", "value"))
        if change == "dtype":
            header[name] = entry | {"dtype": random.choice(KINDS)}
        elif change == "shape":
            header[name] = entry | {
                "shape": random.choice(([], [-1], [2**40], [2**63], [0], [4, 8, 1], [8, 4], "x", [1.5], [2**32] * 9))
            }
        elif change == "data_offsets":
            start, end = random.choice(EXTREMES), random.choice((*EXTREMES, -1))
            header[name] = entry | {
                "data_offsets": random.choice(([start, end], [end, start], [0, len(data)], [0], "x", [0, 128]))
            }
        elif change == "name":
            header[random.choice(("", "a\0b", "../x", "module.", "é" * 5000, "0.weight "))] = header.pop(name)
        elif change == "metadata":
            header["__metadata__"] = random.choice(({"a": 1}, [], "x", {"a": "b" * 10000}, {"format": "tf"}))
        elif change == "deep":
            header[name] = json.loads("[" * 900 + "]" * 900)
        else:
            header[name] = random.choice((None, 0, [], "x", {}))
    text = json.dumps(header).encode()
    text = random.choice(
        (text,) * 9 + (text + b" " * 8, b"[" * 100_000, text[:-1], text.replace(b'"', b"'"), b"\xff" + text)
    )
    stated = random.choice((len(text),) * 50 + EXTREMES)
    noise = random.choice((data,) * 20 + (data + b"x", data[:-1], b"", b"\xff" * len(data)))
    return (stated % (1 << 64)).to_bytes(8, "little") + text + noise


def write(folder: Path, random: Random) -> Path:
    """Write a file of weights, damaged two times of five."""
    suffix = random.choice((".pth", ".safetensors"))
    content = (_torch_file if suffix == ".pth" else _safetensors)(random)
    if random.random() < 0.4:
        content = damaged(random, content)
    path = folder / f"weights{suffix if random.random() < 0.95 else random.choice(('.pth', '.safetensors', '.bin'))}"
    path.write_bytes(content)
    return path


def read(path: Path) -> None:
    """Read and load weights; what is loaded must be finite floats."""
    module = nn.Sequential(nn.Linear(8, 4), nn.BatchNorm1d(4))
    load_weights(module, read_state(path), {"1.weight", "1.bias"}, str(path))
    for name, tensor in module.state_dict().items():
        assert name == "1.num_batches_tracked" or (tensor.dtype == torch.float32 and tensor.isfinite().all()), name
