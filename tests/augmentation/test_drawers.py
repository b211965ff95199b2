"""Drawers return the same bytes for any number of processes, report errors, and end with their parent."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from medtransfer.augmentation import drawers
from medtransfer.augmentation.drawers import Drawers
from medtransfer.augmentation.store import write_views
from medtransfer.augmentation.views import ViewMaker
from medtransfer.data.prepared import Prepared
from medtransfer.study import Policy
from medtransfer.util.errors import UserError

Build = Callable[..., Prepared]
POLICY = Policy.model_validate(
    {"views": 3, "transforms": [{"Rotate": {"limit": 20, "p": 1.0}}], "mix": {"method": "cutmix"}}
)
ROWS = np.array([7, 0, 3, 3, 5, 1, 2])
ENDLESS = r"""
import os, signal
import numpy as np
from medtransfer.augmentation.drawers import Drawers

signal.signal(signal.SIGHUP, signal.SIG_DFL)  # `nohup make test` ignores it

class Maker:
    def draw(self, row, view):
        os.write(1, b"%d\n" % os.getpid())
        while True:
            pass

Drawers(Maker()).draw(np.arange(2), 0)
"""


@pytest.fixture
def prepared(build_prepared: Build) -> Prepared:
    images = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), np.uint8)
    return build_prepared(images=images, label_index=[0, 1] * 4, split=["train"] * 8)


def no_semaphore(*_: object, **__: object) -> None:
    raise OSError(errno.EROFS, "Read-only file system")  # as with a /dev/shm that is read-only


def one_by_one(maker: ViewMaker, view: int) -> list[np.ndarray]:
    drawn = [maker.draw(row, view) for row in ROWS.tolist()]
    return [np.stack(parts) for parts in zip(*drawn, strict=True)]


@pytest.mark.parametrize("processes", [1, 2, 5])
@pytest.mark.parametrize("platform", ["linux", "darwin", "without /dev/shm"], ids=["processes", "threads", "no_shm"])
def test_views_do_not_depend_on_how_many_draw_them(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch, processes: int, platform: str
) -> None:
    monkeypatch.setattr(drawers, "cpu_count", lambda: processes)
    monkeypatch.setattr(sys, "platform", platform if platform != "without /dev/shm" else "linux")
    if platform == "without /dev/shm":
        monkeypatch.setattr("multiprocessing.synchronize.SemLock.__init__", no_semaphore)
    maker = ViewMaker(prepared, POLICY, 5)
    with closing(Drawers(maker)) as drawing:
        for view in (0, 2):
            for expected, found in zip(one_by_one(maker, view), drawing.draw(ROWS, view), strict=True):
                assert expected.dtype == found.dtype
                np.testing.assert_array_equal(expected, found)


def test_an_error_in_a_drawer_is_raised(prepared: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_self: ViewMaker, row: int, _view: int) -> tuple[np.ndarray, np.ndarray]:
        raise ValueError(f"row {row}")

    monkeypatch.setattr(ViewMaker, "draw", failing)
    with closing(Drawers(ViewMaker(prepared, POLICY, 5))) as drawing, pytest.raises(ValueError, match="row"):
        drawing.draw(ROWS, 0)


def test_a_killed_drawer_ends_the_stage_with_one_line_and_writes_nothing(
    prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(_self: ViewMaker, _row: int, _view: int) -> tuple[np.ndarray, np.ndarray]:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    monkeypatch.setattr(ViewMaker, "draw", killed)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="memory ran out"):
        write_views(prepared, POLICY, 5, tmp_path / "views")
    assert not (tmp_path / "views").exists()
    assert not list(tmp_path.rglob("*.npy"))


@pytest.mark.skipif(sys.platform != "linux", reason="drawers are threads on other systems")
@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP], ids=lambda sign: sign.name)
def test_drawers_end_with_their_parent(sign: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", ENDLESS], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        drawer = int(process.stdout.readline())
        process.send_signal(sign)
        assert process.wait() == -sign
        deadline = time.monotonic() + 10
        while _runs(drawer) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not _runs(drawer)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
