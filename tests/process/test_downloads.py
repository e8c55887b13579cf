"""Real downloads through real processes from the hub of this machine, with everything wrong."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections import namedtuple
from pathlib import Path

import psutil
import pytest
from fetching import fetch, noise, sha256, until
from local_hub import TOKEN, Fault

from comparator.core.exceptions import ConfigurationError, HubError
from comparator.hub import catalogue, transfer
from comparator.hub.downloads import Download, Downloads
from comparator.hub.selection import RemoteFile, pick
from comparator.library import discovery

SIZE = 5_000_000
SLOW = 200_000  # bytes a second: still under way whatever else runs on this machine


@pytest.fixture
def filled(hub):
    hub.add("org/m-GGUF", {"m-Q4_0.gguf": noise(SIZE), "m-Q8_0.gguf": noise(SIZE, 1)})
    return hub


def parts(folder):
    return [path for path in folder.rglob("*") if path.suffix == ".part"]


def start(name, folder, wanted=None):
    repository = catalogue.look(name)
    return Download(repository, pick(repository.choices, wanted, name), folder).start()


def test_only_what_is_needed_is_fetched_and_checked(filled, tmp_path):
    status = fetch("org/m-GGUF", tmp_path, "Q8_0")
    assert status.state == "done", status.message
    assert status.path == str(tmp_path / "gguf" / "org" / "m-GGUF" / "m-Q8_0.gguf")
    assert sha256(status.path) == filled.repositories["org/m-GGUF"].files["m-Q8_0.gguf"].sha256
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["m-Q8_0.gguf"]
    commit = filled.repositories["org/m-GGUF"].commit
    assert all(f"/resolve/{commit}/" in request.path for request in filled.asked("HEAD", "resolve"))
    assert not filled.asked("GET", "Q4_0")


def test_a_transformers_model_comes_as_a_folder(hub, tmp_path):
    index = b'{"weight_map": {}}'
    files = {
        "config.json": b"{}",
        "tokenizer.json": b'{"a": 1}',
        "model.safetensors.index.json": index,
        "model-00001-of-00002.safetensors": noise(200_000),
        "model-00002-of-00002.safetensors": noise(200_000, 1),
        "pytorch_model.bin": noise(200_000, 2),
    }
    hub.add("org/m", files)
    status = fetch("org/m", tmp_path)
    folder = tmp_path / "pytorch" / "org" / "m"
    assert (status.state, status.path) == ("done", str(folder))
    here = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert here == {name: data for name, data in files.items() if name != "pytorch_model.bin"}
    (model,) = discovery.scan(tmp_path).models
    assert model.path == str(folder)


def test_the_token_goes_to_the_hub_and_not_to_its_storage(filled, tmp_path, monkeypatch):
    filled.repositories["org/m-GGUF"].gated = True
    status = fetch("org/m-GGUF", tmp_path)
    assert status.state == "failed"
    assert "gated" in status.message
    assert "HF_TOKEN" in status.message
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert fetch("org/m-GGUF", tmp_path).state == "done"
    assert not [r for r in filled.asked("GET", "/org/m-GGUF/m-Q4") if "authorization" in r.headers]


def test_a_connection_that_breaks_is_taken_up_where_it_broke(filled, tmp_path):
    filled.fail("storage", Fault(cut_after=1_500_000), times=2)
    status = fetch("org/m-GGUF", tmp_path)
    assert status.state == "done", status.message
    ranges = [request.headers.get("range") for request in filled.asked("GET", "m-Q4_0.gguf")]
    assert ranges[0] is None
    assert len(ranges) == 3
    assert all(said.startswith("bytes=") and said != "bytes=0-" for said in ranges[1:])


def test_a_connection_that_never_brings_a_byte_is_given_up(filled, tmp_path):
    filled.fail("storage", Fault(cut_after=0), times=100)
    download = start("org/m-GGUF", tmp_path)
    try:
        assert download.join(90)
        assert download.status().state == "failed"
        assert "broke off" in download.status().message
    finally:
        download.cancel()


@pytest.mark.parametrize(
    ("kind", "fault", "words"),
    [
        ("head", Fault(403, "", "no"), "error 403"),
        ("head", Fault(404, "EntryNotFound"), "not on the hub any more"),
        ("head", Fault(429, retry_after=9), "in 9 seconds"),
        ("head", Fault(500), "trouble of its own"),
        ("storage", Fault(403), "error 403"),
        ("storage", Fault(503), "trouble of its own"),
    ],
)
def test_a_refusal_ends_in_a_sentence_and_the_next_time_works(filled, tmp_path, kind, fault, words):
    filled.fail(kind, fault)
    status = fetch("org/m-GGUF", tmp_path)
    assert status.state == "failed"
    assert words in status.message
    assert fetch("org/m-GGUF", tmp_path).state == "done"


def test_a_busy_storage_is_waited_for(filled, tmp_path):
    filled.fail("storage", Fault(429, retry_after=0))
    assert fetch("org/m-GGUF", tmp_path).state == "done"


def test_damaged_bytes_are_deleted_and_come_whole_the_next_time(filled, tmp_path):
    filled.fail("storage", Fault(damage=True))
    status = fetch("org/m-GGUF", tmp_path)
    assert status.state == "failed"
    assert "wrong checksum" in status.message
    assert parts(tmp_path) == []
    assert discovery.scan(tmp_path).models == []
    assert fetch("org/m-GGUF", tmp_path).state == "done"


def test_a_small_file_is_checked_by_gits_checksum(hub, tmp_path):
    hub.add("org/m", {"config.json": b"{}", "model.safetensors": noise(150_000)})
    hub.repositories["org/m"].files["config.json"].content = b"[]"
    status = fetch("org/m", tmp_path)
    assert status.state == "failed"
    assert "config.json of org/m came with a wrong checksum" in status.message
    assert discovery.scan(tmp_path).models == []


def test_cancel_ends_it_at_once_keeps_what_came_and_shows_nothing(filled, tmp_path, bounds):
    filled.bytes_per_second = SLOW
    download = start("org/m-GGUF", tmp_path)
    until(lambda: download.status().bytes_per_second > 0)
    assert download.status().seconds_left is not None
    began = time.monotonic()
    download.cancel()
    assert download.join(60)
    assert bounds.under(time.monotonic() - began, 1)
    assert download.status().state == "cancelled"
    kept = parts(tmp_path)[0].stat().st_size
    assert kept > 0
    assert discovery.scan(tmp_path).models == []
    filled.bytes_per_second = None
    assert fetch("org/m-GGUF", tmp_path).state == "done"
    assert filled.asked("GET", "m-Q4_0")[-1].headers["range"] == f"bytes={kept}-"


def test_what_is_there_is_not_fetched_again(filled, tmp_path):
    fetch("org/m-GGUF", tmp_path)
    before = len(filled.asked("GET", "m-Q4_0"))
    assert fetch("org/m-GGUF", tmp_path).state == "done"
    assert len(filled.asked("GET", "m-Q4_0")) == before


def test_another_file_of_the_same_name_is_never_overwritten(filled, tmp_path):
    place = tmp_path / "gguf" / "org" / "m-GGUF" / "m-Q4_0.gguf"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"mine")
    status = fetch("org/m-GGUF", tmp_path)
    assert status.state == "failed"
    assert "comparator remove m-Q4_0" in status.message
    assert place.read_bytes() == b"mine"


def test_a_later_commit_goes_on_with_the_bytes_of_the_one_before(filled, tmp_path):
    filled.fail("storage", Fault(cut_after=3_000_000))
    filled.fail("storage", Fault(status=500), times=2)
    assert fetch("org/m-GGUF", tmp_path).state == "failed"
    filled.add("org/m-GGUF", {"README.md": b"new", "m-Q4_0.gguf": noise(SIZE)})
    assert fetch("org/m-GGUF", tmp_path).state == "done"
    assert filled.asked("GET", "m-Q4_0")[-1].headers["range"].startswith("bytes=")


def test_a_link_out_of_the_folder_is_not_followed(filled, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "models" / "gguf").mkdir(parents=True)
    (tmp_path / "models" / "gguf" / "org").symlink_to(outside)
    status = fetch("org/m-GGUF", tmp_path / "models")
    assert status.state == "failed"
    assert "leads out of the models folder" in status.message
    assert list(outside.iterdir()) == []


def test_dangerous_names_are_refused_by_the_process_too(tmp_path):
    file = RemoteFile("../../evil.gguf", 1, "0" * 64)
    job = transfer.FetchPlan("org/m", "0" * 40, str(tmp_path / "gguf"), "org/m", (file,))
    reports: list[transfer.TransferReport] = []
    transfer.run(job, reports.append)
    assert reports[-1].step == "failed"
    assert "dangerous name" in reports[-1].message


def test_too_little_space_is_said_before_a_byte_is_fetched(filled, tmp_path, monkeypatch):
    repository = catalogue.look("org/m-GGUF")
    choice = pick(repository.choices, "Q4_0", "org/m-GGUF")
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(SIZE, 1, SIZE - 1))
    job = transfer.FetchPlan(
        repository.id, repository.commit, str(tmp_path / "gguf"), repository.id, choice.files
    )
    with pytest.raises(HubError, match="needs 5 MB; 5 MB are free"):
        transfer.Transfer(job).run()
    assert not filled.asked("GET", "m-Q4_0")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(filled, tmp_path):
    tmp_path.chmod(0o500)
    assert "cannot be written" in fetch("org/m-GGUF", tmp_path).message


def test_a_file_where_the_folder_should_be(filled, tmp_path):
    (tmp_path / "gguf").write_text("a file")
    assert "cannot be written" in fetch("org/m-GGUF", tmp_path).message


def test_two_programs_that_fetch_the_same_wait_for_each_other(filled, tmp_path):
    filled.bytes_per_second = SLOW
    first = start("org/m-GGUF", tmp_path)
    until(lambda: first.status().state == "download")
    second = start("org/m-GGUF", tmp_path)
    until(lambda: second.status().state == "wait")
    filled.bytes_per_second = None
    assert first.join(30)
    assert second.join(30)
    assert [first.status().state, second.status().state] == ["done", "done"]
    assert len(filled.asked("GET", "m-Q4_0")) == 1


def test_several_at_once_and_no_more_than_allowed(filled, tmp_path):
    filled.bytes_per_second = SLOW
    downloads = Downloads(tmp_path, at_once=2)
    repository = catalogue.look("org/m-GGUF")
    small, large = repository.choices
    try:
        first = downloads.start(repository, small)
        assert downloads.start(repository, small) is first
        downloads.start(repository, large)
        until(lambda: all(s.state == "download" for s in downloads.statuses()))
        filled.add("org/third-GGUF", {"t-Q4_0.gguf": noise(1000)})
        third = catalogue.look("org/third-GGUF")
        with pytest.raises(ConfigurationError, match="2 downloads are under way"):
            downloads.start(third, third.choices[0])
        downloads.cancel(first.id)
        until(lambda: first.join(0))
        downloads.start(third, third.choices[0])
    finally:
        downloads.close()
    assert downloads.are_over()
    with pytest.raises(ConfigurationError):
        downloads.start(repository, small)


def test_a_worker_that_ends_before_it_is_given_its_job_is_told(filled, tmp_path, monkeypatch):
    """The pipe to it breaks twice: when the job is written, and when the pipe is closed."""
    repository = catalogue.look("org/m-GGUF")

    @contextlib.contextmanager
    def once_it_has_ended(_what):
        status = psutil.STATUS_ZOMBIE
        until(lambda: any(child.status() == status for child in psutil.Process().children()))
        yield

    monkeypatch.setattr("comparator.hub.downloads.quiet.beside", once_it_has_ended)
    monkeypatch.setattr("comparator.hub.downloads.sys.executable", shutil.which("true"))
    download = Download(repository, pick(repository.choices, "Q4_0", "m"), tmp_path).start()
    until(lambda: download.join(0))
    assert "ended without a word" in download.status().message


def test_models_with_the_same_tokeniser_do_not_meet(hub, tmp_path):
    tokeniser = noise(3_000_000)
    hub.bytes_per_second = 6_000_000
    for number in range(3):
        hub.add(
            f"org/m{number}",
            {
                "config.json": b"{}",
                "model.safetensors": noise(200_000, number),
                "tokenizer.json": tokeniser,
            },
        )
    downloads = [start(f"org/m{number}", tmp_path) for number in range(3)]
    assert all(download.join(60) for download in downloads)
    assert [download.status().message for download in downloads] == ["", "", ""]
    for download in downloads:
        assert (Path(download.status().path) / "tokenizer.json").read_bytes() == tokeniser


def test_a_hub_that_sends_more_than_it_announced_does_not_fill_the_disk(filled, tmp_path):
    file = filled.repositories["org/m-GGUF"].files["m-Q4_0.gguf"]
    repository = catalogue.look("org/m-GGUF")
    file.content, file.size = noise(2 * SIZE), 2 * SIZE
    choice = pick(repository.choices, "Q4_0", repository.id)
    download = Download(repository, choice, tmp_path).start()
    assert download.join(60)
    assert "More bytes came than the 5000000" in download.status().message
    assert sum(path.stat().st_size for path in parts(tmp_path)) <= SIZE


def test_what_nobody_went_on_with_is_cleared_after_two_weeks(filled, tmp_path):
    pull = tmp_path / "gguf" / transfer.STAGING
    long_ago = time.time() - 15 * 86400
    for name, when in (("old", long_ago), ("young", time.time())):
        (pull / name).mkdir(parents=True)
        (pull / name / "a.part").write_bytes(b"a")
        for path in (pull / name / "a.part", pull / name):
            os.utime(path, (when, when))
    assert fetch("org/m-GGUF", tmp_path).state == "done"
    assert [path.name for path in pull.iterdir()] == ["young"]


def test_a_process_that_is_killed_is_a_sentence(filled, tmp_path):
    filled.bytes_per_second = SLOW
    download = start("org/m-GGUF", tmp_path)
    until(lambda: download.status().state == "download")
    download._process.kill()
    assert download.join(60)
    assert download.status().state == "failed"
    assert "exit code -9" in download.status().message
