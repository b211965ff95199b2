"""DVC's quadratic costs, avoided for one run: it hashes, parses, locks and lists the same things for every stage.

All of this leans on private parts of DVC 3.67; `tests/engine` compares what is written with what DVC writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import cache, reduce
from pathlib import Path
from typing import Any

from medtransfer.engine.lockfile import text_of


def is_changed(stage: Any) -> bool:
    """Return what DVC's `Stage.changed` does, which locks each file again: a tenth of the time of a run."""
    if stage.is_callback or stage.always_changed or stage.changed_stage():
        return True
    return any(each.status() for each in [*stage.deps, *stage.outs])


@contextmanager
def in_linear_time() -> Iterator[None]:
    """Let DVC parse `params.yaml` only when it has changed, and look parameters up instead of searching for them.

    It does both several times for each stage, so that the time of a run grows with the square of their number. Let it
    lock no files by stage either, because `Committer` does, and write entries of stages without a general emitter.
    """
    from dvc import rwlock
    from dvc.dependency import param
    from dvc.utils.serialize import _yaml

    read, lock, dump = param.read_param_file, rwlock.rwlock, _yaml._dump
    parsed: dict[Any, Any] = {}

    def look_up(fs: Any, path: str, key_paths: Any = None, flatten: bool = False, **options: Any) -> Any:
        found = Path(path).stat()
        key = (path, found.st_mtime_ns, found.st_size, found.st_ino)
        if key not in parsed:
            parsed.clear()
            parsed[key] = param.load_path(path, fs, **options)
        try:
            return {each: reduce(_item, each.split("."), parsed[key]) for each in key_paths}
        except (KeyError, TypeError):  # no such parameter, a place in a list, or all parameters
            return read(fs, path, key_paths, flatten=flatten, **options)

    def write(data: Any, stream: Any) -> None:
        if (text := text_of(data)) is None:
            dump(data, stream)
        else:
            stream.write(text)

    param.read_param_file, rwlock.rwlock, _yaml._dump = look_up, lambda *_: nullcontext(), write
    try:
        yield
    finally:
        param.read_param_file, rwlock.rwlock, _yaml._dump = read, lock, dump


def _item(values: Any, name: str) -> Any:
    if not isinstance(values, dict):
        raise KeyError(name)
    return values[name]


@contextmanager
def hashed_once(inputs: Sequence[Any]) -> Iterator[None]:
    """Let DVC hash each input once, not four times."""
    for each in inputs:
        each.save, each.get_hash = cache(each.save), cache(each.get_hash)
    try:
        yield
    finally:
        for each in inputs:
            del each.save, each.get_hash


def forget_trees(stage: Any) -> None:
    """Free the listings of folders that DVC keeps in memory for ever: it searches all of them for each new one."""
    from dvc_objects.fs.memory import MemoryFileSystem

    for each in [*stage.deps, *stage.outs]:
        each.obj = None
    MemoryFileSystem().fs.store.clear()
