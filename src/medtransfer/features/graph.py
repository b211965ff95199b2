"""The tensors that cross from a frozen prefix to the rest of a network, as bytes on their way to disk and back; The border between frozen and trained layers, found on the traced graph of any model and checked by running it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import fx, nn
from torch.fx.experimental.optimization import fuse
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class Border:
    """One tensor [n, *shape] at the border.

    order: its dimensions behind the first, the one with the largest stride first. Tensors come back laid out as
    they were, for kernels, and so the last bits of their sums, differ by layout.
    """

    shape: tuple[int, ...]
    order: tuple[int, ...]
    dtype: torch.dtype

    @classmethod
    def of(cls, tensor: torch.Tensor) -> Border:
        """Describe a tensor whose first dimension is the images."""
        strides = tensor.stride()
        order = sorted(range(1, tensor.ndim), key=lambda dimension: -strides[dimension])
        return cls(tuple(tensor.shape[1:]), tuple(order), tensor.dtype)

    @property
    def row_bytes(self) -> int:
        """The size of one image's share."""
        return self.dtype.itemsize * torch.Size(self.shape).numel()

    def pack(self, tensor: torch.Tensor) -> torch.Tensor:
        """Turn a tensor [n, *shape] into bytes, uint8 [n, row_bytes]."""
        if tensor.shape[1:] != self.shape or tensor.dtype != self.dtype:
            raise ValueError(f"expected {self}, but got {tuple(tensor.shape)} of {tensor.dtype}")
        return tensor.permute(0, *self.order).contiguous().flatten(1).view(torch.uint8)

    def unpack(self, rows: torch.Tensor) -> torch.Tensor:
        """Turn bytes uint8 [n, row_bytes] into the tensor they came from."""
        values = rows.contiguous().view(self.dtype).view(-1, *(self.shape[place - 1] for place in self.order))
        return values.permute(0, *(self.order.index(place) + 1 for place in range(1, values.ndim)))


def pack(tensors: Sequence[torch.Tensor], border: Sequence[Border]) -> torch.Tensor:
    """Turn the tensors at a border into bytes, uint8 [n, row_bytes]."""
    rows = [part.pack(tensor) for tensor, part in zip(tensors, border, strict=True)]
    return rows[0] if len(rows) == 1 else torch.cat(rows, dim=1)


def unpack(rows: torch.Tensor, border: Sequence[Border]) -> list[torch.Tensor]:
    """Turn bytes uint8 [n, row_bytes] into the tensors they came from."""
    parts = rows.split([part.row_bytes for part in border], dim=1)
    return [part.unpack(piece) for piece, part in zip(parts, border, strict=True)]


MULTIPLY_ADDS_A_BYTE = 50
"""What reading a kept byte costs beside computing: a disk's 1 GB/s against 50 billion multiply-adds a second."""

PROBE = 3
"""Images that a graph is measured and checked with."""


@dataclass(frozen=True)
class Halves:
    """A body in two graphs: images to the tensors at the border, and these, over its own modules, to features."""

    prefix: nn.Module
    rest: nn.Module
    border: tuple[Border, ...]
    name: str


class NotDivisibleError(Exception):
    """A body whose graph can't be traced, or whose halves do not compute what it computes."""


def halve(body: nn.Module, images: torch.Tensor) -> Halves | None:
    """Divide a body before its first trained layers; None where keeping what lies before is not worth its bytes.

    The frozen part is every value that depends on the image and on no parameter that trains. Of all borders
    along the order of computation the cheapest is taken: each kept byte costs `MULTIPLY_ADDS_A_BYTE`, each
    frozen multiply-add behind the border counts once. `images` [3, 3, height, width] are run through whole
    body and halves. Raises `NotDivisibleError` where the body can't be traced or the results differ.
    """
    with _traceable():
        graph = fx.Tracer().trace(body)
        measured = _Measured(fx.GraphModule(body, graph))
        with torch.no_grad():
            expected = measured.run(images)
    frozen = _frozen(graph, body)
    border = _cheapest_border(graph, frozen, measured)
    if not border:
        return None
    halves = _split(body, graph, border, measured)
    with torch.no_grad():
        found = halves.rest(*halves.prefix(images))
    if not torch.allclose(found, expected, rtol=1e-5, atol=1e-6):
        raise NotDivisibleError("its halves give other results than the whole")
    return replace(halves, prefix=_folded(halves.prefix))


def fold_batch_norms(body: nn.Module) -> nn.Module:
    """Give a module that computes what a frozen body computes, batch norms folded into the convolutions before them.

    In eval mode a batch norm is a factor and a shift of each channel, which fit into the weights. What it gives differs
    by rounding alone, some 1e-6 of it, and it takes up to half the time. Everything that needs no folding is shared
    with the body, which stays as it is. Raises `NotDivisibleError` where the body can't be traced.
    """
    with _traceable():
        return _folded(fx.GraphModule(body, fx.Tracer().trace(body)))


def _folded(module: nn.Module) -> nn.Module:
    """Fold the batch norms of a graph module: in place, for its modules are its own, as are the folded weights."""
    folded: nn.Module = fuse(module, inplace=True, no_trace=True)
    return folded


@contextmanager
def _traceable() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise NotDivisibleError(f"its graph cannot be traced ({' '.join(str(error).split())[:100]})") from error


class _Measured(fx.Interpreter):
    """Runs a graph and notes the multiply-adds and the output of every node."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module, garbage_collect_values=False)
        self.multiply_adds: dict[fx.Node, int] = {}

    def run_node(self, n: fx.Node) -> object:
        with FlopCounterMode(display=False) as counter:
            value = super().run_node(n)
        self.multiply_adds[n] = counter.get_total_flops() // 2 // PROBE
        return value

    def border_of(self, node: fx.Node) -> Border | None:
        """Describe a node's output; None where it has no row an image."""
        value = self.env[node]
        if isinstance(value, torch.Tensor) and value.ndim > 1 and len(value) == PROBE:
            return Border.of(value)
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


def _cheapest_border(graph: fx.Graph, frozen: list[fx.Node], measured: _Measured) -> list[fx.Node]:
    """Give the nodes whose outputs cross the cheapest border; none where it is cheapest to compute everything."""
    behind = sum(measured.multiply_adds[node] for node in frozen)
    cheapest, chosen = float(behind), []
    before: set[fx.Node] = set()
    for node in frozen:
        before.add(node)
        behind -= measured.multiply_adds[node]
        crossing = [inner for inner in before if any(user not in before for user in inner.users)]
        parts = [measured.border_of(inner) for inner in crossing]
        if None in parts or node.op == "placeholder":
            continue
        cost = behind + MULTIPLY_ADDS_A_BYTE * sum(part.row_bytes for part in parts if part is not None)
        if cost <= cheapest:
            cheapest, chosen = cost, [inner for inner in frozen if inner in set(crossing)]
    return chosen


def _split(body: nn.Module, graph: fx.Graph, border: list[fx.Node], measured: _Measured) -> Halves:
    prefix, rest = fx.Graph(), fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    prefix.output(tuple(_copy(node, prefix, copies) for node in border))
    copies = {node: rest.placeholder(f"at_{node.name}") for node in border}
    _copy(graph.output_node(), rest, copies)
    borders = tuple(part for node in border if (part := measured.border_of(node)) is not None)
    return Halves(fx.GraphModule(body, prefix), fx.GraphModule(body, rest), borders, str(prefix))


def _copy(node: fx.Node, target: fx.Graph, copies: dict[fx.Node, fx.Node]) -> fx.Node:
    """Copy a node and all that it needs, in the order of the original."""
    needed, waiting = {node}, [node]
    while waiting:
        sources = [source for source in waiting.pop().all_input_nodes if source not in copies and source not in needed]
        needed.update(sources)
        waiting += sources
    for one in node.graph.nodes:
        if one in needed:
            copies[one] = target.node_copy(one, copies.__getitem__)
    return copies[node]
