"""Downloads: resuming, checksums, the record, and a full disk."""

from __future__ import annotations

import io
import json
import os
import resource
import shutil
import signal
import subprocess
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from medtransfer.data.sources import fetch
from medtransfer.data.sources.kaggle import download, failures

from .fetching import HEADS, RESUMES, data, failure, fetched, in_a_process, kept, random_archive, sha256
from .kaggle_server import Fault, KaggleServer, zipped

# --- resuming


def stop_half_way(server: KaggleServer, cut: int) -> str:
    """Fetch an archive of 300 kB in vain, each answer cut off after `cut` bytes; return the error line."""
    server.archive = random_archive(300_000)
    server.always["archive"] = Fault(cut=cut)
    line = failure()
    server.always.clear()
    server.seen.clear()
    return line


def test_a_download_that_is_cut_off_resumes_where_it_stopped(server: KaggleServer) -> None:
    assert "cut off; run again: the download resumes where it stopped" in stop_half_way(server, 50_000)
    have = kept(".part")[0].stat().st_size
    assert have > 40_000 * failures.ATTEMPTS
    assert fetched()["archive_sha256"] == sha256(server.archive)
    assert server.calls("archive")[-1].headers["Range"] == f"bytes={have}-"


def test_an_archive_that_changed_in_between_is_downloaded_from_the_start(server: KaggleServer) -> None:
    stop_half_way(server, 10_000)
    server.archive = random_archive(300_000)
    assert fetched()["archive_sha256"] == sha256(server.archive)


@pytest.mark.parametrize(("ranges", "etag"), [(False, True), (True, False)], ids=["no ranges", "dates only"])
def test_servers_without_ranges_or_without_etags(server: KaggleServer, ranges: bool, etag: bool) -> None:
    server.ranges, server.etag = ranges, etag
    server.faults["archive"].append(Fault(cut=100))
    assert fetched()["archive_sha256"] == sha256(server.archive)


def test_an_error_while_resuming_keeps_the_partial_file(server: KaggleServer) -> None:
    server.archive = random_archive(300_000)
    server.faults["archive"].extend([Fault(cut=200_000), Fault(cut=0), Fault(503, body=b"x" * 400_000)])
    assert fetched()["archive_sha256"] == sha256(server.archive)
    assert server.calls("archive")[-1].headers["Range"] == f"bytes={200_000 // download.CHUNK * download.CHUNK}-"


def test_a_partial_file_that_is_too_long_is_downloaded_from_the_start(server: KaggleServer) -> None:
    stop_half_way(server, 50_000)
    with kept(".part")[0].open("ab") as part:
        part.write(bytes(300_000))
    assert fetched()["archive_sha256"] == sha256(server.archive)
    assert "Range" in server.calls("archive")[1].headers


def test_two_runs_at_once_wait_for_each_other(server: KaggleServer, root: Path) -> None:
    server.archive = random_archive(2_000_000)
    server.faults["archive"].append(Fault(drip=0.05))
    Path("other").mkdir()
    with subprocess.Popen(**in_a_process(root)) as process:
        while not kept(".part"):
            time.sleep(0.02)
            assert process.poll() is None
        fetch(data(HEADS), 0, Path("other/raw"), Path("other/manifest.json"))
        assert process.wait() == 0
    assert {path.name for path in Path("raw").iterdir()} == {path.name for path in Path("other/raw").iterdir()}


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_download_resumes_where_it_stopped(
    server: KaggleServer, root: Path, capfd: pytest.CaptureFixture[str], how: signal.Signals
) -> None:
    server.archive = random_archive(3_000_000)
    server.faults["archive"].append(Fault(drip=0.1))
    with subprocess.Popen(**in_a_process(root)) as process:
        while not kept(".part") or kept(".part")[0].stat().st_size < 1_000_000:
            time.sleep(0.05)
            assert process.poll() is None
        process.send_signal(how)
    shown = capfd.readouterr().err
    assert shown == ("" if how == signal.SIGKILL else f"error: data.kaggle: interrupted; {RESUMES}\n")
    assert fetched()["archive_sha256"] == sha256(server.archive)
    assert int(server.calls("archive")[-1].headers["Range"][6:-1]) >= 1_000_000


# --- unexpected bytes

CORRUPT = {
    "no zip": b"<html>please sign in</html>",
    "empty": b"",
    "truncated": zipped({"one.png": os.urandom(5000)})[:-2000],
    "damaged": zipped({"one.png": b"a" * 5000}).replace(b"one.png\xed", b"one.png\xff", 1),
}


@pytest.mark.parametrize("archive", CORRUPT.values(), ids=CORRUPT)
def test_an_archive_that_is_not_a_zip_is_not_kept(server: KaggleServer, archive: bytes) -> None:
    good, server.archive = server.archive, archive
    assert "not a readable zip" in failure()
    assert kept(".zip") == []
    assert not Path("data/kaggle.lock.json").exists()
    server.archive = good
    assert fetched()["files"] == 3


def test_a_damaged_file_is_detected_by_its_checksum(server: KaggleServer) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("one.png", b"0123456789")
    server.archive = packed.getvalue().replace(b"0123456789", b"0123456780")
    assert "not a readable zip (Bad CRC-32" in failure()


def test_a_set_that_changed_is_an_error_until_the_params_state_its_hash(server: KaggleServer) -> None:
    first = fetched()["archive_sha256"]
    assert json.loads(Path("data/kaggle.lock.json").read_text(encoding="utf-8"))["datasets/owner/heads/versions/2"][
        "archive_sha256"
    ] == (first)
    shutil.rmtree("raw")
    Path("manifest.json").unlink()
    server.archive = zipped({"new.png": b"new"})
    second = sha256(server.archive)
    line = failure()
    assert f"expected sha256 {first} (data/kaggle.lock.json, from the first download), but got {second}" in line
    assert f"set data.kaggle.sha256: {second}" in line
    server.seen.clear()
    assert fetched(sha256=second)["archive_sha256"] == second
    assert server.calls("archive") == [], "the archive that was kept is used"
    assert fetched()["archive_sha256"] == second, "and is recorded"


def test_the_hash_of_the_params_is_checked_at_the_first_download(server: KaggleServer) -> None:
    wrong = "0" * 64
    assert f"expected sha256 {wrong} (data.kaggle.sha256)" in failure(sha256=wrong)
    assert not Path("data/kaggle.lock.json").exists()
    assert fetched(sha256=sha256(server.archive))["files"] == 3


def test_versions_have_separate_records(server: KaggleServer) -> None:
    fetched()
    server.archive = zipped({"new.png": b"new"})
    assert fetched(version=3)["files"] == 1


def test_a_record_that_is_not_json_is_an_error() -> None:
    Path("data").mkdir()
    Path("data/kaggle.lock.json").write_text("<<<<<<< HEAD", encoding="utf-8")
    assert "git checkout data/kaggle.lock.json" in failure()


# --- the disk


@pytest.fixture
def small_files() -> Iterator[None]:
    """Limit files to 100 kB: to this process, a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_disk_that_fills_up_during_the_download(server: KaggleServer, request: pytest.FixtureRequest) -> None:
    server.archive = random_archive(300_000)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    request.getfixturevalue("small_files")
    assert "the disk is full; free some space and run again" in failure()
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert fetched()["archive_sha256"] == sha256(server.archive)
    assert "Range" in server.calls("archive")[-1].headers


def test_a_full_device(server: KaggleServer) -> None:
    server.faults["archive"].append(Fault(cut=10))
    server.always["archive"] = Fault(503)
    failure()
    server.always.clear()
    part = kept(".part")[0]
    part.unlink()
    part.symlink_to("/dev/full")
    assert "the disk is full" in failure()


def test_a_disk_that_fills_up_during_unpacking_keeps_the_archive(
    server: KaggleServer, request: pytest.FixtureRequest
) -> None:
    server.archive = zipped({"one.png": os.urandom(60_000) + bytes(60_000)})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    request.getfixturevalue("small_files")
    assert len(server.archive) < 100_000
    assert "the disk is full" in failure()
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    server.seen.clear()
    assert fetched()["files"] == 1
    assert server.calls("archive") == []


def test_too_little_space_is_an_error_before_the_download(
    monkeypatch: pytest.MonkeyPatch, server: KaggleServer
) -> None:
    usage = shutil.disk_usage(".")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=10))
    assert "the disk is too full: expected" in failure()


def test_a_folder_that_cannot_be_written() -> None:
    Path(".medtransfer").write_text("in the way", encoding="utf-8")
    assert "cannot write .medtransfer" in failure()
