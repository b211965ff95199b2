"""Pretrained weights: found or downloaded, checked against their hash, loaded key by key."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.error import URLError

import torch
from pydantic import BaseModel
from safetensors.torch import load_file, save_file
from torch import nn

from medtransfer.models.families import IMAGENET_MEAN, IMAGENET_STD, ClassifierFamily, Release, State, is_path
from medtransfer.models.network import load_tensors
from medtransfer.study import Backbone
from medtransfer.util.errors import UserError
from medtransfer.util.files import sha256_of_file
from medtransfer.util.progress import progress

MIRROR_VARIABLE = "MEDTRANSFER_WEIGHTS"
WRAPPERS = ("state_dict", "model_state_dict", "model", "net")
PREFIXES = ("module.", "model.", "backbone.")
OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12])\.")


class WeightsCard(BaseModel):
    """Where weights came from and what input they expect.

    sha256: of the file as it was found. held_out_roc_auc: of a model pretrained on simulated images, on held-out ones;
    .5 is chance.
    """

    model: str
    source: str
    reference: str
    sha256: str | None
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    transform_input: bool = False
    held_out_roc_auc: float | None = None


def obtain_weights(name: str, spec: Backbone, mirror: str | None) -> tuple[State, WeightsCard]:
    """Find the published weights of a backbone, or read them from the file that its `weights` names.

    Floats of any type become float32. Raises `UserError`, in one line, if the file is missing, damaged or does not fit
    the model.
    """
    model = spec.model or name
    family = ClassifierFamily.of(model)
    if is_path(spec.weights):
        path, source, reference = Path(spec.weights), "file", Path(spec.weights).name
        mean, std = family.input_statistics(model)
        if not path.is_file():
            raise UserError(f"backbones.{name}.weights: {path} does not exist; expected the path of a state dict")
    else:
        release = family.release(model, spec.weights)
        path, source, reference = _published_file(name, release, mirror), release.source, release.reference
        mean, std = release.mean, release.std
    module = family.build(model, family.default_size(model))
    state = _with_counters(read_state(path), module)
    load_weights(module, family.fit_state(module, state), str(path))
    card = WeightsCard(
        model=model,
        source=source,
        reference=reference,
        sha256=sha256_of_file(path),
        mean=mean,
        std=std,
        # GoogLeNet and Inception, ported from TensorFlow, rescale ImageNet-normalised input themselves
        transform_input=hasattr(module, "transform_input"),
    )
    return state, card


def without_weights(model: str) -> WeightsCard:
    """Return the card of a backbone that starts from random weights."""
    return WeightsCard(
        model=model, source="none", reference="random", sha256=None, mean=IMAGENET_MEAN, std=IMAGENET_STD
    )


def read_state(path: Path) -> State:
    """Read a state dict from a safetensors or, with `weights_only`, a torch file.

    Common wrappers (`state_dict`, …) and prefixes (`module.`, …) are removed, and DenseNet's old key names replaced.
    Raises `UserError` if the file is not a state dict.
    """
    try:
        if path.suffix == ".safetensors":
            loaded = load_file(path)
        else:
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001 - damaged files break the readers in many ways
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError(f"{path}: not a readable state dict: {reason}") from None
    for wrapper in WRAPPERS:
        if isinstance(loaded, dict) and isinstance(loaded.get(wrapper), dict):
            loaded = loaded[wrapper]
    if not isinstance(loaded, dict) or not all(isinstance(value, torch.Tensor) for value in loaded.values()):
        raise UserError(f"{path}: expected a state dict (tensors by name), but got {type(loaded).__name__}")
    for prefix in PREFIXES:
        if loaded and all(key.startswith(prefix) for key in loaded):
            loaded = {key.removeprefix(prefix): value for key, value in loaded.items()}
    return {
        OLD_DENSENET.sub(r"\1\2.", key): value.float() if value.is_floating_point() else value
        for key, value in loaded.items()
    }


def save_state(state: State, path: Path) -> None:
    """Write a state dict as safetensors."""
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}, path)


def load_weights(module: nn.Module, state: State, where: str) -> None:
    """Load a state dict into a model with its classifier, in place.

    The last layer of the classifier and auxiliary heads may be missing or have other shapes: they are replaced anyway.
    Raises `UserError` that names the keys if anything else is missing, of another shape or left over.
    """
    own = module.state_dict()
    optional = _last_layer(module) | {key for key in own | state if key.lower().startswith("aux")}
    fitting = {key: value for key, value in state.items() if key in own and value.shape == own[key].shape}
    problems = {
        "misses": own.keys() - state.keys(),
        "has the unknown keys": state.keys() - own.keys(),
        "has other shapes for": state.keys() & own.keys() - fitting.keys(),
    }
    for problem, keys in problems.items():
        if found := sorted(keys - optional):
            shown = ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
            raise UserError(f"{where}: does not fit {type(module).__name__}: it {problem} {shown}")
    load_tensors(module, fitting, strict=False)


def load_encoder(encoder: nn.Module, state: State, where: str) -> None:
    """Load the weights of a classification model into the encoder made from it, without those of the classifier."""
    own = encoder.state_dict()
    missing = sorted(name for name, tensor in own.items() if name not in state or state[name].shape != tensor.shape)
    if missing:
        raise UserError(f"{where}: does not fit the encoder: it misses {', '.join(missing[:3])}")
    encoder.load_state_dict({name: state[name] for name in own})


def _last_layer(module: nn.Module) -> set[str]:
    """Name the parameters of the last dense or convolution layer."""
    layers = [name for name, layer in module.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    last = [name for name in layers if not name.lower().startswith("aux")][-1]
    return {f"{last}.weight", f"{last}.bias"}


def _with_counters(state: State, module: nn.Module) -> State:
    """Add the counters of batch norms, from 0, that files written before torch 0.4.1 lack."""
    counters = {key: value for key, value in module.state_dict().items() if key.endswith(".num_batches_tracked")}
    return state | {key: torch.zeros_like(value) for key, value in counters.items() if key not in state}


def _published_file(name: str, release: Release, mirror: str | None) -> Path:
    """Find a published file in a mirror folder or torch's cache, or download it there; check its hash every time."""
    cache = Path(torch.hub.get_dir()) / "checkpoints"
    folders = [Path(folder) for folder in (mirror, os.environ.get(MIRROR_VARIABLE)) if folder]
    path = next((path for folder in [*folders, cache] if (path := folder / release.file_name).is_file()), None)
    if path is None:
        path = cache / release.file_name
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with progress(total=1, desc=path.name, unit="file") as bar:
                torch.hub.download_url_to_file(release.url, str(path), release.sha256, progress=not bar.disable)
        except (URLError, OSError, RuntimeError) as error:
            raise UserError(
                f"backbones.{name}.weights: {path.name} could not be downloaded ({error}); put that file into a folder "
                f"and name the folder in {MIRROR_VARIABLE} or weights_mirror, or name a state dict as weights"
            ) from None
    found = sha256_of_file(path)
    if not found.startswith(release.sha256):
        raise UserError(
            f"{path}: expected SHA-256 {release.sha256}… but got {found[:8]}…; the file is damaged: delete it and "
            "fetch it again"
        )
    return path
