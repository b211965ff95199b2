"""Which stages a run has to look at, as DVC sees them, and which of them may start next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path

import networkx as nx

from medtransfer.util.digests import script_digest
from medtransfer.util.errors import UserError

CHECK = "check"


class State(Enum):
    """The state of a stage."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    LEFT_OUT = "left out"


class Schedule:
    """The stages of a run and their states.

    needs: the upstream stages of each stage; those that are not part of the run count as done. Stages start in the
    order of `needs`.
    """

    def __init__(self, needs: Mapping[str, frozenset[str]]) -> None:
        self.needs = {name: upstream & needs.keys() for name, upstream in needs.items()}
        self.states = dict.fromkeys(needs, State.WAITING)

    def ready(self) -> list[str]:
        """List the stages that may start now: those whose upstream stages are done."""
        done = set(self.in_state(State.DONE))
        return [name for name in self.in_state(State.WAITING) if self.needs[name] <= done]

    def start(self, name: str) -> None:
        """Mark a stage as running. Raises `ValueError` if it may not start."""
        if name not in self.ready():
            raise ValueError(f"{name} may not start: it is {self.states[name].value}")
        self.states[name] = State.RUNNING

    def finish(self, name: str, succeeded: bool) -> None:
        """Mark a stage as done or failed; after a failure, leave out everything downstream of it."""
        self.states[name] = State.DONE if succeeded else State.FAILED
        if not succeeded:
            self._leave_out_downstream(name)

    def in_state(self, state: State) -> list[str]:
        """List the stages in a state."""
        return [name for name, found in self.states.items() if found is state]

    @property
    def finished(self) -> bool:
        """Whether nothing is running and nothing will."""
        return not self.in_state(State.WAITING) and not self.in_state(State.RUNNING)

    def _leave_out_downstream(self, name: str) -> None:
        for other, upstream in self.needs.items():
            if name in upstream and self.states[other] is State.WAITING:
                self.states[other] = State.LEFT_OUT
                self._leave_out_downstream(other)


def stages_to_run(targets: Sequence[str]) -> dict[str, frozenset[str]]:
    """Return each changed stage and each stage downstream of one, with its upstream stages, in a valid order.

    DVC decides what runs: it skips a stage whose inputs turn out to be unchanged. targets: names of stages to bring up
    to date with everything upstream of them; empty for all. Raises `UserError` if this is not a DVC repository,
    `dvc.yaml` and `params.yaml` do not fit together, or a target is not a stage.
    """
    graph, changed = _graph_and_changes()
    return affected(graph, changed, targets)


def stages_expected() -> dict[str, frozenset[str]]:
    """Return the stages of `stages_to_run` except those that run only if `check` changes the digest of their code."""
    graph, changed = _graph_and_changes()
    changed_scripts = {
        script.stem
        for script in Path("stages").glob("*.py")
        if (digest := Path(f"data/code/{script.stem}.txt")).is_file()
        and digest.read_text(encoding="utf-8").strip() != script_digest(script)
    }
    changed_code = {name for name in graph if name.partition("@")[0] in changed_scripts}
    expected = affected(graph, (changed - {CHECK}) | changed_code, ())
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


def affected(graph: nx.DiGraph, changed: set[str], targets: Sequence[str]) -> dict[str, frozenset[str]]:
    """Return the changed stages and those downstream, with their upstream stages, in a valid order.

    Edges of the graph lead from a stage to its upstream stages.
    """
    if unknown := [name for name in targets if name not in graph]:
        raise UserError([f"dvc.yaml has no stage {name!r}; `dvc stage list` lists them" for name in unknown])
    wanted = set(graph)
    if targets:
        wanted = set(targets).union(*(nx.descendants(graph, name) for name in targets))
    downstream = (nx.ancestors(graph, name) for name in changed & set(graph))
    found = changed.union(*downstream) & wanted
    order = [name for name in nx.lexicographical_topological_sort(graph.reverse()) if name in found]
    return {name: frozenset(graph.successors(name)) for name in order}
