"""Create a study in a new folder: a git and DVC repository that runs with the installed package."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from medtransfer.study.loading import Study, load_study
from medtransfer.study.use import use_study
from medtransfer.util.errors import UserError
from medtransfer.util.files import write_text
from medtransfer.util.places import shipped

COPIED = (".dvc/config", ".dvc/plots", ".dvcignore", ".gitignore")
KEPT_FOLDERS = ("data/external", "data/incoming", "extensions", "metrics/explain", "plots/explain")
"""Folders on which stages depend even if they are empty."""
SCRIPT = re.compile(r"PYTHONPATH=src python stages/(\w+)\.py")
CODE = "deps: [params.yaml, stages, src, extensions]\n"
INSTALLED_CODE = "deps: [params.yaml, extensions]\n    always_changed: true  # the package may have been upgraded\n"
OF_PATHS = re.compile(r"data\.folder|weights_mirror|backbones\.\w+\.weights")
"""Keys of parameters whose values may be paths outside the study."""
README = """\
# {title}

A study made by medtransfer. `params.yaml` defines it and `dvc.yaml` runs it.

```
dvc repro                  # run what has changed
medtransfer repro          # the same, several stages at once
medtransfer plan           # list what would run, why, and for how long
dvc exp run -S KEY=VALUE   # try a change
dvc metrics diff           # what it changed
```

The results are in `metrics/comparison.md` and `report/index.html`.
"""


def init_study(
    folder: Path,
    name: str,
    changes: Sequence[str],
    problems_of: Callable[[Study], list[str]] = lambda _: [],
) -> bool:
    """Create `folder` with the study `name`, with changes as in `use_study`, and return whether it was committed.

    A relative path among the changes that exists, or leads upwards, is made absolute, because it is relative to the
    current folder, and not to that of the study. The first commit needs a user name, which git may not know. Raises
    `UserError`, and writes nothing, if the folder exists and is not empty, git is missing, or `use_study` fails.
    """
    if shutil.which("git") is None:
        raise UserError("git is not installed; a study is a git repository: install git, then run again")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} exists and is not an empty folder; choose another name")
    existed = folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        use_study(
            name, [_absolute(change) for change in changes], shipped("studies"), folder / "params.yaml", problems_of
        )
        _write_files(folder)
        return _commit(folder, f"Create the study {name}")
    except BaseException:
        for path in folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if not existed:
            folder.rmdir()
        raise


def pipeline(text: str) -> str:
    """Return the text of the repository's `dvc.yaml` for a study that runs with the installed package.

    DVC cannot see an upgrade of the package, so `check` runs every time and writes the digests of the installed code.
    """
    if CODE not in text:
        raise ValueError("dvc.yaml: the dependencies of check are not those expected")
    return SCRIPT.sub(r"medtransfer stage \1", text.replace(CODE, INSTALLED_CODE))


def _absolute(change: str) -> str:
    key, _, value = change.partition("=")
    if OF_PATHS.fullmatch(key) and value and (Path(value).exists() or value.startswith("..")):
        return f"{key}={Path(value).resolve()}"
    return change


def _write_files(folder: Path) -> None:
    _call(folder, "git", "init", "--quiet")
    _call(folder, sys.executable, "-P", "-m", "dvc", "init", "--quiet")
    for part in COPIED:
        source, target = shipped(part), folder / part
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            write_text(target, source.read_text(encoding="utf-8"))
    for name in KEPT_FOLDERS:
        write_text(folder / name / ".gitkeep", "")
    write_text(folder / "dvc.yaml", pipeline(shipped("dvc.yaml").read_text(encoding="utf-8")))
    title = load_study(folder / "params.yaml").params.study.title
    write_text(folder / "README.md", README.format(title=title))


def _commit(folder: Path, message: str) -> bool:
    """Commit everything; return False if git does not know the user's name."""
    if subprocess.run(["git", "var", "GIT_COMMITTER_IDENT"], cwd=folder, capture_output=True, check=False).returncode:
        return False
    _call(folder, "git", "add", "--all")
    _call(folder, "git", "commit", "--quiet", "--message", message)
    return True


def _call(folder: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = " ".join((done.stderr or done.stdout).split())
        raise UserError(f"{folder}: {shlex.join([Path(command[0]).name, *command[1:]])} failed: {reason}")
