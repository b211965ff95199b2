"""Troubles of a run, each at a random instant or place, and the state that one more command must restore."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from unittest.mock import patch

import psutil
from engine.simulated import write_scripts
from pipeline.conftest import Project, new_project, stages_run
from ruamel.yaml import YAML

from medtransfer.util.files import sha256_of_file

COST = ("metrics/cost", "plots/costs", "report")
"""Outs that differ between two undisturbed runs, because they say what a run cost."""
OWN = {".dvc", ".git", ".medtransfer", "__pycache__"}
OUTS = ("data/raw", "data/prepared", "data/views", "weights", "models", "predictions", "metrics", "plots")
PATIENCE = 300.0
"""Seconds after which a run that was disturbed must have ended."""
ORPHANS_MAY_LIVE = 120.0
"""Seconds; the agents of a Ray that was killed take up to 90 to notice."""
PLACES = ("data", "models", "metrics", "predictions", ".dvc/cache", ".dvc/tmp", ".medtransfer", "tmp")
NOTHING_RAN = "nothing ran"
MOST_BLOCKS = 64
"""The most kilobytes of a file in the trouble of a full disk: some stages finish, others cannot."""


@dataclass(frozen=True)
class Undisturbed:
    """What an undisturbed run left: the hash of each out, all files, and how long it took, in seconds."""

    hashes: dict[str, str]
    files: frozenset[str]
    seconds: float


def small_project(root: Path, folder: Path) -> Project:
    """Return a project of two variants and one seed that has not run."""
    project = new_project(root, folder)
    project.replace("  frozen: {backbone: pretrained, strategy: frozen, augmentation: none}\n", "")
    project.replace("variants: [frozen, few_shot]", "variants: [few_shot]")
    project.replace("seeds: [0, 1]", "seeds: [0]")
    project.run("dvc", "config", "--local", "core.no_scm", "true")
    return project


@dataclass(frozen=True)
class Scripts(Project):
    """A study whose stages are one small script, so that a run of it is little more than what runs the stages."""

    root: Path

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a user, with the code of this repository, which the study does not contain."""
        of_ray = {"RAY_worker_niceness": "0"}  # at Ray's 15, whatever else runs on this machine starves it
        return super().environment | {"PYTHONPATH": str(self.root / "src"), "SIMULATED_SECONDS": "0.3"} | of_ray


STAGES = 9


def scripts_project(root: Path, folder: Path) -> Project:
    """Return a study of four variants and nine stages that has not run."""
    write_scripts(folder, 4)
    project = Scripts(folder, root)
    project.run("dvc", "config", "core.analytics", "false")
    project.run("dvc", "config", "core.check_update", "false")
    return project


def undisturbed_run(project: Project, folder: Path, command: str) -> tuple[Project, Undisturbed]:
    """Return a copy of a project after a command that nothing disturbed, and what that left."""
    copy, started = copy_of(project, folder), time.monotonic()
    copy.run(*command.split())
    return copy, Undisturbed(hashes(copy), files(copy), time.monotonic() - started)


def hashes(project: Project) -> dict[str, str]:
    """Return the hash of every out, costs apart, and of every exported file."""
    stages = YAML(typ="safe", pure=True).load(project.read("dvc.lock"))["stages"]
    outs = {out["path"]: out["md5"] for stage in stages.values() for out in stage.get("outs", [])}
    exported = [path for path in (project.folder / "exports").rglob("*") if path.is_file()]
    outs |= {path.relative_to(project.folder).as_posix(): sha256_of_file(path) for path in exported}
    return {path: found for path, found in outs.items() if not path.startswith(COST)}


def files(project: Project) -> frozenset[str]:
    """Return the paths of all files that are not in the folders of tools."""
    found = (path.relative_to(project.folder) for path in project.folder.rglob("*") if path.is_file())
    return frozenset(path.as_posix() for path in found if OWN.isdisjoint(path.parts))


def living(project: Project) -> list[psutil.Process]:
    """Return the processes that work in the folder of the project."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid != os.getpid() and Path(process.cwd()).is_relative_to(project.folder):
                found.append(process)
    return found


def kill_one(command: str, victims: str = "any") -> Callable[[Project, Random, float], str]:
    """Return the trouble that a random process of a command is killed at a random instant.

    victims: any process; `coordinator`, the one that was started; or `worker`, one that runs stages, of which nobody
    may notice more than the time.
    """

    def trouble(project: Project, random: Random, seconds: float) -> str:
        main, started = project.start(*command.split()), time.monotonic()
        if victims == "any":
            instant = random.uniform(0, seconds)
        else:  # that of a random stage, so that no kill comes too late, however busy the machine is
            stage = random.randrange(STAGES)
            while len(list((project.folder / ".medtransfer/logs").glob("*"))) < stage and main.poll() is None:
                time.sleep(0.02)
            instant = random.uniform(0, 1 if stage else seconds / 2)
        with suppress(subprocess.TimeoutExpired):
            main.wait(instant)
        while not (found := _victims(project, main, victims)) and main.poll() is None:
            time.sleep(0.02)
        victim, told = random.choice(found) if found else None, NOTHING_RAN
        if victim is not None:
            with suppress(psutil.Error):
                words = " ".join(Path(word).name for word in victim.cmdline() if word)
                told = f"{time.monotonic() - started:.1f} s: {words[:60]}"
                victim.kill()
        code = main.wait(PATIENCE)
        if victims == "worker":
            assert code == 0, f"after {told}: the run ended with exit code {code}"
            assert not stages_run(project.run("dvc", "repro")), f"after {told}: a stage was lost"
        return told

    return trouble


def _victims(project: Project, main: subprocess.Popen[bytes], kind: str) -> list[psutil.Process]:
    found = []
    for process in living(project):
        with suppress(psutil.Error):
            words = " ".join(process.cmdline())
            runs_stages = "medtransfer.engine.worker" in words or words.startswith(("ray::IDLE", "ray::run"))
            if {"any": True, "coordinator": process.pid == main.pid, "worker": runs_stages}[kind]:
                found.append(process)
    return found


def spoil_a_file(project: Project, random: Random, seconds: float) -> str:
    """Let a random file of a finished run vanish, be cut off, or change."""
    candidates = sorted(path for out in OUTS for path in (project.folder / out).rglob("*") if path.is_file())
    path = random.choice(candidates)
    content, how = path.read_bytes(), random.choice(("vanishes", "is cut off", "changes"))
    path.unlink()  # it may be a link into the cache
    if how == "is cut off":
        path.write_bytes(content[: random.randrange(len(content) + 1)])
    elif how == "changes":
        path.write_bytes(content + b"\0")
    return f"{path.relative_to(project.folder)} {how}"


def place_is_useless(project: Project, random: Random, seconds: float) -> str:
    """Let one folder be on a file system that is full or read-only, as a disk or quota of its own is."""
    place, size = random.choice(PLACES), random.choice((0, 4, 64, 512))
    folder = project.folder / place
    folder.mkdir(parents=True, exist_ok=True)
    options = f"size={max(size, 4)}k" if size else "size=4m,ro"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        variables = {"TMPDIR": str(folder)} if place == "tmp" else {}
        done = subprocess.run(
            ["dvc", "repro"],
            cwd=project.folder, env=project.environment | variables, capture_output=True, text=True, check=False,
        )  # fmt: skip
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
        if place == "tmp":
            folder.rmdir()
    output = done.stdout + done.stderr
    assert "Traceback" not in output, output
    return f"{place} {f'has {size} kB' if size else 'is read-only'}: exit code {done.returncode}"


def two_users(project: Project, random: Random, seconds: float) -> str:
    """Let a second project share the caches of DVC and of features, and run at about the same time."""
    shared = project.folder.parent / "shared"
    other = copy_of(project, project.folder.parent / "other")
    for each in (project, other):
        each.run("dvc", "cache", "dir", "--local", str(shared / "dvc"))
    with patch.dict(os.environ, {"MEDTRANSFER_CACHE": str(shared / "features")}):
        first = project.start("dvc", "repro")
        pause = random.uniform(0, seconds / 2)
        time.sleep(pause)
        second = other.start("dvc", "repro")
        codes = [process.wait(4 * PATIENCE) for process in (first, second)]
    assert codes == [0, 0], codes
    assert hashes(other) == hashes(project)
    shutil.rmtree(other.folder)
    return f"{pause:.1f} s apart"


def limit_files(project: Project, random: Random, seconds: float) -> str:
    """Let no file grow beyond a random size, as a full disk does."""
    blocks = random.randrange(1, MOST_BLOCKS)
    done = subprocess.run(
        ["sh", "-c", f"ulimit -f {blocks}; dvc repro"],
        cwd=project.folder, env=project.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    output = done.stdout + done.stderr
    assert done.returncode != 0, output
    assert "Traceback" not in output, output
    return f"no file of more than {blocks} blocks"


@dataclass(frozen=True)
class Kind:
    """A kind of trouble: whether it starts from a finished run, and the command that must put everything right.

    mounts: whether it mounts file systems, which only root may. scripts: the command that is disturbed, if the study is
    that of small scripts.
    """

    trouble: Callable[[Project, Random, float], str]
    from_finished: bool
    repair: str
    mounts: bool = False
    scripts: str = ""


PREDICT = "medtransfer predict scratch data/raw -o exports/p.csv"
EXPORT = "medtransfer export scratch"
KINDS = {
    "kill of `dvc repro`": Kind(kill_one("dvc repro"), False, "dvc repro"),
    "kill of `medtransfer repro`": Kind(kill_one("medtransfer repro -j 2"), False, "medtransfer repro -j 2"),
    "kill of a download": Kind(kill_one("dvc repro -f download"), True, "dvc repro"),
    "kill of `medtransfer predict`": Kind(kill_one(PREDICT), True, PREDICT),
    "kill of `medtransfer export`": Kind(kill_one(EXPORT), True, EXPORT),
    "full or read-only place": Kind(place_is_useless, False, "dvc repro", mounts=True),
    "two users of one cache": Kind(two_users, False, "dvc repro"),
    "spoiled file": Kind(spoil_a_file, True, "dvc repro"),
    "full disk": Kind(limit_files, False, "dvc repro"),
}

for _engine in ("local", "ray"):
    _command = f"medtransfer repro -j 2 --engine {_engine}"
    for _victim in ("worker", "coordinator"):
        _trouble = kill_one(_command, _victim)
        KINDS[f"kill of a {_victim}, {_engine}"] = Kind(_trouble, False, "dvc repro", scripts=_command)


class Studies:
    """The projects that trials start from, and what undisturbed runs of them leave; each is made when it is needed."""

    def __init__(self, root: Path, base: Path) -> None:
        self._root, self._base = root, base
        self._made: dict[str, tuple[Project, Undisturbed]] = {}

    def untouched(self) -> Project:
        """Return the project with real stages before its first run."""
        folder = self._base / "untouched"
        return Project(folder) if folder.exists() else small_project(self._root, folder)

    def complete(self) -> tuple[Project, Undisturbed]:
        """Return the same project after `dvc repro`, and what that left."""
        return self._after(self.untouched(), "dvc repro")

    def start_of(self, kind: Kind) -> tuple[Project, Undisturbed]:
        """Return the project that a trial starts from, and what must be there after its repair."""
        if kind.scripts:
            folder = self._base / "scripts"
            project = Scripts(folder, self._root) if folder.exists() else scripts_project(self._root, folder)
            serial = self._after(project, "dvc repro")[1]
            return project, replace(serial, seconds=self._after(project, kind.scripts)[1].seconds)
        complete, expected = self.complete()
        if kind.repair in (PREDICT, EXPORT):
            expected = self._after(complete, kind.repair)[1]
        return complete if kind.from_finished else self.untouched(), expected

    def trial(self, title: str, place: Path, seed: int) -> str:
        """Run one trial of a kind in `place`, and say what was done."""
        start, expected = self.start_of(KINDS[title])
        return suffer(KINDS[title], copy_of(start, place / "project"), expected, seed)

    def _after(self, project: Project, command: str) -> tuple[Project, Undisturbed]:
        name = f"{project.folder.name} after {command.replace('/', '_')}"
        if name not in self._made:
            self._made[name] = undisturbed_run(project, self._base / name.replace(" ", "_"), command)
        return self._made[name]


def suffer(kind: Kind, project: Project, undisturbed: Undisturbed, seed: int) -> str:
    """Disturb a project, repair it by one command, compare it with an undisturbed run, and say what was done."""
    told = kind.trouble(project, Random(seed), undisturbed.seconds)
    deadline = time.monotonic() + ORPHANS_MAY_LIVE
    while living(project) and time.monotonic() < deadline:
        time.sleep(0.2)
    where = f"seed {seed}: {told}"
    assert not living(project), f"{where}: {[process.cmdline() for process in living(project)]}"
    project.run(*kind.repair.split())
    assert hashes(project) == undisturbed.hashes, f"{where}: other bytes"
    assert files(project) == undisturbed.files, f"{where}: {files(project) ^ undisturbed.files}"
    unfinished = project.folder / ".medtransfer/unfinished"
    assert not unfinished.is_dir() or not list(unfinished.iterdir()), f"{where}: unfinished runs"
    assert not living(project), f"{where}: {[process.cmdline() for process in living(project)]} after the repair"
    return told


def copy_of(project: Project, folder: Path) -> Project:
    """Return a copy of a project."""
    shutil.copytree(project.folder, folder, symlinks=True)
    return replace(project, folder=folder)
