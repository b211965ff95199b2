"""How every stage and command starts and ends."""

from __future__ import annotations

import sys
from collections.abc import Callable

from medtransfer.util.errors import UserError
from medtransfer.util.hardware import collect_old_garbage_seldom, keep_freed_memory


def run(main: Callable[[], object]) -> None:
    """Call `main`; print a `UserError` as one line per problem on standard error, and exit with code 1.

    A GPU that runs out of memory is the user's to fix, too.
    """
    keep_freed_memory()
    collect_old_garbage_seldom()
    try:
        main()
    except UserError as error:
        problems = error.problems
    except RuntimeError as error:
        if type(error).__name__ != "OutOfMemoryError":  # torch's; importing it here would take a second
            raise
        advice = "try a smaller batch_size, image_size or backbone, or gradient_checkpointing: true"
        problems = [f"{str(error).split('. GPU')[0]}; {advice}"]
    else:
        return
    sys.exit("\n".join(f"error: {problem}" for problem in problems))
