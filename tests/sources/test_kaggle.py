"""The real, unpatched Kaggle client against a server of our own, with every fault that it can meet."""

from __future__ import annotations

import email.utils
import hashlib
import io
import json
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import termios
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from medtransfer.errors import UserError
from medtransfer.sources import archive as unpacking
from medtransfer.sources.fetch import fetch
from medtransfer.sources.kaggle import client, download, failures
from medtransfer.study import Data

from .kaggle_server import SIGNATURE, STORAGE, Fault, KaggleServer, says, zipped

TOKEN = "KGAT_0123456789abcdef"
GOES_ON = "run again: the download goes on where it stopped"
HEADS: dict[str, Any] = {"dataset": "owner/heads", "version": 2}
BRAINS: dict[str, Any] = {"competition": "brains"}
CREDENTIALS = ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_CONFIG_DIR", "VERBOSE", "DVC_ROOT")
FETCH = """
import json, sys
from pathlib import Path
from medtransfer.errors import run
from medtransfer.sources.kaggle import client, fetch_kaggle
from medtransfer.study import KaggleSource
client.TIMEOUT = float(sys.argv[2])
folder = Path("raw")
folder.mkdir(exist_ok=True)
run(lambda: fetch_kaggle(KaggleSource.model_validate(json.loads(sys.argv[1])), folder))
"""


@pytest.fixture(scope="module")
def running() -> Iterator[KaggleServer]:
    server = KaggleServer()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def server(running: KaggleServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KaggleServer:
    """Give the server anew, reached from an empty home and working folder, by a client that waits for little."""
    running.reset()
    for name in CREDENTIALS:
        monkeypatch.delenv(name, raising=False)
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "home").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home/.config"))
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(client, "TIMEOUT", 5.0)
    monkeypatch.setattr(download, "FIRST_WAIT", 0.01)
    # The client signs in as it is imported, so each test imports it again.
    for name in [name for name in sys.modules if name == "kaggle" or name.startswith("kaggle.")]:
        monkeypatch.delitem(sys.modules, name)
    return running


def data(kaggle: dict[str, Any]) -> Data:
    described = {"source": "kaggle", "folder": "x", "kaggle": kaggle, "layout": "class_folders", "group": None}
    split = {"image_size": 32, "resize": "stretch", "split": {"method": "random"}, "leakage": "fail"}
    return Data.model_validate(described | split)


def fetched(kaggle: dict[str, Any] = HEADS, **changes: Any) -> dict[str, Any]:
    """Fetch to `raw`; give the manifest."""
    return fetch(data(kaggle | changes), 0, Path("raw"), Path("manifest.json"))


def failure(kaggle: dict[str, Any] = HEADS, **changes: Any) -> str:
    """Fetch in vain; give the one line, after seeing that nothing half written is there."""
    with pytest.raises(UserError) as caught:
        fetched(kaggle, **changes)
    assert len(caught.value.problems) == 1
    line = caught.value.problems[0]
    assert "\n" not in line
    assert line.isprintable()
    assert not Path("raw").exists()
    assert not Path("manifest.json").exists()
    assert not list(Path().glob(".raw*"))
    return line


def files() -> dict[str, bytes]:
    return {str(path.relative_to("raw")): path.read_bytes() for path in Path("raw").rglob("*") if path.is_file()}


def kept(suffix: str) -> list[Path]:
    return list(Path(".medtransfer/downloads").glob(f"*{suffix}"))


def random_archive(size: int) -> bytes:
    return zipped({"one.png": os.urandom(size // 2), "two.png": os.urandom(size // 2)})


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# --- what is fetched


def test_a_public_set_without_an_account(server: KaggleServer) -> None:
    manifest = fetched()
    assert files() == {"train/one.png": b"one" * 50, "test/two.png": b"two" * 50, "labels.csv": b"a,b\n"}
    assert manifest == json.loads(Path("manifest.json").read_text(encoding="utf-8"))
    assert (manifest["reference"], manifest["version"], manifest["files"]) == ("owner/heads", 2, 3)
    assert manifest["licence"] == "CC-BY-4.0"
    assert manifest["citation"].startswith("An Owner. Heads (version 2). Kaggle. https://www.kaggle.com/datasets/")
    assert manifest["citation"].endswith("Sources: doi:10.1/heads")
    assert manifest["archive_sha256"] == sha256(server.archive)
    assert manifest["archive_bytes"] == len(server.archive)
    assert not any("Authorization" in seen.headers for seen in server.seen)
    assert server.calls("DownloadDataset")[0].body["datasetVersionNumber"] == 2
    assert kept(".zip") + kept(".part") + kept(".json") == []


def test_a_competition(server: KaggleServer) -> None:
    manifest = fetched(BRAINS)
    assert len(files()) == 3
    assert (manifest["reference"], manifest["version"]) == ("brains", None)
    assert manifest["licence"].endswith("/competitions/brains/rules")
    assert "A Society. Brains" in manifest["citation"]


def test_a_set_that_says_nothing_about_itself_is_fetched_all_the_same(server: KaggleServer) -> None:
    server.always = {name: says(403, "No") for name in ("GetDataset", "GetDatasetMetadata")}
    assert fetched()["licence"] is None


def test_the_licence_of_the_first_download_stands_in_for_one_that_kaggle_does_not_tell(server: KaggleServer) -> None:
    fetched()
    server.always = {"GetDataset": Fault(200, {"Content-Type": "application/json"}, b"[garbage")}
    assert fetched()["licence"] == "CC-BY-4.0"


def test_chosen_files(server: KaggleServer) -> None:
    assert fetched(files=["*.csv", "train/*"])["chosen"] == ["*.csv", "train/*"]
    assert set(files()) == {"labels.csv", "train/one.png"}


def test_a_pattern_that_chooses_nothing() -> None:
    assert "data.kaggle.files: no file of the set matches 'labls.csv'; did you mean 'labels.csv'?" in failure(
        files=["labls.csv"]
    )


# --- accounts


def key_file(home: Path) -> None:
    (home / ".kaggle").mkdir()
    (home / ".kaggle/kaggle.json").write_text(json.dumps({"username": "me", "key": "secret"}), encoding="utf-8")


@pytest.mark.parametrize(
    ("variables", "write", "sent"),
    [
        ({"KAGGLE_API_TOKEN": TOKEN}, None, f"Bearer {TOKEN}"),
        ({"KAGGLE_USERNAME": "me", "KAGGLE_KEY": "secret"}, None, "Basic bWU6c2VjcmV0"),
        ({}, key_file, "Basic bWU6c2VjcmV0"),
    ],
    ids=["token", "key", "kaggle.json"],
)
def test_credentials_go_to_kaggle_and_not_to_the_storage_host(
    server: KaggleServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    write: Callable[[Path], None] | None,
    sent: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    if write is not None:
        write(tmp_path / "home")
    # Cut off once, so that the rest is asked for as well.
    server.faults["archive"].append(Fault(cut=100))
    fetched()
    assert [seen.headers.get("Authorization") for seen in server.calls("DownloadDataset")] == [sent, sent]
    stored = server.calls("archive")
    assert len(stored) == 3
    assert all(seen.host == STORAGE and "Authorization" not in seen.headers for seen in stored)


# --- what Kaggle refuses

REFUSED = [
    (HEADS, 401, ["accounts only (401)", "KAGGLE_API_TOKEN", "settings/api"]),
    (HEADS, 403, ["private", "(403)", "https://www.kaggle.com/datasets/owner/heads/versions/2"]),
    (BRAINS, 403, ["rules", "(403)", "https://www.kaggle.com/competitions/brains/rules"]),
    (HEADS, 400, ["(400", "https://www.kaggle.com/datasets/owner/heads/versions/2"]),
]


@pytest.mark.parametrize("status", [None, 200], ids=["as status", "under status 200"])
@pytest.mark.parametrize(("kaggle", "code", "expected"), REFUSED)
def test_a_refusal_is_one_line_and_the_next_run_succeeds(
    server: KaggleServer, kaggle: dict[str, Any], code: int, expected: list[str], status: int | None
) -> None:
    server.faults["DownloadDataset" if kaggle is HEADS else "DownloadDataFiles"].append(says(code, "No", status))
    line = failure(kaggle)
    assert all(part in line for part in expected), line
    assert fetched(kaggle)["files"] == 3


def test_a_token_that_is_not_accepted(server: KaggleServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    server.always["IntrospectToken"] = says(404, f"no token {TOKEN}")
    server.always["DownloadDataset"] = says(401, f"no token {TOKEN}")
    line = failure()
    assert "does not accept the token or key (401)" in line
    assert TOKEN not in line


@pytest.mark.parametrize(
    ("kaggle", "expected"),
    [
        (HEADS | {"dataset": "owner/haeds"}, "data.kaggle.dataset: Kaggle has no set 'owner/haeds' (404); did you"),
        (HEADS | {"dataset": "owner/haeds"}, "did you mean 'owner/heads'?"),
        (HEADS | {"version": 7}, "data.kaggle.version: owner/heads has no version 7 (404); it has versions 1 to 3"),
        ({"competition": "brain"}, "did you mean 'brains'?"),
    ],
)
def test_a_wrong_name_or_version_tells_what_there_is(kaggle: dict[str, Any], expected: str) -> None:
    assert expected in failure(kaggle)


def test_a_name_like_the_users_own_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_USERNAME", "owner")
    monkeypatch.setenv("KAGGLE_KEY", "heads-key")
    assert "did you mean 'owner/heads'?" in failure(dataset="owner/haeds")


def test_a_wrong_name_where_the_server_lists_none(server: KaggleServer) -> None:
    server.always["ListDatasets"] = says(500, "No")
    assert "has no set 'owner/haeds' (404); copy the name" in failure(dataset="owner/haeds")


@pytest.mark.parametrize("body", [b"[garbage", b"5", b'{"code": "none", "message": 5}', b"null"])
def test_an_answer_that_is_not_kaggles(server: KaggleServer, body: bytes) -> None:
    server.faults["DownloadDataset"].append(Fault(200, {"Content-Type": "application/json"}, body))
    assert "cannot be read" in failure()


# --- what may pass


def test_a_throttled_run_waits_as_the_server_says(server: KaggleServer, capsys: pytest.CaptureFixture[str]) -> None:
    server.faults["DownloadDataset"].append(says(429, "Slow down", Retry_After="1"))
    start = time.monotonic()
    fetched()
    assert time.monotonic() - start >= 1
    assert "(429)" in (told := capsys.readouterr().err)
    assert "the next in 1 s" in told


def test_the_time_to_wait_may_be_a_date_and_the_archive_may_be_throttled(server: KaggleServer) -> None:
    date = email.utils.formatdate(time.time() - 5, usegmt=True)
    server.faults["archive"].append(Fault(429, {"Retry-After": date}))
    assert fetched()["files"] == 3


def test_a_wait_that_is_too_long_ends_the_run(server: KaggleServer) -> None:
    server.always["DownloadDataset"] = says(429, "Slow down", Retry_After="3600")
    assert "asks to wait 3600 s; run again after that" in failure()
    assert len(server.calls("DownloadDataset")) == 1


@pytest.mark.parametrize(
    ("call", "code", "expected"),
    [("DownloadDataset", 429, "throttles"), ("DownloadDataset", 503, "out of order (503)"), ("archive", 502, "(502)")],
)
def test_what_passes_is_waited_out_and_what_does_not_is_not_waited_for_forever(
    server: KaggleServer, call: str, code: int, expected: str
) -> None:
    server.always[call] = says(code, "Later")
    assert expected in failure()
    assert len(server.calls(call)) == failures.ATTEMPTS
    server.always.clear()
    server.faults[call].extend([says(code, "Later")] * (failures.ATTEMPTS - 1))
    assert fetched()["files"] == 3


@pytest.mark.parametrize("call", ["DownloadDataset", "archive"])
def test_a_server_that_does_not_answer(server: KaggleServer, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    monkeypatch.setattr(client, "TIMEOUT", 0.3)
    monkeypatch.setattr(failures, "ATTEMPTS", 2)
    server.always[call] = Fault(hang=1)
    assert "did not answer within 0.3 s" in failure()
    server.always.clear()
    assert fetched()["files"] == 3


def test_a_body_that_stalls_is_asked_for_again_from_there(
    server: KaggleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "TIMEOUT", 0.3)
    server.archive = random_archive(300_000)
    server.faults["archive"].append(Fault(cut=200_000, hang=1))
    assert fetched()["archive_sha256"] == sha256(server.archive)
    assert int(server.calls("archive")[-1].headers["Range"][6:-1]) > 180_000


def test_no_network_names_the_other_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://user:pass@127.0.0.1:9")
    line = failure()
    assert "cannot be reached" in line
    assert "data.source: folder" in line
    assert "data.source: phantom" in line
    assert "pass@" not in line


# --- resuming


def test_a_download_that_is_cut_off_goes_on_where_it_stopped(server: KaggleServer) -> None:
    server.archive = random_archive(300_000)
    server.always["archive"] = Fault(cut=50_000)
    assert "cut off; run again: it goes on where it stopped" in failure()
    have = kept(".part")[0].stat().st_size
    assert have > 40_000 * failures.ATTEMPTS
    server.always.clear()
    server.seen.clear()
    assert fetched()["archive_sha256"] == sha256(server.archive)
    assert server.calls("archive")[-1].headers["Range"] == f"bytes={have}-"


def test_an_archive_that_changed_meanwhile_is_begun_anew(server: KaggleServer) -> None:
    server.archive = random_archive(300_000)
    server.always["archive"] = Fault(cut=10_000)
    failure()
    server.always.clear()
    server.archive = random_archive(300_000)
    assert fetched()["archive_sha256"] == sha256(server.archive)


@pytest.mark.parametrize(("ranges", "etag"), [(False, True), (True, False)], ids=["no ranges", "dates only"])
def test_servers_that_resume_otherwise(server: KaggleServer, ranges: bool, etag: bool) -> None:
    server.ranges, server.etag = ranges, etag
    server.faults["archive"].append(Fault(cut=100))
    assert fetched()["archive_sha256"] == sha256(server.archive)


def test_an_error_while_resuming_costs_nothing_of_what_is_there(server: KaggleServer) -> None:
    server.archive = random_archive(300_000)
    server.faults["archive"].extend([Fault(cut=200_000), Fault(cut=0), Fault(503, body=b"x" * 400_000)])
    assert fetched()["archive_sha256"] == sha256(server.archive)
    assert server.calls("archive")[-1].headers["Range"] == f"bytes={200_000 // download.CHUNK * download.CHUNK}-"


def test_more_bytes_than_there_are_is_begun_anew(server: KaggleServer) -> None:
    server.archive = random_archive(300_000)
    server.always["archive"] = Fault(cut=50_000)
    failure()
    server.always.clear()
    with kept(".part")[0].open("ab") as part:
        part.write(bytes(300_000))
    server.seen.clear()
    assert fetched()["archive_sha256"] == sha256(server.archive)
    assert "Range" in server.calls("archive")[1].headers


def test_two_runs_at_once_wait_for_each_other(server: KaggleServer, root: Path) -> None:
    server.archive = random_archive(2_000_000)
    server.faults["archive"].append(Fault(drip=0.05))
    environment = os.environ | {"PYTHONPATH": str(root / "src")}
    Path("other").mkdir()
    with subprocess.Popen([sys.executable, "-c", FETCH, json.dumps(HEADS), "5"], env=environment) as process:
        while not kept(".part"):
            time.sleep(0.02)
            assert process.poll() is None
        fetch(data(HEADS), 0, Path("other/raw"), Path("other/manifest.json"))
        assert process.wait() == 0
    assert {path.name for path in Path("raw").iterdir()} == {path.name for path in Path("other/raw").iterdir()}


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_download_goes_on_where_it_stopped(
    server: KaggleServer, root: Path, capfd: pytest.CaptureFixture[str], how: signal.Signals
) -> None:
    server.archive = random_archive(3_000_000)
    server.faults["archive"].append(Fault(drip=0.1))
    environment = os.environ | {"PYTHONPATH": str(root / "src")}
    with subprocess.Popen([sys.executable, "-c", FETCH, json.dumps(HEADS), "5"], env=environment) as process:
        while not kept(".part") or kept(".part")[0].stat().st_size < 1_000_000:
            time.sleep(0.05)
            assert process.poll() is None
        process.send_signal(how)
    told = capfd.readouterr().err
    assert told == ("" if how == signal.SIGKILL else f"error: data.kaggle: interrupted; {GOES_ON}\n")
    assert fetched()["archive_sha256"] == sha256(server.archive)
    assert int(server.calls("archive")[-1].headers["Range"][6:-1]) >= 1_000_000


# --- bytes that are not the expected ones

CORRUPT = {
    "no zip": b"<html>please sign in</html>",
    "empty": b"",
    "truncated": zipped({"one.png": os.urandom(5000)})[:-2000],
    "damaged": zipped({"one.png": b"a" * 5000}).replace(b"one.png\xed", b"one.png\xff", 1),
}


@pytest.mark.parametrize("archive", CORRUPT.values(), ids=CORRUPT)
def test_an_archive_that_is_no_zip_is_not_kept(server: KaggleServer, archive: bytes) -> None:
    good, server.archive = server.archive, archive
    assert "no readable zip" in failure()
    assert kept(".zip") == []
    assert not Path("data/kaggle.lock.json").exists()
    server.archive = good
    assert fetched()["files"] == 3


def test_a_damaged_file_is_found_by_its_checksum(server: KaggleServer) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("one.png", b"0123456789")
    server.archive = packed.getvalue().replace(b"0123456789", b"0123456780")
    assert "no readable zip (Bad CRC-32" in failure()


def test_a_set_that_changed_under_its_name_is_an_error_until_the_params_say_it_is_meant(server: KaggleServer) -> None:
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
    assert server.calls("archive") == [], "the archive that was kept is taken"
    assert fetched()["archive_sha256"] == second, "and counts from now on"


def test_the_hash_of_the_params_holds_from_the_first_download_on(server: KaggleServer) -> None:
    wrong = "0" * 64
    assert f"expected sha256 {wrong} (data.kaggle.sha256)" in failure(sha256=wrong)
    assert not Path("data/kaggle.lock.json").exists()
    assert fetched(sha256=sha256(server.archive))["files"] == 3


def test_versions_are_recorded_apart(server: KaggleServer) -> None:
    fetched()
    server.archive = zipped({"new.png": b"new"})
    assert fetched(version=3)["files"] == 1


def test_a_record_that_cannot_be_read() -> None:
    Path("data").mkdir()
    Path("data/kaggle.lock.json").write_text("<<<<<<< HEAD", encoding="utf-8")
    assert "git checkout data/kaggle.lock.json" in failure()


# --- archives that mean harm


def member(name: str, mode: int = 0, content: bytes = b"x") -> Callable[[zipfile.ZipFile], None]:
    def write(archive: zipfile.ZipFile) -> None:
        info = zipfile.ZipInfo("placeholder")
        info.filename = name
        info.external_attr = mode << 16
        archive.writestr(info, content)

    return write


def bomb(archive: zipfile.ZipFile) -> None:
    archive.writestr("zeros.png", bytes(20_000_000), zipfile.ZIP_DEFLATED)


UNSAFE = {
    "above": (member("../escaped.png"), "outside"),
    "far above": (member("a/../../../escaped.png"), "outside"),
    "absolute": (member("/tmp/escaped.png"), "outside"),
    "backslashes": (member("..\\escaped.png"), "outside"),
    "drive": (member("C:\\escaped.png"), "outside"),
    "link": (member("link", stat.S_IFLNK | 0o777, b"/etc/passwd"), "a link"),
    "device": (member("pipe", stat.S_IFIFO | 0o666), "a link or a device"),
    "line break": (member("a\nb.png"), "no plain path"),
    "bomb": (bomb, "a zip bomb?"),
    "file and folder": (lambda archive: [member("a")(archive), member("a/b")(archive)], "a file and a folder"),
    "twice": (lambda archive: [member("a/b")(archive), member("a\\b")(archive)], "two files of the same name"),
    "nothing": (lambda archive: None, "holds no files"),
}


@pytest.mark.parametrize(("write", "expected"), UNSAFE.values(), ids=UNSAFE)
def test_an_unsafe_archive_writes_nothing(
    server: KaggleServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write: Callable[[zipfile.ZipFile], None],
    expected: str,
) -> None:
    monkeypatch.setattr(unpacking, "HARMLESS_BYTES", 1_000_000)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        write(archive)
    server.archive = packed.getvalue()
    assert expected in failure()
    assert list(tmp_path.rglob("escaped*")) == []


def test_an_unsafe_file_can_be_left_out(server: KaggleServer) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        member("../escaped.png")(archive)
        member("good.csv")(archive)
    server.archive = packed.getvalue()
    assert fetched(files=["*.csv"])["files"] == 1


def test_a_file_that_is_larger_than_it_says_is_not_written_on(server: KaggleServer) -> None:
    packed = zipped({"one.png": bytes(5_000_000)})
    server.archive = packed.replace((5_000_000).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    assert "no readable zip" in failure()


@pytest.mark.parametrize(("limit", "value"), [("MOST_FILES", 2), ("MOST_BYTES", 100)])
def test_too_many_files_or_bytes(monkeypatch: pytest.MonkeyPatch, limit: str, value: int) -> None:
    monkeypatch.setattr(unpacking, limit, value)
    assert "more than the limits" in failure()


# --- the disk


@pytest.fixture
def small_files() -> Iterator[None]:
    """Let no file grow above 100 kB: a disk that takes no more, as far as this process can tell."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_disk_that_fills_up_while_downloading(server: KaggleServer, request: pytest.FixtureRequest) -> None:
    server.archive = random_archive(300_000)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    request.getfixturevalue("small_files")
    assert "the disk is full; free some space and run again" in failure()
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert fetched()["archive_sha256"] == sha256(server.archive)
    assert "Range" in server.calls("archive")[-1].headers


def test_a_device_that_is_full(server: KaggleServer) -> None:
    server.faults["archive"].append(Fault(cut=10))
    server.always["archive"] = Fault(503)
    failure()
    server.always.clear()
    part = kept(".part")[0]
    part.unlink()
    part.symlink_to("/dev/full")
    assert "the disk is full" in failure()


def test_a_disk_that_fills_up_while_unpacking_keeps_the_archive(
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


def test_too_little_space_is_told_before_the_download(monkeypatch: pytest.MonkeyPatch, server: KaggleServer) -> None:
    usage = shutil.disk_usage(".")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=10))
    assert "the disk is too full: expected" in failure()


def test_a_folder_that_cannot_be_written() -> None:
    Path(".medtransfer").write_text("in the way", encoding="utf-8")
    assert "cannot write .medtransfer" in failure()


# --- what a user sees, and what nobody may see


def secrets_of(output: str) -> list[str]:
    return [secret for secret in (TOKEN, SIGNATURE, "Bearer", "Basic ", "secret-key") if secret in output]


def written() -> str:
    return "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in Path().rglob("*") if path.is_file())


@pytest.mark.parametrize("works", [True, False])
def test_no_secret_is_shown_or_written_even_by_a_talkative_client(
    server: KaggleServer, root: Path, works: bool
) -> None:
    if not works:
        server.always["DownloadDataset"] = says(400, f"token {TOKEN} and key secret-key\nare wrong")
    talk = {"VERBOSE": "1", "KAGGLE_API_TOKEN": TOKEN, "KAGGLE_USERNAME": "me", "KAGGLE_KEY": "secret-key"}
    environment = os.environ | {"PYTHONPATH": str(root / "src")} | talk
    done = subprocess.run(
        [sys.executable, "-c", FETCH, json.dumps(HEADS), "5"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert server.calls("DownloadDataset")[0].headers["Authorization"] == f"Bearer {TOKEN}"
    assert done.returncode == (0 if works else 1)
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == (0 if works else 1), done.stderr
    assert secrets_of(done.stderr) + secrets_of(written()) == []


@pytest.mark.parametrize("token", [TOKEN * 100, f"{TOKEN}\n", f"{TOKEN}é"], ids=["long", "line break", "accent"])
def test_a_token_that_cannot_be_sent(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", token)
    line = failure()
    assert "the credentials cannot be read; expected a token in KAGGLE_API_TOKEN" in line
    assert TOKEN not in line


def test_a_key_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "home/.kaggle").mkdir()
    (tmp_path / "home/.kaggle/kaggle.json").write_text("[1]", encoding="utf-8")
    assert "the credentials cannot be read" in failure()


def test_a_home_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    assert "the kaggle client cannot start" in failure()


def test_signing_in_does_not_wait_for_ever(server: KaggleServer, root: Path) -> None:
    server.always["IntrospectToken"] = Fault(hang=20)
    environment = os.environ | {"PYTHONPATH": str(root / "src"), "KAGGLE_API_TOKEN": TOKEN}
    done = subprocess.run(
        [sys.executable, "-c", FETCH, json.dumps(HEADS), "1.5"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=15,
    )
    assert done.returncode == 1
    assert done.stderr == "error: data.kaggle: Kaggle did not answer within 1.5 s while signing in; run again later\n"


def test_a_terminal_shows_size_and_time_left(server: KaggleServer, root: Path) -> None:
    server.archive = random_archive(3_000_000)
    server.faults["archive"].append(Fault(drip=0.02))
    terminal, end = os.openpty()
    termios.tcsetwinsize(end, (24, 100))
    environment = os.environ | {"PYTHONPATH": str(root / "src")}
    with subprocess.Popen([sys.executable, "-c", FETCH, json.dumps(HEADS), "5"], env=environment, stderr=end):
        os.close(end)
        shown = b""
        try:
            while part := os.read(terminal, 4096):
                shown += part
        except OSError:
            # Linux tells so that the other end was closed.
            os.close(terminal)
    text = shown.decode()
    assert "owner/heads:  " in text
    assert "/3.00MB" in text or "/3.00M" in text, text
    assert "MB/s]" in text
