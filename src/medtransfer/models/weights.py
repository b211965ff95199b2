"""Pretrained weights from wherever they come: found, checked against their hash, loaded key by key."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.error import URLError

import torch
from pydantic import BaseModel
from safetensors.torch import load_file, save_file
from torch import nn

from medtransfer.models.backbones import build_bare, is_path, weights_enum
from medtransfer.models.network import load_tensors, with_counters
from medtransfer.study import Backbone
from medtransfer.util.errors import UserError
from medtransfer.util.files import sha256_of_file
from medtransfer.util.progress import progress

MIRROR_VARIABLE = "MEDTRANSFER_WEIGHTS"
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
TRANSFORM_INPUT = ("googlenet", "inception_v3")
"""Ported from TensorFlow: with ImageNet weights they rescale ImageNet-normalised input themselves."""
WRAPPERS = ("state_dict", "model_state_dict", "model", "net")
PREFIXES = ("module.", "model.", "backbone.")
OLD_DENSENET = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12])\.")

State = dict[str, torch.Tensor]


class WeightsCard(BaseModel):
    """Where weights came from and what input they expect.

    sha256: of the file as it was found. held_out_roc_auc: how well a model that was pretrained on simulated images
    answers the questions about others; .5 is chance.
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
    """Find the weights of a backbone: the file of a torchvision enum, or a state dict of the user's own.

    Floats of any type become float32. Raises `UserError`, in one line, where the file is missing, damaged,
    or does not fit the model.
    """
    model = spec.model or name
    if is_path(spec.weights):
        path, source, reference = Path(spec.weights), "file", Path(spec.weights).name
        mean, std = IMAGENET_MEAN, IMAGENET_STD
        if not path.is_file():
            raise UserError(f"backbones.{name}.weights: no file {path}; give the path of a state dict")
    else:
        enum = weights_enum(model, spec.weights)
        path, source, reference = _torchvision_file(name, enum.url, mirror), "torchvision", str(enum)
        transforms = enum.transforms()
        mean, std = tuple(transforms.mean), tuple(transforms.std)
    bare = build_bare(model, 224 if model.startswith(("vit_", "maxvit_")) else 299)
    state = with_counters(read_state(path), bare)
    card = WeightsCard(
        model=model,
        source=source,
        reference=reference,
        sha256=sha256_of_file(path),
        mean=mean,
        std=std,
        transform_input=model in TRANSFORM_INPUT,
    )
    load_weights(bare, state, str(path))
    return state, card


def without_weights(model: str) -> WeightsCard:
    """Give the card of a backbone that starts from random weights."""
    return WeightsCard(
        model=model, source="none", reference="random", sha256=None, mean=IMAGENET_MEAN, std=IMAGENET_STD
    )


def read_state(path: Path) -> State:
    """Read a state dict from safetensors or, with `weights_only`, from a torch file.

    Common wrappers (`state_dict`, …) and prefixes (`module.`, …) are taken off and DenseNet's old key names
    renewed. Raises `UserError` where the file is no state dict.
    """
    try:
        if path.suffix == ".safetensors":
            loaded = load_file(path)
        else:
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001 - damaged files break the readers in many ways
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError(f"{path}: not a state dict that can be read: {reason}") from None
    for wrapper in WRAPPERS:
        if isinstance(loaded, dict) and isinstance(loaded.get(wrapper), dict):
            loaded = loaded[wrapper]
    if not isinstance(loaded, dict) or not all(isinstance(value, torch.Tensor) for value in loaded.values()):
        raise UserError(f"{path}: expected a state dict (names and tensors), but got {type(loaded).__name__}")
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


def load_weights(model: nn.Module, state: State, where: str) -> None:
    """Load a state dict into a bare model, in place.

    The classifier's last layer and auxiliary heads may be missing or of another shape: they are replaced
    anyway. A ViT's position embedding is interpolated to the model's image size. Raises `UserError` that
    names the keys where anything else is missing, of another shape, or left over.
    """
    own = model.state_dict()
    state = _fit_positions(model, state)
    optional = _last_layer(model) | {key for key in own | state if key.lower().startswith("aux")}
    fitting = {key: value for key, value in state.items() if key in own and value.shape == own[key].shape}
    wrong = sorted(key for key in state if key in own and key not in fitting and key not in optional)
    missing = sorted(key for key in own if key not in state and key not in optional)
    surplus = sorted(key for key in state if key not in own and key not in optional)
    for what, keys in (("misses", missing), ("has too much", surplus), ("has in another shape", wrong)):
        if keys:
            shown = ", ".join(keys[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")
            raise UserError(f"{where}: does not fit {type(model).__name__}: it {what} {shown}")
    load_tensors(model, fitting, strict=False)


def _last_layer(model: nn.Module) -> set[str]:
    """Name the parameters of the last dense or convolution layer."""
    layers = [name for name, module in model.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    last = [name for name in layers if not name.lower().startswith("aux")][-1]
    return {f"{last}.weight", f"{last}.bias"}


def _fit_positions(model: nn.Module, state: State) -> State:
    key = "encoder.pos_embedding"
    own = model.state_dict().get(key)
    if own is None or key not in state or state[key].shape == own.shape:
        return state
    from torchvision.models.vision_transformer import interpolate_embeddings

    fitted: State = interpolate_embeddings(model.image_size, model.patch_size, dict(state))
    return fitted


def _torchvision_file(name: str, url: str, mirror: str | None) -> Path:
    """Find the file of a torchvision enum in a mirror folder or torch's cache, or download it there.

    The last 8 hexadecimal digits of its name are the start of its SHA-256; they are checked every time.
    """
    file_name = url.rsplit("/", 1)[-1]
    cache = Path(torch.hub.get_dir()) / "checkpoints"
    folders = [Path(folder) for folder in (mirror, os.environ.get(MIRROR_VARIABLE)) if folder]
    for folder in [*folders, cache]:
        if (folder / file_name).is_file():
            return _checked(folder / file_name)
    try:
        _download(url, cache / file_name)
    except (URLError, OSError, RuntimeError) as error:
        raise UserError(
            f"backbones.{name}.weights: {file_name} could not be downloaded ({error}); put that file into a folder "
            f"and name the folder in {MIRROR_VARIABLE} or weights_mirror, or give the path of a state dict as weights"
        ) from None
    return _checked(cache / file_name)


def _checked(path: Path) -> Path:
    expected = path.stem.rsplit("-", 1)[-1]
    found = sha256_of_file(path)
    if not found.startswith(expected):
        raise UserError(
            f"{path}: expected SHA-256 {expected}… as its name says, but got {found[:8]}…; "
            "the file is damaged: delete it and fetch it again"
        )
    return path


def _download(url: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    expected = target.stem.rsplit("-", 1)[-1]
    bar = progress(total=1, desc=target.name, unit="file")
    with bar:
        torch.hub.download_url_to_file(url, str(target), hash_prefix=expected, progress=not bar.disable)
