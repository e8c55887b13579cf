"""What a child inherits and what it does not: variables, the user's script, threads, cores."""

from __future__ import annotations

import json
import os
import threading

import psutil
import pytest

from comparator.core.models import ModelInfo, ModelType
from comparator.services.inference_engine import InferenceEngine
from runners import protocol
from runners.base import BaseInferencer
from runners.supervision.fork_server import fork_servers


class Reporter(BaseInferencer):
    """Answers with what ``report`` returns in the child, as JSON."""

    def __init__(self, report):
        super().__init__()
        self.report = report

    def load_model(self, model_path, config):
        self.is_loaded = True

    def generate_stream(self, prompt):
        import json

        yield json.dumps(self.report())

    def unload_model(self): ...

    def get_model_info(self):
        return {"model_type": "custom"}


@pytest.fixture
def report(play, custom_model):
    """Run a function in a child and return its result."""

    def run(function, method=None):
        factory = lambda _model: Reporter(function)  # noqa: E731
        played = play(custom_model, factories=(factory,), method=method)
        assert isinstance(played.final, protocol.Finished), played.final
        return json.loads(played.text)

    return run


class TestEnvironment:
    @pytest.fixture(autouse=True)
    def secrets(self, monkeypatch):
        for name in ("HF_TOKEN", "FOO_KEY", "GRADIO_X", "MY_PASSWORD", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "hidden-4711")
        monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
        fork_servers.close()
        yield
        fork_servers.close()

    @pytest.mark.parametrize("method", ["fork", "spawn"])
    def test_no_secret_is_in_the_variables(self, report, method):
        def look():
            import os

            return dict(os.environ)

        found = report(look, method)
        assert "hidden-4711" not in str(found)
        assert found["OMP_WAIT_POLICY"] == "PASSIVE"
        assert found["PATH"] == os.environ["PATH"]
        assert found["HF_HUB_OFFLINE"] == "1"

    def test_no_secret_is_in_what_the_kernel_shows(self, report):
        def look():
            with open("/proc/self/environ", "rb") as file:
                return file.read().decode("utf-8", "replace")

        found = report(look)
        assert "hidden-4711" not in found
        assert "PATH=" in found


class TestProcess:
    def test_a_child_is_a_group_of_its_own_with_output_captured(self, report):
        def look():
            import os
            import signal

            return [
                os.getpid() == os.getpgid(0),
                os.readlink("/proc/self/fd/1") == os.readlink("/proc/self/fd/2"),
                signal.getsignal(signal.SIGINT) == signal.SIG_IGN,
                open("/proc/self/oom_score_adj").read().strip(),
                open("/proc/self/fd/0", "rb").read().decode(),
            ]

        assert report(look) == [True, True, True, "1000", ""]

    def test_a_child_holds_no_descriptor_of_the_fork_server(self, report):
        def look():
            import os

            return len(os.listdir("/proc/self/fd"))

        # 0, 1, 2, wire, log, the tracker's stand-in, the pipe of the task and the listing itself
        assert report(look) <= 9

    def test_the_fork_server_has_one_thread(self, echo_model, play):
        play(echo_model())
        assert fork_servers.pids()
        for pid in fork_servers.pids():
            assert psutil.Process(pid).num_threads() == 1

    @pytest.mark.parametrize("method", ["fork", "spawn"])
    def test_the_end_of_the_thread_that_started_it_does_not_kill_a_child(
        self, echo_model, begin, wait_until, method
    ):
        model = echo_model(tokens=4000, tokens_per_second=50)
        started = []
        thread = threading.Thread(target=lambda: started.append(begin(model, method=method)))
        thread.start()
        thread.join()
        (played,) = started
        assert wait_until(lambda: played.seen(protocol.Token))
        count = len(played.messages)
        assert wait_until(lambda: len(played.messages) > count + 20)
        played.run.stop()
        played.to_end()

    def test_the_pump_is_a_daemon(self, echo_model, begin):
        played = begin(echo_model(tokens=4000, tokens_per_second=50))
        (pump,) = [t for t in threading.enumerate() if t.name == "comparator-pump"]
        assert pump.daemon
        played.run.stop()
        played.to_end()

    def test_spawn_works_for_echo(self, echo_model, play):
        played = play(echo_model(), method="spawn")
        assert isinstance(played.final, protocol.Finished)
        assert played.text == "one two three four"

    def test_spawn_keeps_what_was_printed(self, echo_model, play):
        played = play(echo_model(fault="abort", fault_stage="load"), method="spawn")
        assert "GGML_ASSERT" in played.run.log_tail

    def test_a_child_of_the_torch_fork_server_computes_in_parallel(self, begin):
        """One parallel operation in the fork server would make this hang for ever."""

        def multiply():
            import torch

            torch.set_num_threads(2)
            a = torch.ones(700, 700)
            return [float((a @ a)[0, 0]), float(torch.exp(torch.zeros(1_000_000)).sum())]

        model = ModelInfo("", "torch", "/nowhere", ModelType.PYTORCH, 0)
        for _ in range(2):  # the second is forked after the first has computed
            factory = lambda _model: Reporter(multiply)  # noqa: E731
            played = begin(model, factories=(factory,))
            played.to_end()
            assert isinstance(played.final, protocol.Finished), played.final
            assert json.loads(played.text) == [700.0, 1_000_000.0]
        server = psutil.Process(fork_servers.of("pytorch").pid)
        assert server.num_threads() == 1


SCRIPT = """
import sys
print("main runs", flush=True)
from multi_llm_comparator.core.models import ModelInfo, ModelType
from multi_llm_comparator.services.inference_engine import InferenceEngine
from multi_llm_comparator.inferencers.base import BaseInferencer

SUFFIX = "!"

class Shouter(BaseInferencer):
    def load_model(self, model_path, config):
        pass
    def generate_stream(self, prompt):
        for word in prompt.split():
            yield loud(word)
    def unload_model(self):
        pass
    def get_model_info(self):
        return {"model_type": "custom"}

def loud(word):
    return word.upper() + SUFFIX

def make(model_info):
    if model_info.model_type == ModelType.CUSTOM:
        return Shouter()
    return None

engine = InferenceEngine()
engine.register_inferencer_factory(make)
models = [ModelInfo("", "shouter", "/nowhere", ModelType.CUSTOM, 0, {}),
          ModelInfo("", "echo", ECHO, ModelType.ECHO, 1, {})]
for results in engine.run_inference("hello world", models, {}):
    pass
print([(r.content, r.error) for r in results.values()], flush=True)
"""
ANSWERS = "[('HELLO!WORLD!', None), ('hello world', None)]"


@pytest.fixture
def source(echo_model):
    return SCRIPT.replace("ECHO,", repr(echo_model().path) + ",", 1)


@pytest.mark.parametrize("how", ["file", "stdin", "command"])
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_script_without_a_main_guard_runs_once(tmp_path, script, source, how, method):
    if method == "spawn":
        lines = "".join(
            f"import runners.{name}\nrunners.{name}.fork_is_safe = lambda: False\n"
            for name in ("process", "supervision.fork_server")
        )
        source = lines + source
    process = script(source, how=how)
    try:
        code = process.wait(60)
    finally:
        process.kill()
    assert (tmp_path / "err").read_text() == ""
    assert code == 0
    assert (tmp_path / "out").read_text().splitlines() == ["main runs", ANSWERS]


def test_a_notebook_runs_it(source, monkeypatch):
    import nbclient
    import nbformat

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([os.getcwd()]))
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(part) for part in source.split("\nengine = ")]
    )
    notebook.cells[1].source = "engine = " + notebook.cells[1].source
    kernel = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    notebook.metadata["kernelspec"] = kernel
    nbclient.NotebookClient(notebook, timeout=60).execute()
    printed = "".join(output.get("text", "") for cell in notebook.cells for output in cell.outputs)
    assert printed.splitlines() == ["main runs", ANSWERS]


def test_a_factory_that_cannot_travel_is_refused_before_any_start():
    held = (number for number in range(3))
    engine = InferenceEngine()
    with pytest.raises(ValueError, match="cannot be sent to a model process"):
        engine.register_inferencer_factory(lambda model: next(held) and None)
