"""The one process of a run that talks to DVC: it says what must run, restores what is cached, and commits outs.

DVC decides with its own code; only the command of a stage runs elsewhere.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path
from threading import RLock
from typing import Any

from medtransfer.engine.dvc_costs import forget_trees, hashed_once, is_changed
from medtransfer.engine.lockfile import LockFile
from medtransfer.engine.schedule import affected
from medtransfer.util.errors import UserError

NOTHING = "d41d8cd98f00b204e9800998ecf8427e"
"""The hash of an empty file."""
IN_DVC = RLock()
"""For threads that use DVC: the memory in which it keeps listings belongs to the process."""


class Begun(Enum):
    """What became of a stage whose upstream stages are done."""

    UNCHANGED = "unchanged"
    RESTORED = "cached"
    TO_RUN = "to run"


class InputsChangedError(Exception):
    """Inputs of a stage are not what they were when it started: its outs belong to no state of the study."""


class Committer:
    """The stages of a run, by name, in an order in which they can run, and the stages upstream of each.

    Between two calls other DVC commands may use the repository, but not what a running stage reads or writes.
    """

    def __init__(self, repo: Any, targets: Sequence[str]) -> None:
        self._repo = repo
        _remove_empty_runs(repo)
        graph = repo.index.graph
        self._stages = {stage.addressing: stage for stage in graph}
        self.needs = affected(relabelled(graph), set(self._stages), targets)
        self._lock = LockFile(Path("dvc.lock"))
        self._inputs: dict[str, dict[str, Any]] = {}
        self._held: dict[str, Any] = {}
        self._stale = False
        self._complete: set[str] = set()
        outs = [Path(out.fs_path) for out in repo.index.outs if not out.use_cache]
        self._uncached = {str(each) for out in outs for each in (out, *out.parents)}

    def command(self, name: str) -> tuple[str, str]:
        """Return the command of a stage, and the folder in which it runs."""
        stage = self._stages[name]
        return " && ".join(stage.cmd if isinstance(stage.cmd, list) else stage.cmd.splitlines()), stage.wdir

    def always_runs(self, name: str) -> bool:
        """Return whether a stage runs each time, whatever has changed."""
        stage = self._stages[name]
        return bool(stage.always_changed or stage.is_callback)

    def files(self, name: str) -> tuple[dict[str, str], list[str]] | None:
        """Return the hashes of a begun stage's inputs by path, and the paths of its outs; None if they cannot travel.

        Paths are relative to the study's folder. What DVC's cache keeps can travel.
        """
        from dvc.dependency import ParamsDependency

        stage = self._stages[name]
        inputs = [each for each in stage.deps if not isinstance(each, ParamsDependency)]
        if not all(each.is_in_repo for each in [*inputs, *stage.outs]) or any(out.persist for out in stage.outs):
            return None
        if name not in self._complete or any(each.fs_path in self._uncached for each in inputs):
            return None
        return {_relative(each): each.hash_info.value for each in inputs}, [_relative(out) for out in stage.outs]

    def cached(self, name: str) -> list[str]:
        """List the outs of a stage that DVC keeps in its cache."""
        return [_relative(out) for out in self._stages[name].outs if out.use_cache]

    def begin(self, name: str) -> Begun:
        """Find out whether a stage must run; if it must, its outs are deleted, and its inputs noted.

        Raises `UserError` if an input is missing, or another command uses what the stage reads or writes.
        """
        from dvc.stage.cache import RunCacheNotFoundError

        stage = self._stages[name]
        with self._locked(stage):
            if not stage.cmd or stage.frozen:  # data under version control: nothing that an engine could compute
                if stage.reproduce() is None:
                    return Begun.UNCHANGED
                stage.dump(update_pipeline=False)
                return Begun.RESTORED
            if not is_changed(stage):
                return Begun.UNCHANGED
            self._hold(stage)
            stage.remove_outs(ignore_remove=False, force=False)
            try:
                self._repo.stage_cache.restore(stage)
            except RunCacheNotFoundError:
                stage.save_deps()
                self._inputs[name] = _inputs_of(stage)
                whole = all(_is_in_cache(each, self._repo.cache.local) for each in stage.deps)
                (self._complete.add if whole else self._complete.discard)(name)
                return Begun.TO_RUN
            self._save(stage)
            self.release(name)
            return Begun.RESTORED

    def commit(self, name: str) -> None:
        """Commit the outs of a stage that has run. Raises `InputsChangedError`, or `UserError` if an out is missing."""
        stage = self._stages[name]
        with self._locked(stage):
            stage.save_deps()
            if _inputs_of(stage) != self._inputs[name]:
                raise InputsChangedError
            self._save(stage)
            self.release(name)

    def release(self, name: str) -> None:
        """Let other DVC commands use what a stage reads and writes, from the next `flush` or `begin` on."""
        self._stale |= self._held.pop(name, None) is not None

    def flush(self) -> None:
        """Write the lock file, if anything was committed since, and the list of files that running stages use."""
        if self._lock.changed or self._stale:
            with self._locked():
                self._hold()
                self._lock.write()
                self._repo.scm_context.track_file("dvc.lock")

    def close(self) -> None:
        """Write the lock file, and release all stages."""
        for name in list(self._held):
            self.release(name)
        self.flush()

    def _save(self, stage: Any) -> None:
        """Do what DVC's `Stage.run` does after the command: hash the outs, and move them to the cache."""
        from dvc.stage.serialize import to_single_stage_lockfile

        uncached = any(not out.use_cache and not (out.is_metric or out.is_plot) for out in stage.outs)
        stage.save(run_cache=not uncached)
        stage.commit()
        if stage.path_in_repo == "dvc.yaml":
            self._lock.put(stage.name, to_single_stage_lockfile(stage))
        else:
            stage.dump(update_pipeline=False)

    def _hold(self, stage: Any = None) -> None:
        """Keep other DVC commands from what running stages read and write, and from that of one more stage.

        DVC would list each stage by itself, and compare all paths of all of them, several times for each. Raises DVC's
        `LockError` if another command uses what the stage reads or writes.
        """
        from dvc import rwlock

        repo, me = self._repo, {"pid": os.getpid(), "cmd": "medtransfer repro"}
        held = self._held | ({stage.addressing: stage} if stage is not None else {})
        with rwlock._edit_rwlock(repo.tmp_dir, repo.fs, repo.config["core"].get("hardlink_lock", False)) as used:
            readers = {path: [each for each in found if each != me] for path, found in used["read"].items()}
            used["read"] = defaultdict(list, {path: found for path, found in readers.items() if found})
            used["write"] = defaultdict(dict, {path: each for path, each in used["write"].items() if each != me})
            if stage is not None:
                reads, writes = ([each.fs_path for each in entries] for entries in (stage.deps, stage.outs))
                for mode, waiting in (("write", reads + writes), ("read", writes)):
                    rwlock._check_blockers(repo.tmp_dir, used, me, mode=mode, waiters=waiting)
            rwlock._acquire_read(used, me, [each.fs_path for one in held.values() for each in one.deps])
            rwlock._acquire_write(used, me, [each.fs_path for one in held.values() for each in one.outs])
        self._held, self._stale = held, False

    @contextmanager
    def _locked(self, stage: Any = None) -> Iterator[None]:
        from dvc.exceptions import DvcException

        try:
            with IN_DVC, self._repo.lock, hashed_once(stage.deps if stage is not None else []):
                yield
        except (DvcException, OSError) as error:  # also of a lock that another command holds, or a missing input
            where = f"{stage.addressing}: " if stage is not None else ""
            raise UserError(f"{where}{' '.join(str(error).split())}") from None
        finally:
            if stage is not None:
                forget_trees(stage)


def _remove_empty_runs(repo: Any) -> None:
    """Remove folders of the run-cache that a full disk or a kill left empty: DVC ends with a `TypeError` at them."""
    for folder in Path(repo.stage_cache.cache_dir).glob("*/*"):
        with suppress(OSError):  # not empty
            folder.rmdir()


def _is_in_cache(entry: Any, cache: Any) -> bool:
    """Return whether all files of an input are in the cache; the listing of a folder is added to them."""
    from dvc_data.hashfile.db import add_update_tree
    from dvc_data.hashfile.tree import Tree

    if not isinstance(entry.obj, Tree):
        return entry.obj is None or cache.exists(entry.hash_info.value)
    leaves = {oid.value for _, _, oid in entry.obj}
    if NOTHING in leaves:  # of a `.gitkeep`
        cache.add_bytes(NOTHING, b"")
    if not all(map(cache.exists, leaves)):
        return False
    add_update_tree(cache, entry.obj)
    return True


def _relative(entry: Any) -> str:
    return Path(entry.fs_path).relative_to(entry.repo.root_dir).as_posix()


def _inputs_of(stage: Any) -> dict[str, Any]:
    from dvc.stage.serialize import to_single_stage_lockfile

    found = to_single_stage_lockfile(stage)
    return {key: found.get(key) for key in ("cmd", "deps", "params")}


def relabelled(graph: Any) -> Any:
    """Return DVC's graph of stages with their names as nodes."""
    import networkx as nx

    return nx.relabel_nodes(graph, {stage: stage.addressing for stage in graph})
