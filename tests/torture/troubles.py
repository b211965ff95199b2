"""Troubles of a run, each at a random instant or place, and the state that one more command must restore."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import psutil
from dvc.utils.serialize import modify_yaml
from engine.simulated import write_scripts
from pipeline.conftest import Project, new_project, stages_run
from ruamel.yaml import YAML

from medtransfer.util.files import sha256_of_file

from .servers import new_store

COST = ("metrics/cost", "plots/costs", "report")
"""Outs that differ between two undisturbed runs, because they say what a run cost."""
OWN = {".dvc", ".git", ".medtransfer", "__pycache__", "mlartifacts", "mlflow.db", "tmp"}
OUTS = ("data/raw", "data/prepared", "data/views", "weights", "models", "predictions", "metrics", "plots")
PATIENCE = 300.0
"""Seconds after which a run that was disturbed must have ended."""
ORPHANS_MAY_LIVE = 120.0
"""Seconds; the agents of a Ray that was killed take up to 90 to notice."""
PLACES = (
    ".", "data", "weights", "models", "metrics", "predictions", "plots", "report", ".dvc/cache", ".dvc/tmp",
    ".medtransfer", "tmp",
)  # fmt: skip
NOTHING_RAN = "nothing ran"
MOST_FORGOTTEN = 3
WHOLE, TRACKED = 10, 4
"""Of this many trials that kill a run of real stages, one starts with nothing, and one is tracked."""
MOST_BLOCKS = 64
"""The most kilobytes of a file in the trouble of a full disk: some stages finish, others cannot."""


@dataclass(frozen=True)
class Undisturbed:
    """What an undisturbed run left: the hash of each out, and all files; and its seconds and processor seconds."""

    hashes: dict[str, str]
    files: frozenset[str]
    seconds: float
    work: float


class Tracked(Project):
    """A project whose stages log to MLflow."""

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a user, with tracking."""
        return {key: value for key, value in super().environment.items() if key != "MEDTRANSFER_TRACKING"}


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
    copy, started, before = copy_of(project, folder), time.monotonic(), _of_children()
    copy.run(*command.split())
    return copy, Undisturbed(hashes(copy), files(copy), time.monotonic() - started, _of_children() - before)


def _of_children() -> float:
    found = resource.getrusage(resource.RUSAGE_CHILDREN)
    return found.ru_utime + found.ru_stime


def spent(main: psutil.Process) -> float:
    """Return the processor seconds of a process and all that it has started; 0 once it has ended."""
    with suppress(psutil.Error):
        return sum(sum(each.cpu_times()[:4]) for each in [main, *main.children(recursive=True)])
    return 0.0


def forget(project: Project, random: Random) -> list[str]:
    """Make some random stages of a finished run such as have never run: no outs, no entry, nothing in the cache."""
    cache = project.folder / ".dvc/cache"
    with modify_yaml(str(project.folder / "dvc.lock")) as lock:
        stages = lock["stages"]
        names = random.sample(sorted(stages), random.randint(1, MOST_FORGOTTEN))
        gone = [stages.pop(name) for name in names]
    outs = {out["path"] for stage in gone for out in stage["outs"]}
    for found in list(cache.glob("runs/*/*/*")):
        if any(out["path"] in outs for out in YAML(typ="safe", pure=True).load(found)["outs"]):
            shutil.rmtree(found.parent)  # an empty one ends DVC 3.67 with a TypeError
    for name in _objects(cache, gone) - _objects(cache, stages.values()):
        (cache / "files/md5" / name[:2] / name[2:]).unlink(missing_ok=True)
    for path in (project.folder / out for out in outs):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return names


def _objects(cache: Path, stages: Iterable[dict[str, Any]]) -> set[str]:
    """Name the objects in the cache that belong to outs, those in their folders included."""
    found = {out["md5"] for stage in stages for out in stage["outs"]}
    for name in [each for each in found if each.endswith(".dir")]:
        with suppress(FileNotFoundError):  # of an out that is not cached
            found |= {each["md5"] for each in json.loads((cache / "files/md5" / name[:2] / name[2:]).read_text())}
    return found


def lock_of(project: Project) -> dict[str, Any]:
    """Return the entries of `dvc.lock`, by stage."""
    stages: dict[str, Any] = YAML(typ="safe", pure=True).load(project.read("dvc.lock"))["stages"]
    return stages


def hashes(project: Project) -> dict[str, str]:
    """Return the hash of every out, costs apart, and of every exported file."""
    outs = {out["path"]: out["md5"] for stage in lock_of(project).values() for out in stage.get("outs", [])}
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


def kill_one(command: str, victims: str = "any") -> Callable[[Project, Random, Undisturbed], str]:
    """Return the trouble that a random process of a command is killed at a random instant.

    victims: any process; `coordinator`, the one that was started; or `worker`, one that runs stages, of which nobody
    may notice more than the time.
    """

    def trouble(project: Project, random: Random, run: Undisturbed) -> str:
        main, started = project.start(*command.split()), time.monotonic()
        if victims == "any":  # processor seconds: those of the clock depend on what else this machine does
            instant, process = random.uniform(0, run.work), psutil.Process(main.pid)
            while main.poll() is None and spent(process) < instant:
                time.sleep(0.03)
        else:  # that of a random stage, so that no kill comes too late, however busy the machine is
            stage = random.randrange(STAGES)
            while len(list((project.folder / ".medtransfer/logs").glob("*"))) < stage and main.poll() is None:
                time.sleep(0.02)
            with suppress(subprocess.TimeoutExpired):
                main.wait(random.uniform(0, 1 if stage else run.seconds / 2))
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


def spoil_a_file(project: Project, random: Random, run: Undisturbed) -> str:
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


def place_is_useless(project: Project, random: Random, run: Undisturbed) -> str:
    """Let one folder be on a file system that is full or read-only, as a disk or quota of its own is, for a while."""
    place, free = random.choice(PLACES), random.choice((None, 0, 4, 64, 512))
    folder = project.folder / place
    folder.mkdir(parents=True, exist_ok=True)
    _move_to_a_disk(folder, free)
    done = subprocess.run(
        ["dvc", "repro"],
        cwd=project.folder,
        env=project.environment | ({"TMPDIR": str(folder)} if place == "tmp" else {}),
        capture_output=True,
        text=True,
        check=False,
    )
    _mount("-o", "remount,rw,size=1g", str(folder))
    output = done.stdout + done.stderr
    assert "Traceback" not in output, output
    return f"{place} {'is read-only' if free is None else f'has {free} kB'}: exit code {done.returncode}"


def _move_to_a_disk(folder: Path, free: int | None) -> None:
    """Move a folder to a file system of its own with some kilobytes left; None for a read-only one."""
    aside = folder.parent / f"{folder.name or 'all'}.aside"
    aside.mkdir()
    _mount("-t", "tmpfs", "-o", "size=1g", "tmpfs", str(aside))
    shutil.copytree(folder, aside, symlinks=True, dirs_exist_ok=True)
    used = int(subprocess.run(["df", "--output=used", str(aside)], capture_output=True, check=True).stdout.split()[1])
    _mount("--move", str(aside), str(folder))
    aside.rmdir()
    _mount("-o", f"remount,{'ro' if free is None else f'size={used + free}k'}", str(folder))


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


def unmount_all(below: Path) -> None:
    """Unmount every file system below a folder."""
    for line in Path("/proc/mounts").read_text().splitlines()[::-1]:
        if Path(line.split()[1]).is_relative_to(below):
            subprocess.run(["umount", "-l", line.split()[1]], check=True)


def two_users(project: Project, random: Random, run: Undisturbed) -> str:
    """Let a second project share the caches of DVC and of features, and run at about the same time."""
    shared = project.folder.parent / "shared"
    shutil.move(project.folder / ".dvc/cache", shared / "dvc")
    other = copy_of(project, project.folder.parent / "other")
    for each in (project, other):
        each.run("dvc", "cache", "dir", "--local", str(shared / "dvc"))
    with patch.dict(os.environ, {"MEDTRANSFER_CACHE": str(shared / "features")}):
        first = project.start("dvc", "repro")
        pause = random.uniform(0, run.work / 2)
        time.sleep(pause)
        second = other.start("dvc", "repro")
        codes = [process.wait(4 * PATIENCE) for process in (first, second)]
    assert codes == [0, 0], codes
    assert hashes(other) == hashes(project)
    shutil.rmtree(other.folder)
    return f"{pause:.1f} s apart"


def limit_files(project: Project, random: Random, run: Undisturbed) -> str:
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
    """A kind of trouble: what it starts from, and the command that must put everything right.

    start: `partly`, from a finished run some stages of which were forgotten; `finished`; or `scripts`, from a study of
    small scripts that has not run. mounts: whether it mounts file systems, which only root may. disturbed: the command
    that is disturbed, unless it is `repair`.
    """

    trouble: Callable[[Project, Random, Undisturbed], str]
    start: str
    repair: str
    mounts: bool = False
    disturbed: str = ""


SERIAL, PARALLEL = "dvc repro", "medtransfer repro -j 2"
PREDICT = "medtransfer predict scratch data/raw -o exports/p.csv"
EXPORT = "medtransfer export scratch"
DOWNLOAD = "dvc repro -f download"
KINDS = {
    "kill of `dvc repro`": Kind(kill_one(SERIAL), "partly", SERIAL),
    "kill of `medtransfer repro`": Kind(kill_one(PARALLEL), "partly", PARALLEL),
    "kill of a download": Kind(kill_one(DOWNLOAD), "finished", SERIAL, disturbed=DOWNLOAD),
    "kill of `medtransfer predict`": Kind(kill_one(PREDICT), "finished", PREDICT),
    "kill of `medtransfer export`": Kind(kill_one(EXPORT), "finished", EXPORT),
    "full or read-only place": Kind(place_is_useless, "partly", SERIAL, mounts=True),
    "two users of one cache": Kind(two_users, "partly", SERIAL),
    "spoiled file": Kind(spoil_a_file, "finished", SERIAL),
    "full disk": Kind(limit_files, "partly", SERIAL),
}

for _engine in ("local", "ray"):
    _command = f"medtransfer repro -j 2 --engine {_engine}"
    for _victim in ("worker", "coordinator"):
        _trouble = kill_one(_command, _victim)
        KINDS[f"kill of a {_victim}, {_engine}"] = Kind(_trouble, "scripts", SERIAL)


SHARES = {SERIAL: (0.04, 0.055), PARALLEL: (0.07, 0.03)}
"""The share of the work of `dvc repro` that a command does before the first stage, and for each, about."""


class Studies:
    """The projects that trials start from, and what undisturbed runs of them leave; each is made when it is needed.

    complete: a project that `dvc repro` has run, and the processor seconds of that, if there is one.
    """

    def __init__(self, root: Path, base: Path, complete: tuple[Project, float] | None = None) -> None:
        self._root, self._base = root, base
        self._projects: dict[str, Project] = {}
        self._made: dict[str, tuple[Project, Undisturbed]] = {}
        if complete:
            project, work = complete
            self._made[SERIAL] = project, Undisturbed(hashes(project), files(project), work, work)

    def trial(self, title: str, place: Path, seed: int) -> str:
        """Run one trial of a kind in `place`, and say what was done."""
        kind, random = KINDS[title], Random(seed)
        starts = {"scripts": self._scripts, "finished": self._finished, "partly": self._partly}
        with patch.dict(os.environ, {"MEDTRANSFER_CACHE": str(self._base / "cache")}):
            project, expected, told = starts[kind.start](kind, place / "project", random, seed)
        kept = place if random.random() < 0.5 else self._base
        with patch.dict(os.environ, {"MEDTRANSFER_CACHE": str(kept / "cache")}):
            return suffer(kind, project, expected, random, f"seed {seed}: {told}") + told

    def _scripts(self, kind: Kind, folder: Path, random: Random, seed: int) -> tuple[Project, Undisturbed, str]:
        untouched = self._made_once("scripts", partial(scripts_project, self._root))
        return copy_of(untouched, folder), self._after(SERIAL, untouched)[1], ""

    def _finished(self, kind: Kind, folder: Path, random: Random, seed: int) -> tuple[Project, Undisturbed, str]:
        complete, expected = self._complete()
        if command := kind.disturbed or (kind.repair if kind.repair != SERIAL else ""):
            expected = self._after(command, complete)[1]
        return copy_of(complete, folder), expected, ""

    def _partly(self, kind: Kind, folder: Path, random: Random, seed: int) -> tuple[Project, Undisturbed, str]:
        complete, expected = self._complete()
        if seed % WHOLE == WHOLE - 1:
            project, told = copy_of(self._untouched(), folder), "; from nothing"
        else:
            project = copy_of(complete, folder)
            names = forget(project, random)
            told = f"; without {', '.join(sorted(names))}"
            before, each = SHARES[kind.repair]
            expected = replace(expected, work=expected.work * (before + each * len(names)))
        if seed % TRACKED == TRACKED - 1:
            project, told = Tracked(project.folder), f"{told}; tracked"
            if not (self._base / "mlflow.db").exists():
                new_store(self._base)
            shutil.copyfile(self._base / "mlflow.db", project.folder / "mlflow.db")
        return project, expected, told

    def _untouched(self) -> Project:
        return self._made_once("untouched", partial(small_project, self._root))

    def _complete(self) -> tuple[Project, Undisturbed]:
        return self._made.get(SERIAL) or self._after(SERIAL, self._untouched())

    def _made_once(self, name: str, make: Callable[[Path], Project]) -> Project:
        if name not in self._projects:
            self._projects[name] = make(self._base / name)
        return self._projects[name]

    def _after(self, command: str, project: Project) -> tuple[Project, Undisturbed]:
        name = f"{project.folder.name} after {command.replace('/', '_')}"
        if name not in self._made:
            self._made[name] = undisturbed_run(project, self._base / name.replace(" ", "_"), command)
        return self._made[name]


def suffer(kind: Kind, project: Project, undisturbed: Undisturbed, random: Random, where: str) -> str:
    """Disturb a project, repair it by one command, compare it with an undisturbed run, and say what was done."""
    try:
        told = kind.trouble(project, random, undisturbed)
        where = f"{where}; {told}"
        _wait_until_nobody_lives(project, where)
        project.run(*kind.repair.split())
        assert hashes(project) == undisturbed.hashes, f"{where}: other bytes: {_differing(project, undisturbed)}"
        assert files(project) == undisturbed.files, f"{where}: {files(project) ^ undisturbed.files}"
        unfinished = project.folder / ".medtransfer/unfinished"
        assert not unfinished.is_dir() or not list(unfinished.iterdir()), f"{where}: unfinished runs"
        if isinstance(project, Tracked):
            _wait_until_nobody_lives(project, where)
            check_runs(project, where)
        assert not living(project), f"{where}: {[process.cmdline() for process in living(project)]} after the repair"
    finally:
        unmount_all(project.folder.parent)
    return told


def _wait_until_nobody_lives(project: Project, where: str) -> None:
    deadline = time.monotonic() + ORPHANS_MAY_LIVE
    while living(project) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not living(project), f"{where}: {[process.cmdline() for process in living(project)]}"


def _differing(project: Project, undisturbed: Undisturbed) -> list[str]:
    return [path for path, _ in hashes(project).items() ^ undisturbed.hashes.items()]


def check_runs(project: Project, where: str) -> None:
    """Assert that MLflow holds the training of each stage that ran as finished, and nothing as running."""
    waiting = list((project.folder / ".medtransfer/tracking").glob("*/*.jsonl"))
    assert not waiting, f"{where}: {waiting} not logged"
    with closing(sqlite3.connect(project.folder / "mlflow.db")) as store:
        runs = store.execute("select name, status from runs where name != 'none'").fetchall()  # that of `new_store`
    assert not [name for name, status in runs if status == "RUNNING"], f"{where}: {runs}"
    for name in re.findall(r"train@(\w+)", where):
        assert (name, "FINISHED") in runs, f"{where}: no run of {name} in {runs}"


def copy_of(project: Project, folder: Path) -> Project:
    """Return a copy of a project."""
    shutil.copytree(project.folder, folder, symlinks=True)
    return replace(project, folder=folder)
