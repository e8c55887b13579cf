"""The settings file survives whatever happens to it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from comparator.core import atomic_file
from comparator.core.config import ConfigManager, ModelConfig
from comparator.core.exceptions import ConfigurationError

REPOSITORY = Path(__file__).resolve().parents[3]
KILLS = 200


@pytest.fixture
def manager(tmp_path):
    return ConfigManager(str(tmp_path / "settings" / "config.json"))


def test_the_default_place():
    expected = Path.home() / ".multi_llm_comparator" / "config.json"
    assert ConfigManager().config_path == expected


def test_round_trip(manager):
    configs = {
        "abc": ModelConfig(temperature=0, seed=7, stop=["\n", "用户"], system_prompt="说中文 🙂"),
        "def#2": ModelConfig(n_threads=3, torch_dtype="float32", do_sample=False),
        "ghi": ModelConfig(max_tokens=None, n_ctx=None, sampling="maker", thinking="off"),
        "jkl": ModelConfig(
            kv_cache_type="q4_0", lora=["/a b:0.5"], template_args={"tools": [{"a": None}]}
        ),
    }
    manager.save_config(configs)
    assert manager.load_config() == configs
    text = manager.config_path.read_text("utf-8")
    assert "说中文 🙂" in text
    assert json.loads(text)["abc"] == asdict(configs["abc"])


def test_text_that_utf8_cannot_carry_comes_back(manager):
    configs = {"a\udcff": ModelConfig(system_prompt="\ud800")}
    manager.save_config(configs)
    assert manager.load_config() == configs


def test_no_file_is_no_settings(manager):
    assert manager.load_config() == {}
    assert not manager.config_path.parent.exists()


def test_a_wrong_setting_is_not_saved(manager):
    manager.save_config({"a": ModelConfig(seed=1)})
    with pytest.raises(ConfigurationError, match="temperature must be"):
        manager.save_config({"a": ModelConfig(temperature=9)})
    assert manager.load_config() == {"a": ModelConfig(seed=1)}


BROKEN = {
    "cut in the middle": b'{"a": {"temperature": 0.5',
    "empty": b"",
    "a list": b"[]",
    "null": b"null",
    "settings that are a list": b'{"a": []}',
    "an unknown key": b'{"a": {"temprature": 0.5}}',
    "a value out of range": b'{"a": {"temperature": 7}}',
    "NaN": b'{"a": {"temperature": NaN}}',
    "invalid UTF-8": b'{"a": {"system_prompt": "\xff\xfe"}}',
    "zeros": b"\0" * 4096,
    "deep nesting": b"[" * 200_000,
    "a number of 10 000 digits": b'{"a": {"seed": ' + b"9" * 10_000 + b"}}",
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_reported_kept_aside_and_left_alone(manager, case):
    manager.config_path.parent.mkdir()
    manager.config_path.write_bytes(BROKEN[case])
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="is not usable") as caught:
            manager.load_config()
    assert str(manager.config_path) in str(caught.value)
    assert "Mend it, or delete it" in str(caught.value)
    assert manager.config_path.read_bytes() == BROKEN[case]
    (copy,) = manager.config_path.parent.glob("config.json.broken-*")
    assert copy.read_bytes() == BROKEN[case]
    assert str(copy) in str(caught.value)


@pytest.mark.parametrize("case", BROKEN)
def test_saving_over_a_broken_file_keeps_its_content(manager, case):
    manager.config_path.parent.mkdir()
    manager.config_path.write_bytes(BROKEN[case])
    manager.save_config({"a": ModelConfig(seed=1)})
    assert manager.load_config() == {"a": ModelConfig(seed=1)}
    (copy,) = manager.config_path.parent.glob("config.json.broken-*")
    assert copy.read_bytes() == BROKEN[case]


def test_the_reason_names_the_model_and_the_setting(manager):
    manager.config_path.parent.mkdir()
    manager.config_path.write_text('{"good": {}, "bad": {"top_p": 3}}')
    with pytest.raises(ConfigurationError, match="model bad: top_p must be"):
        manager.load_config()


WRITER = """
import sys
from comparator.core import atomic_file
from comparator.core.config import ConfigManager, ModelConfig

manager = ConfigManager(sys.argv[1])
print("ready", flush=True)
number = 0
while True:
    number += 1
    text = str(number % 10) * 20_000
    manager.save_config({"a": ModelConfig(seed=number % 10, system_prompt=text)})
"""


def start_writer(manager) -> subprocess.Popen[bytes]:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(manager.config_path)],
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"ready\n"
    return writer


def is_whole(manager) -> bool:
    saved = manager.load_config()
    return not saved or saved["a"].system_prompt == str(saved["a"].seed) * 20_000


# Forks writers and kills each at a random moment: one interpreter for all of them.
KILLER = """
import os, random, signal, sys, time
from comparator.core import atomic_file
from comparator.core.config import ConfigManager, ModelConfig

manager, kills, chance = ConfigManager(sys.argv[1]), int(sys.argv[2]), random.Random(4711)

def write_for_ever():
    number = 0
    while True:
        number += 1
        text = str(number % 10) * 20_000
        manager.save_config({"a": ModelConfig(seed=number % 10, system_prompt=text)})

torn = missing = rests = 0
for _ in range(kills):
    writer = os.fork()
    if writer == 0:
        write_for_ever()
    time.sleep(chance.uniform(0, 0.012))
    os.kill(writer, signal.SIGKILL)
    os.waitpid(writer, 0)
    rests += any(n.endswith(".partial") for n in os.listdir(manager.config_path.parent or "."))
    try:
        saved = manager.load_config()
        torn += bool(saved) and saved["a"].system_prompt != str(saved["a"].seed) * 20_000
        missing += not saved
    except Exception as error:
        print(error)
        torn += 1
print(torn, missing, rests)
"""


@pytest.mark.process
def test_kill_9_of_a_writer_never_halves_the_file(manager):
    """200 kills at random moments, and what the killed ones left is removed by the next."""
    manager.save_config({"a": ModelConfig(seed=0, system_prompt="0" * 20_000)})
    done = subprocess.run(
        [sys.executable, "-c", KILLER, str(manager.config_path), str(KILLS)],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        timeout=120,
    )
    assert done.stderr == ""
    torn, missing, rests = map(int, done.stdout.split())
    assert (torn, missing) == (0, 0)
    assert rests > KILLS // 20, "the kills did not meet writers at work"
    manager.save_config({"a": ModelConfig(seed=1)})
    assert [path.name for path in manager.config_path.parent.iterdir()] == ["config.json"]


def test_the_unfinished_file_of_a_living_writer_is_left_alone(manager):
    manager.save_config({})
    folder = manager.config_path.parent
    node = atomic_file._node()
    living = folder / f".config.json.{node}-{os.getpid()}.abc.partial"
    dead = folder / f".config.json.{node}-{2**22 + 1}.abc.partial"
    elsewhere = folder / f".config.json.another-{2**22 + 1}.abc.partial"
    forgotten = folder / ".config.json.another-7.abc.partial"
    not_ours = folder / ".other.json.abc.partial"
    for path in (living, dead, elsewhere, forgotten, not_ours):
        path.write_text("")
    os.utime(forgotten, (1, 1))
    manager.save_config({})
    left = {path.name for path in folder.iterdir()} - {"config.json"}
    assert left == {living.name, elsewhere.name, not_ours.name}


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_is_followed_and_stays_a_link(manager, tmp_path, exists):
    real = tmp_path / "kept" / "elsewhere.json"
    if exists:
        real.parent.mkdir()
        real.write_text("{}")
    manager.config_path.parent.mkdir()
    manager.config_path.symlink_to(real)
    manager.save_config({"a": ModelConfig(seed=3)})
    assert manager.config_path.is_symlink()
    assert manager.load_config() == {"a": ModelConfig(seed=3)}
    assert json.loads(real.read_text())["a"]["seed"] == 3
    assert [path.name for path in real.parent.iterdir()] == ["elsewhere.json"]


FULL_DISK = """
import sys
from pathlib import Path
from comparator.core import atomic_file
from comparator.core.config import ConfigManager, ConfigurationError, ModelConfig

folder = Path(sys.argv[1])
manager = ConfigManager(str(folder / "config.json"))
manager.save_config({"a": ModelConfig(seed=1)})
with open(folder / "filler", "wb", buffering=0) as filler:
    try:
        while True:
            filler.write(b"x" * 4096)
    except OSError:
        pass
try:
    manager.save_config({"a": ModelConfig(seed=2, system_prompt="y" * 100_000)})
except ConfigurationError as error:
    print(error)
print(manager.load_config() == {"a": ModelConfig(seed=1)}, sorted(p.name for p in folder.iterdir()))
(folder / "filler").unlink()
manager.save_config({"a": ModelConfig(seed=3)})
print(manager.load_config()["a"].seed)
"""


@pytest.mark.process
def test_a_disk_that_is_really_full(tmp_path):
    place = tmp_path / "small"
    place.mkdir()
    mount = 'mount -t tmpfs -o size=256k none "$1" && exec "$2" -c "$3" "$1"'
    unshare = ["unshare", "-Urm", "sh", "-c", mount, "sh", str(place), sys.executable, FULL_DISK]
    if not shutil.which("unshare") or subprocess.run(["unshare", "-Urm", "true"]).returncode:
        pytest.skip("no file system of its own can be mounted here without being root")
    done = subprocess.run(unshare, capture_output=True, text=True, cwd=REPOSITORY, timeout=30)
    assert done.stderr == ""
    told, kept, after = done.stdout.splitlines()
    assert "No space left on device. Free some space" in told
    assert kept == "True ['config.json', 'filler']"
    assert after == "3"


def test_a_clock_that_jumps_does_not_matter(manager, monkeypatch):
    for moment in (4e9, 0.0, 1.7e9, -5.0):
        monkeypatch.setattr("time.time", lambda moment=moment: moment)
        manager.save_config({"a": ModelConfig(seed=5)})
        assert manager.load_config()["a"].seed == 5


@pytest.mark.process
def test_two_writers_at_once_leave_one_whole_file(manager):
    writers = [start_writer(manager) for _ in range(2)]
    try:
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            assert is_whole(manager)
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()
            writer.stdout.close()
    assert is_whole(manager)


def test_threads_of_one_program_may_save_at_once(manager):
    configs = [ModelConfig(seed=number) for number in range(8)]
    threads = [
        threading.Thread(target=manager.save_config, args=({"a": config},)) for config in configs
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert manager.load_config()["a"] in configs
    assert [path.name for path in manager.config_path.parent.iterdir()] == ["config.json"]


UNWRITABLE = """
import os, resource, sys
from comparator.core import atomic_file
from comparator.core.config import ConfigManager, ConfigurationError, ModelConfig

if sys.argv[2] == "full disk":  # every write beyond 100 bytes fails, as on a full disk
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
elif os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    ConfigManager(sys.argv[1]).save_config({"a": ModelConfig(seed=2)})
except ConfigurationError as error:
    print(error)
"""


@pytest.mark.process
@pytest.mark.parametrize("obstacle", ["full disk", "read-only folder"])
def test_a_file_that_cannot_be_written_is_a_sentence_and_stays(manager, obstacle):
    manager.save_config({"a": ModelConfig(seed=1)})
    folder = manager.config_path.parent
    folder.chmod(0o555 if obstacle == "read-only folder" else 0o755)
    try:
        # The parents are opened for the user nobody, whom root becomes to meet the obstacle.
        for parent in folder.parents:
            if str(parent).startswith("/tmp/") and parent.owner() == Path.home().owner():
                parent.chmod(parent.stat().st_mode | 0o055)
        done = subprocess.run(
            [sys.executable, "-c", UNWRITABLE, str(manager.config_path), obstacle],
            capture_output=True,
            text=True,
            cwd=REPOSITORY,
            timeout=30,
        )
    finally:
        folder.chmod(0o755)
    assert done.stderr == ""
    assert done.stdout.startswith(f"The settings could not be saved to {manager.config_path}: ")
    assert "Free some space or choose a folder that you may write to." in done.stdout
    assert manager.load_config() == {"a": ModelConfig(seed=1)}
    assert [path.name for path in folder.iterdir()] == ["config.json"]


def test_a_folder_that_is_a_file_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    manager = ConfigManager(str(tmp_path / "file" / "config.json"))
    with pytest.raises(ConfigurationError, match="could not be saved"):
        manager.save_config({})


def test_a_directory_in_its_place_is_a_sentence(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be read"):
        ConfigManager(str(tmp_path)).load_config()
