"""Files that `check` writes for other stages to depend on: digests of code, and facts from outside `params.yaml`."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from medtransfer.study.loading import Study
from medtransfer.util.digests import script_digest
from medtransfer.util.errors import UserError
from medtransfer.util.files import sha256_of_file
from medtransfer.util.places import VERSION


def code_files(study: Study, stages: Path) -> dict[str, str]:
    """Return the texts of the files in `data/code` by their names; `stages` is the folder of scripts.

    `NAME.txt` holds the digest of a stage's code, on which the stage depends; that of `prepare` also the hash of the
    corrected labels. `backbones/NAME.txt` says whether a variant uses a backbone, because unused weights are not
    fetched. Raises `UserError` if the file of corrected labels is missing.
    """
    texts = {f"{script.stem}.txt": f"{script_digest(script)}\n" for script in sorted(stages.glob("*.py"))}
    texts["prepare.txt"] += _corrections(study)
    for name in study.params.backbones:
        texts[f"backbones/{name}.txt"] = "used\n" if name in study.used_backbones else "unused\n"
    return texts | {VERSION: f"{version('medtransfer')}\n"}


def changes(before: str, after: str) -> list[str]:
    """Say in a few words what differs between two texts of the same file of `code_files`; empty if nothing does."""
    old, new = before.splitlines() or [""], after.splitlines()
    if {*old, *new} <= {"used", "unused"}:
        return [] if old == new else [f"now {new[0]}"]
    return ["code"] * (old[0] != new[0]) + ["corrections"] * (old[1:] != new[1:])


def _corrections(study: Study) -> str:
    name = study.params.data.labels.corrections
    if name is None:
        return ""
    if not Path(name).is_file():
        raise UserError(f"{study.where}: data.labels.corrections: {name} is not a file")
    return f"{name} {sha256_of_file(Path(name))}\n"
