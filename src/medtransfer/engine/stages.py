"""The stages that a run has to look at, as DVC sees them."""

from __future__ import annotations

from collections.abc import Sequence

import networkx as nx

from medtransfer.util.errors import UserError

CHECK = "check"


def stages_to_run(targets: Sequence[str]) -> dict[str, frozenset[str]]:
    """Give each stage that changed, and each downstream of one, with its upstream stages, in an order that works.

    DVC itself decides what runs: a stage whose inputs come out the same is passed over when its turn comes.
    targets: names of stages, with their upstream stages; none means all. Raises `UserError` where this is no
    DVC repository, `dvc.yaml` and `params.yaml` do not go together, or a target is no stage.
    """
    graph, changed = _graph_and_changes()
    return _affected(graph, changed, targets)


def stages_expected() -> dict[str, frozenset[str]]:
    """Give the stages of `stages_to_run` but those that only hang on `check`, whose out is always the same."""
    graph, changed = _graph_and_changes()
    expected = _affected(graph, changed - {CHECK}, ())
    return ({CHECK: frozenset()} if CHECK in changed else {}) | expected


def _graph_and_changes() -> tuple[nx.DiGraph, set[str]]:
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(".") as repo:
            graph = nx.relabel_nodes(repo.index.graph, {stage: stage.addressing for stage in repo.index.graph})
            return graph, set(repo.status())
    except DvcException as error:
        raise UserError(" ".join(str(error).split())) from None


def _affected(graph: nx.DiGraph, changed: set[str], targets: Sequence[str]) -> dict[str, frozenset[str]]:
    """Edges lead from a stage to its upstream stages."""
    if unknown := [name for name in targets if name not in graph]:
        raise UserError([f"dvc.yaml has no stage {name!r}; `dvc stage list` names them" for name in unknown])
    wanted = set(graph)
    if targets:
        wanted = set(targets).union(*(nx.descendants(graph, name) for name in targets))
    downstream = (nx.ancestors(graph, name) for name in changed & set(graph))
    affected = changed.union(*downstream) & wanted
    order = [name for name in nx.lexicographical_topological_sort(graph.reverse()) if name in affected]
    return {name: frozenset(graph.successors(name)) for name in order}
