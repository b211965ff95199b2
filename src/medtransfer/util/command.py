"""The start and end of every stage and command."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

from medtransfer.util.errors import UserError
from medtransfer.util.files import remove_abandoned
from medtransfer.util.hardware import collect_old_garbage_seldom, keep_freed_memory
from medtransfer.util.places import CACHE_VARIABLE, cache_folder, state_folder

FULL = os.strerror(errno.ENOSPC)
OF_THE_DISK = {
    errno.ENOSPC: "free some space, or move .medtransfer, .dvc/cache and MEDTRANSFER_CACHE to another disk by links",
    errno.EFBIG: "a file may not be as large; raise the limit (ulimit -f), or use another file system",
    errno.EDQUOT: "your quota is used up; free some space, or move the caches to another disk by links",
    errno.EROFS: "the file system is read-only; use a copy of the study that you may write to",
    errno.EACCES: "you may not do this; check who owns the file and its folder",
    errno.EPERM: "you may not do this; check who owns the file and its folder",
}


def run(main: Callable[[], object]) -> None:
    """Call `main`; print an error that the user can fix as one line per problem on standard error, and exit with 1.

    These are each `UserError`, a full or read-only disk, missing permissions, and exhausted memory.
    """
    keep_freed_memory()
    collect_old_garbage_seldom()
    try:
        remove_abandoned()
        main()
    except Exception as error:
        if not (problems := _problems_of_the_user(error)):
            raise
        told = "\n".join(f"error: {problem}" for problem in problems)
        kind = SystemExit if isinstance(error, UserError) else FailureOfTheMachine
    else:
        return
    raise kind(told)


class FailureOfTheMachine(SystemExit):
    """An exit because of the disk, the permissions or the memory of this machine; on another one it may not happen."""


def _problems_of_the_user(error: Exception) -> list[str]:
    """Return one line for each thing that the user can fix; none if the error is a bug."""
    if isinstance(error, UserError):
        return error.problems
    if type(error).__name__ == "OutOfMemoryError":  # torch's; importing it here would take a second
        advice = "try a smaller batch_size, image_size or backbone, or gradient_checkpointing: true"
        return [f"{str(error).split('. GPU')[0]}; {advice}"]
    if isinstance(error, MemoryError):
        return ["out of memory; try a smaller batch_size or image_size, or fewer stages at once (-j)"]
    if isinstance(error, OSError) and (advice := _advice(error)):
        where = error.filename2 or error.filename or f"a file of {Path.cwd()}, or of {state_folder().resolve()}"
        return [f"{where}: {error.strerror}; {advice}"]
    if FULL in str(error):  # of libraries that write by themselves
        return [f"{' '.join(str(error).split())[:200]}; {OF_THE_DISK[errno.ENOSPC]}"]
    return []


def _advice(error: OSError) -> str:
    """Return what to do about an error of the file system; nothing if it is a bug."""
    cache, name = cache_folder().absolute(), error.filename
    related = isinstance(name, str) and (Path(name).is_relative_to(cache) or cache.is_relative_to(name))
    if related and not os.access(cache, os.W_OK):
        return f"set {CACHE_VARIABLE} to a folder that you may write to"
    return OF_THE_DISK.get(error.errno or 0, "")
