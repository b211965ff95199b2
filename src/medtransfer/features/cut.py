"""Cut a network in two where its frozen layers end.

The cut is found on the traced graph of any body, and checked by running both parts.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import fx, nn
from torch.fx.experimental.optimization import fuse
from torch.nn.utils import parametrize
from torch.utils.flop_counter import FlopCounterMode

from medtransfer.models.network import Network

MULTIPLY_ADDS_PER_BYTE = 50
"""The cost of reading a cached byte: a disk's 1 GB/s compared with 50 billion multiply-adds per second."""

PROBE = 3
"""The number of images with which a graph is measured and checked."""


class CannotCutError(Exception):
    """The graph of a body cannot be traced, or its two parts do not compute the same outputs."""


@dataclass(frozen=True)
class TensorSpec:
    """The layout of one tensor [n, *shape] that crosses a cut.

    order: its dimensions after the first, the one with the largest stride first. Unpacked tensors keep their memory
    layout, because kernels, and so the last bits of their sums, depend on it.
    """

    shape: tuple[int, ...]
    order: tuple[int, ...]
    dtype: torch.dtype

    @classmethod
    def of(cls, tensor: torch.Tensor) -> TensorSpec:
        """Describe a tensor whose first dimension is the images."""
        strides = tensor.stride()
        order = sorted(range(1, tensor.ndim), key=lambda dimension: -strides[dimension])
        return cls(tuple(tensor.shape[1:]), tuple(order), tensor.dtype)

    @property
    def row_bytes(self) -> int:
        """The size of one image's part of the tensor."""
        return self.dtype.itemsize * torch.Size(self.shape).numel()

    def pack(self, tensor: torch.Tensor) -> torch.Tensor:
        """Convert a tensor [n, *shape] to bytes, uint8 [n, row_bytes]."""
        if tensor.shape[1:] != self.shape or tensor.dtype != self.dtype:
            raise ValueError(f"expected {self}, but got {tuple(tensor.shape)} of {tensor.dtype}")
        return tensor.permute(0, *self.order).contiguous().flatten(1).view(torch.uint8)

    def unpack(self, rows: torch.Tensor) -> torch.Tensor:
        """Convert bytes uint8 [n, row_bytes] back to the tensor."""
        values = rows.contiguous().view(self.dtype).view(-1, *(self.shape[place - 1] for place in self.order))
        return values.permute(0, *(self.order.index(place) + 1 for place in range(1, values.ndim)))


def pack(tensors: Sequence[torch.Tensor], specs: Sequence[TensorSpec]) -> torch.Tensor:
    """Convert the tensors at a cut to bytes, uint8 [n, row_bytes]."""
    rows = [spec.pack(tensor) for tensor, spec in zip(tensors, specs, strict=True)]
    return rows[0] if len(rows) == 1 else torch.cat(rows, dim=1)


def unpack(rows: torch.Tensor, specs: Sequence[TensorSpec]) -> list[torch.Tensor]:
    """Convert bytes uint8 [n, row_bytes] back to the tensors at a cut."""
    parts = rows.split([spec.row_bytes for spec in specs], dim=1)
    return [spec.unpack(part) for part, spec in zip(parts, specs, strict=True)]


@dataclass(frozen=True)
class BodyCut:
    """A body in two parts.

    prefix: normalised images to the tensors that cross the cut. rest: those tensors to features, over the body's own
    modules. specs: of those tensors. name: identifies the place of the cut.
    """

    prefix: Callable[[torch.Tensor], Sequence[torch.Tensor]]
    rest: nn.Module
    specs: tuple[TensorSpec, ...]
    name: str


class Rest(nn.Module):
    """The layers behind a cut: packed activations, uint8 [n, row_bytes], to logits."""

    def __init__(self, specs: tuple[TensorSpec, ...], body: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.specs, self.body, self.head = specs, body, head

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Unpack the activations, and run the rest of the body and the head."""
        logits: torch.Tensor = self.head(self.body(*unpack(rows, self.specs)))
        return logits


class NetworkCut:
    """Two parts that together compute the outputs of a network; nothing in `prefix` trains.

    row_bytes: the size of one image's packed activations.
    """

    def __init__(self, network: Network, body: BodyCut) -> None:
        self._normalise, self._body = network.normalise, body
        self.rest = Rest(body.specs, body.rest, network.head)
        self.specs, self.name = body.specs, body.name
        self.row_bytes = sum(spec.row_bytes for spec in self.specs)

    def prefix(self, pixels: torch.Tensor) -> torch.Tensor:
        """Map uint8 pixels [n, channels, size, size] to packed activations, uint8 [n, row_bytes]."""
        return pack(self._body.prefix(self._normalise(pixels)), self.specs)


def cut_network(network: Network, image_size: int) -> NetworkCut | None:
    """Cut a network, on its device, where its frozen layers end.

    A wholly frozen body is cut after its features, another one by `cut_body`, which also says what is raised. Returns
    None if nothing is frozen, or nothing that is worth caching.
    """
    frozen = [True] if network.body_frozen else [not each.requires_grad for each in network.body.parameters()]
    if not any(frozen):
        return None
    device = network.normalise.mean.device
    if all(frozen):
        autocast = torch.get_autocast_dtype(device.type) if torch.is_autocast_enabled(device.type) else None
        return NetworkCut(network, _cut_after_features(network.body, image_size, device, autocast))
    pixels = torch.zeros(PROBE, 1, image_size, image_size, dtype=torch.uint8, device=device)
    pixels += torch.arange(image_size, dtype=torch.uint8, device=device)  # not blank: the parts are compared on it
    found = cut_body(network.body, network.normalise(pixels))
    return None if found is None else NetworkCut(network, found)


@lru_cache(maxsize=1)  # the runs of a variant share their body
def _cut_after_features(
    body: nn.Module, image_size: int, device: torch.device, _autocast: torch.dtype | None
) -> BodyCut:
    blank = torch.zeros(1, 3, image_size, image_size, device=device).to(memory_format=torch.channels_last)
    with torch.no_grad():
        specs = (TensorSpec.of(body(blank)),)
    try:
        folded = fold_batch_norms(body)
        with _traceable(), torch.no_grad():
            folded(blank)
    except CannotCutError:
        folded = body
    return BodyCut(lambda images: (folded(images),), nn.Identity(), specs, "features")


def cut_body(body: nn.Module, images: torch.Tensor) -> BodyCut | None:
    """Cut a body before its first trained layers; return None if caching what precedes them is not worth its bytes.

    The frozen part is every value that depends on the image and on no parameter that trains. Of all cuts along the
    order of computation the cheapest is taken: each cached byte costs `MULTIPLY_ADDS_PER_BYTE`, each frozen
    multiply-add behind the cut counts once. `images` [3, 3, height, width] are run through the whole body and through
    both parts. Raises `CannotCutError` if the body cannot be traced or the results differ.
    """
    with _traceable():
        graph = _Tracer().trace(body)
        measured = _Measured(fx.GraphModule(body, graph))
        with torch.no_grad():
            expected = measured.run(images)
    crossing = _cheapest_cut(graph, _frozen(graph, body), measured)
    if not crossing:
        return None
    prefix, rest = _split_graph(graph, crossing)
    before, after = fx.GraphModule(body, prefix), fx.GraphModule(body, rest)
    with _traceable(), torch.no_grad():
        found = after(*before(images))
    if not torch.allclose(found, expected, rtol=1e-5, atol=1e-6):
        raise CannotCutError("its two parts compute something else than the whole")
    specs = tuple(spec for node in crossing if (spec := measured.spec(node)) is not None)
    return BodyCut(_folded(before), after, specs, str(prefix))


def fold_batch_norms(body: nn.Module) -> nn.Module:
    """Return a module with the outputs of a frozen body, with batch norms folded into preceding convolutions.

    In eval mode a batch norm is a factor and an offset of each channel, which fit into the weights. Outputs differ by
    rounding only, about 1e-6 of them, and take up to half the time. Whatever needs no folding is shared with the body,
    which is not changed. Raises `CannotCutError` if the body cannot be traced.
    """
    with _traceable():
        return _folded(fx.GraphModule(body, _Tracer().trace(body)))


def _folded(module: nn.Module) -> nn.Module:
    """Fold the batch norms of a graph module in place: its modules and the folded weights are its own."""
    folded: nn.Module = fuse(module, inplace=True, no_trace=True)
    return folded


@contextmanager
def _traceable() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise CannotCutError(f"its graph cannot be traced ({' '.join(str(error).split())[:100]})") from error


class _Tracer(fx.Tracer):
    """Trace modules as far as their code allows: one whose control flow depends on its input becomes a single node.

    So does one that may read a parametrized weight of its layers, which tracing would take for a constant. Arguments of
    a body other than the images, such as the masks of transformers, keep their defaults.
    """

    def trace(self, root: Any, concrete_args: dict[str, Any] | None = None) -> fx.Graph:
        others = list(inspect.signature(root.forward).parameters.values())[1:]
        defaults = {one.name: one.default for one in others if one.default is not one.empty}
        graph = super().trace(root, defaults or None)
        unused = {node for node in graph.nodes if node.op == "placeholder" and node is not next(iter(graph.nodes))}
        for node in graph.nodes:  # checks that the arguments have their defaults
            if unused.intersection(node.all_input_nodes):
                unused.add(node)
        for node in reversed(graph.nodes):
            if node in unused:
                graph.erase_node(node)
        return graph

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        reads = not isinstance(m, nn.Sequential) and any(map(parametrize.is_parametrized, m.children()))
        return reads or super().is_leaf_module(m, module_qualified_name)

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        last, depth = next(reversed(self.graph.nodes)), len(self.module_stack)
        try:
            return super().call_module(m, forward, args, kwargs)
        except (fx.proxy.TraceError, TypeError):
            while (node := next(reversed(self.graph.nodes))) is not last:
                self.graph.erase_node(node)
            while len(self.module_stack) > depth:
                self.module_stack.popitem()
            return self.create_proxy("call_module", self.path_of_module(m), args, kwargs)


class _Measured(fx.Interpreter):
    """Run a graph and record the multiply-adds and the output of every node."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module, garbage_collect_values=False)
        self.multiply_adds: dict[fx.Node, int] = {}

    def run_node(self, n: fx.Node) -> object:
        with FlopCounterMode(display=False) as counter:
            value = super().run_node(n)
        self.multiply_adds[n] = counter.get_total_flops() // 2 // PROBE
        return value

    def spec(self, node: fx.Node) -> TensorSpec | None:
        """Describe a node's output; return None if it does not have one row per image."""
        value = self.env[node]
        if isinstance(value, torch.Tensor) and value.ndim > 1 and len(value) == PROBE:
            return TensorSpec.of(value)
        return None


def _frozen(graph: fx.Graph, body: nn.Module) -> list[fx.Node]:
    """List the nodes that depend on the image and on nothing that trains, in the order of computation."""
    from_image: set[fx.Node] = set()
    trained: set[fx.Node] = set()
    for node in graph.nodes:
        if node.op == "placeholder" or any(source in from_image for source in node.all_input_nodes):
            from_image.add(node)
        if _trains(node, body) or any(source in trained for source in node.all_input_nodes):
            trained.add(node)
    return [node for node in graph.nodes if node in from_image and node not in trained and node.op != "output"]


def _trains(node: fx.Node, body: nn.Module) -> bool:
    if node.op == "call_module":
        return any(parameter.requires_grad for parameter in body.get_submodule(str(node.target)).parameters())
    if node.op == "get_attr":
        owner, _, name = str(node.target).rpartition(".")
        return bool(getattr(body.get_submodule(owner), name).requires_grad)
    return False


def _cheapest_cut(graph: fx.Graph, frozen: list[fx.Node], measured: _Measured) -> list[fx.Node]:
    """Return the nodes whose outputs cross the cheapest cut; none if it is cheapest to compute everything."""
    behind = sum(measured.multiply_adds[node] for node in frozen)
    cheapest, chosen = float(behind), []
    before: set[fx.Node] = set()
    for node in frozen:
        before.add(node)
        behind -= measured.multiply_adds[node]
        crossing = [inner for inner in before if any(user not in before for user in inner.users)]
        specs = [measured.spec(inner) for inner in crossing]
        if None in specs or node.op == "placeholder":
            continue
        cost = behind + MULTIPLY_ADDS_PER_BYTE * sum(spec.row_bytes for spec in specs if spec is not None)
        if cost <= cheapest:
            cheapest, chosen = cost, [inner for inner in frozen if inner in set(crossing)]
    return chosen


def _split_graph(graph: fx.Graph, crossing: list[fx.Node]) -> tuple[fx.Graph, fx.Graph]:
    prefix, rest = fx.Graph(), fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    prefix.output(tuple(_copy(node, prefix, copies) for node in crossing))
    _copy(graph.output_node(), rest, {node: rest.placeholder(f"at_{node.name}") for node in crossing})
    return prefix, rest


def _copy(node: fx.Node, target: fx.Graph, copies: dict[fx.Node, fx.Node]) -> fx.Node:
    """Copy a node and all that it depends on, in the order of the original."""
    needed, waiting = {node}, [node]
    while waiting:
        sources = [source for source in waiting.pop().all_input_nodes if source not in copies and source not in needed]
        needed.update(sources)
        waiting += sources
    for each in node.graph.nodes:
        if each in needed:
            copies[each] = target.node_copy(each, copies.__getitem__)
    return copies[node]
