"""Pretrained weights: read from their file and loaded key by key."""

from __future__ import annotations

import re
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from medtransfer.models.families import ClassifierFamily, State
from medtransfer.models.network import load_tensors
from medtransfer.models.weight_files import find_weights
from medtransfer.models.weights_card import WeightsCard
from medtransfer.study import Backbone
from medtransfer.util.errors import UserError

WRAPPERS = ("state_dict", "model_state_dict", "model", "net")
PREFIXES = ("module.", "model.", "backbone.")
LONGEST_NAME = 80
OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12])\.")


def obtain_weights(name: str, spec: Backbone, mirror: str | None) -> tuple[State, WeightsCard]:
    """Find the published weights of a backbone, or read them from the file that its `weights` names.

    Floats of any type become float32. Raises `UserError`, in one line, if the file is missing, damaged or does not fit
    the model.
    """
    model = spec.model or name
    family = ClassifierFamily.of(model)
    path, card = find_weights(name, spec, family, mirror)
    module = family.build(model, family.default_size(model))
    state = family.rename(module, read_state(path))
    # files written before torch 0.4.1 lack the counters of batch norms, which begin at 0
    counters = {key: value for key, value in module.state_dict().items() if key.endswith(".num_batches_tracked")}
    state |= {key: torch.zeros_like(value) for key, value in counters.items() if key not in state}
    load_weights(module, family.fit_state(module, state), family.classifier_parameters(module), str(path))
    # GoogLeNet and Inception, ported from TensorFlow, rescale ImageNet-normalised input themselves
    return state, card.model_copy(update={"transform_input": hasattr(module, "transform_input")})


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
    except UnpicklingError:  # torch's own message advises to switch the protection off
        raise UserError(
            f"{path}: holds objects other than tensors, which could run code and are not loaded; save the state dict "
            "alone, best as safetensors"
        ) from None
    except Exception as error:  # noqa: BLE001 - damaged files break the readers in many ways
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError(f"{path}: not a readable state dict: {reason}") from None
    for wrapper in WRAPPERS:
        if isinstance(loaded, dict) and isinstance(loaded.get(wrapper), dict):
            loaded = loaded[wrapper]
    if not isinstance(loaded, dict):
        raise UserError(f"{path}: expected a state dict (tensors by name), but got {type(loaded).__name__}")
    for name, value in loaded.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor) or not _is_plain(value):
            raise UserError(
                f"{path}: expected a state dict (dense tensors by name), but {str(name)[:LONGEST_NAME]!r} is "
                f"{_kind_of(value)}; save its values as plain tensors"
            )
    for prefix in PREFIXES:
        if loaded and all(key.startswith(prefix) for key in loaded):
            loaded = {key.removeprefix(prefix): value for key, value in loaded.items()}
    return {
        OLD_DENSENET.sub(r"\1\2.", key): value.float() if value.is_floating_point() else value
        for key, value in loaded.items()
    }


def _is_plain(tensor: torch.Tensor) -> bool:
    """Return whether each element of a tensor is in its file: views may claim any size."""
    if tensor.layout is not torch.strided or tensor.is_nested or tensor.is_quantized or tensor.is_meta:
        return False
    return tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes()


def _kind_of(value: object) -> str:
    """Return the type of a value; of a tensor, with any special form."""
    if not isinstance(value, torch.Tensor):
        return f"of type {type(value).__name__}"
    special = {"nested": value.is_nested, "quantized": value.is_quantized, "without values": value.is_meta}
    return f"a tensor that is {next((word for word, true in special.items() if true), 'sparse or expanded')}"


def save_state(state: State, path: Path) -> None:
    """Write a state dict as safetensors."""
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}, path)


def load_weights(module: nn.Module, state: State, replaced: set[str], where: str) -> None:
    """Load a state dict into a model with its classifier, in place.

    The parameters that a new head replaces and auxiliary heads may be missing or have other shapes.
    Raises `UserError` that names the keys if anything else is missing, of another shape or type, not finite or left
    over.
    """
    own = module.state_dict()
    optional = replaced | {key for key in own | state if key.lower().startswith("aux")}
    fitting = {key: value for key, value in state.items() if key in own and value.shape == own[key].shape}
    real = {key for key, value in fitting.items() if value.dtype.is_floating_point}
    problems = {
        "misses": own.keys() - state.keys(),
        "has the unknown keys": state.keys() - own.keys(),
        "has other shapes for": state.keys() & own.keys() - fitting.keys(),
        "has no floating-point numbers in": {key for key in fitting if own[key].dtype.is_floating_point} - real,
        "has values that are not finite in": {key for key, value in fitting.items() if not value.isfinite().all()},
    }
    for problem, keys in problems.items():
        if found := sorted(keys - optional):
            shown = ", ".join(key[:LONGEST_NAME] for key in found[:3]) + (
                f" and {len(found) - 3} more" if len(found) > 3 else ""
            )
            raise UserError(f"{where}: does not fit {type(module).__name__}: it {problem} {shown}")
    load_tensors(module, fitting, strict=False)


def load_encoder(encoder: nn.Module, state: State, where: str) -> None:
    """Load the weights of a classification model into the encoder made from it, without those of the classifier.

    timm names layers `stem_0` in an encoder that are `stem.0` in the model.
    """
    own = encoder.state_dict()
    plain = {name.replace("_", "."): tensor for name, tensor in state.items()}
    found = {name: state.get(name, plain.get(name.removeprefix("model.").replace("_", "."))) for name in own}
    state = {name: tensor for name, tensor in found.items() if tensor is not None}
    missing = sorted(name for name, tensor in own.items() if name not in state or state[name].shape != tensor.shape)
    if missing:
        raise UserError(f"{where}: does not fit the encoder: it misses {', '.join(missing[:3])}")
    encoder.load_state_dict({name: state[name] for name in own})
