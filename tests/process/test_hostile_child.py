"""A child that has been taken over: its engine writes what it likes to the wire.

Each ends as one failed result with a sentence, and the parent's memory stays bounded.
"""

from __future__ import annotations

import pickle
import time
from collections import deque

import psutil
import pytest

from comparator.core.models import RunState
from comparator.services.inference_engine import InferenceEngine
from runners import protocol
from runners.base import BaseInferencer
from runners.process import Deadlines

MOST_GROWTH_BYTES = 60_000_000
TOKEN = b'{"type":"Token","text":"x","index":1,"seconds":0.1}\n'
PROMPTED = (
    b'{"type":"Prompted","seconds":0,"prompt_tokens":1,"template_source":"none",'
    b'"rendered_prompt":"hi"}\n'
)
ANSWERED = b'{"type":"Answered","reason":"stop","tokens":1,"seconds":0.1}\n'
FINISHED = b'{"type":"Finished","seconds":0.1}\n'


class Hostile(BaseInferencer):
    """Writes given bytes to every socket that it finds, then does what it was told."""

    def __init__(self, data: bytes, times: int = 1, then: str = "exit", stream: str = "wire"):
        super().__init__()
        self.data, self.times, self.then, self.stream = data, times, then, stream

    def load_model(self, model_path, config):
        import os
        import time

        sockets = [
            int(number)
            for number in os.listdir("/proc/self/fd")
            if int(number) > 2 and _leads_to_socket(number)
        ]
        log = os.stat(2).st_ino
        wires = [number for number in sockets if os.stat(number).st_ino != log]
        if self.stream == "flood":
            for _ in range(3):
                os.fork()  # together they write faster than anyone reads
        for target in wires if self.stream == "wire" else [1]:
            for _ in range(self.times):
                self.write_all(target, self.data)
        if self.then == "close":
            for number in wires:
                os.close(number)
        if self.then in ("close", "live"):
            time.sleep(300)
        os._exit(0)

    def write_all(self, target, data):
        import os

        rest = memoryview(data)
        while rest:
            rest = rest[os.write(target, rest) :]

    def generate_stream(self, prompt):
        yield ""

    def unload_model(self): ...

    def get_model_info(self):
        return {}


def _leads_to_socket(number: str) -> bool:
    import os

    try:
        return os.readlink(f"/proc/self/fd/{number}").startswith("socket:")
    except OSError:
        return False


BROKEN = {
    "no JSON": b"hello\n",
    "a list": b"[1, 2]\n",
    "an empty line": b"\n",
    "an unknown type": b'{"type":"Shell","command":"id"}\n',
    "a parent's own message": b'{"type":"Cancelled","stage":"load"}\n',
    "no type": b'{"text":"x","index":1,"seconds":0}\n',
    "an unknown key": TOKEN.replace(b'"seconds"', b'"extra":1,"seconds"'),
    "a missing key": b'{"type":"Token","text":"x","index":1}\n',
    "a wrong type": b'{"type":"Token","text":7,"index":1,"seconds":0.1}\n',
    "a boolean for a number": b'{"type":"Token","text":"","index":true,"seconds":0.1}\n',
    "NaN": b'{"type":"Token","text":"x","index":1,"seconds":NaN}\n',
    "infinity": b'{"type":"Token","text":"x","index":1,"seconds":1e999}\n',
    "a negative number": b'{"type":"Token","text":"x","index":1,"seconds":-0.5}\n',
    "a negative count": b'{"type":"Answered","reason":"stop","tokens":-1,"seconds":1}\n',
    "a huge count": b'{"type":"Answered","reason":"stop","tokens":1e30,"seconds":1}\n',
    "an index that is not next": TOKEN.replace(b'"index":1', b'"index":7'),
    "an index twice": TOKEN + TOKEN,
    "two prompts": PROMPTED + PROMPTED,
    "a prompt after a token": TOKEN + PROMPTED,
    "a token of another answer": TOKEN.replace(b'"index":1', b'"index":1,"answer":1'),
    "an answer twice": ANSWERED + ANSWERED,
    "an end without an answer": FINISHED,
    "a message after the final one": ANSWERED + FINISHED + TOKEN,
    "two final messages": ANSWERED + FINISHED + FINISHED,
    "invalid UTF-8": b'{"type":"Token","text":"\xff\xfe","index":1,"seconds":0.1}\n',
    "a lone surrogate": b'{"type":"Token","text":"\\ud800","index":1,"seconds":0.1}\n',
    "deep nesting": b"[" * 50_000 + b"\n",
    "a number of 10 000 digits": b'{"type":"Token","text":"x","index":' + b"9" * 10_000 + b"}\n",
    "a long word": b'{"type":"Loading","step":"' + b"x" * 10_000 + b'","done":0,"total":1}\n',
    "a pickle": pickle.dumps({"a": 1}) + b"\n",
}


@pytest.fixture
def attack(play, custom_model, bounds):
    """Play a hostile run, and check what holds for each."""

    def attack(*arguments, deadlines=None, most_growth_bytes=MOST_GROWTH_BYTES, **options):
        before = psutil.Process().memory_info().rss
        hostile = Hostile(*arguments, **options)
        played = play(custom_model, factories=(lambda _model: hostile,), deadlines=deadlines)
        assert bounds.under(psutil.Process().memory_info().rss - before, most_growth_bytes)
        return played

    return attack


@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize("then", ["exit", "live"])
def test_what_is_no_message_fails_the_run(attack, case, then):
    final = attack(BROKEN[case], then=then).final
    assert isinstance(final, protocol.Failed), final
    assert final.kind == "crashed"
    assert "no message of a run" in final.message
    assert final.message.endswith(".")


def test_a_message_after_the_final_one_fails_it_also_when_it_comes_late(play, custom_model):
    class Late(Hostile):
        def load_model(self, model_path, config):
            import time

            times = iter((0, 0.2))

            def write(target, data):
                time.sleep(next(times, 0))
                Hostile.write_all(self, target, data)

            self.write_all, whole = write, self.data
            self.data = whole[: len(whole) // 2]
            self.times = 2
            super().load_model(model_path, config)

    late = Late(ANSWERED + FINISHED + ANSWERED + FINISHED, then="live")
    final = play(custom_model, factories=(lambda _model: late,)).final
    assert isinstance(final, protocol.Failed)


def test_half_a_line_and_an_exit_is_a_crash(attack):
    final = attack(TOKEN[:20]).final
    assert isinstance(final, protocol.Crashed)
    assert "exited with code 0" in final.cause


def test_half_a_line_and_silence_is_a_timeout(attack):
    limits = Deadlines(load_seconds=1.0)
    final = attack(TOKEN[:20], then="live", deadlines=limits).final
    assert final == protocol.TimedOut("load", 1.0)


def test_one_message_of_a_gigabyte(attack):
    final = attack(b"x" * 1_000_000, 1_074, then="live").final
    assert isinstance(final, protocol.Failed)
    assert "bytes" in final.message


def test_endless_valid_messages(attack):
    progress = b'{"type":"Loading","step":"x","done":1,"total":2}\n' * 1000
    final = attack(progress, 10_000, then="live").final
    assert isinstance(final, protocol.Failed)
    assert "more messages" in final.message


@pytest.mark.parametrize(("context", "is_good"), [(70_000, True), (4096, False)])
def test_an_answer_is_as_long_as_its_context(play, custom_model, context, is_good):
    loaded = b'{"type":"Loaded","seconds":0,"context_length":%d,"device":"cpu"}\n' % context
    tokens = (TOKEN.replace(b":1,", b":%d," % (number + 1)) for number in range(60_000))
    data = loaded + b"".join(tokens) + ANSWERED + FINISHED
    final = play(
        custom_model,
        factories=(lambda _model: Hostile(data),),
        settings={"max_tokens": None, "n_ctx": None},
    ).final
    assert isinstance(final, protocol.Finished) == is_good, final


def test_many_large_valid_messages(attack):
    """What is delivered is bounded as a whole, not only message by message."""
    text = b"x" * 1_000_000
    finished = FINISHED.replace(b"}", b',"text":"' + text + b'"}')
    loaded = (
        b'{"type":"Loaded","seconds":0,"context_length":1,"device":"cpu",'
        b'"learned":{"x":"' + text + b'"}}\n'
    )
    assert isinstance(attack(ANSWERED + finished).final, protocol.Finished)
    played = attack(loaded, 1000, then="live", most_growth_bytes=3 * 64 * 1024 * 1024)
    assert isinstance(played.final, protocol.Failed)
    assert len(played.messages) < 100


def test_a_flood_on_standard_output_stays_bounded_and_can_be_stopped(
    begin, custom_model, wait_until, bounds
):
    before = psutil.Process().memory_info().rss
    hostile = Hostile(b"spam\n" * 100_000, 1_000_000, stream="flood")
    played = begin(custom_model, factories=(lambda _model: hostile,))
    assert wait_until(lambda: played.seen(protocol.Loading))
    child = psutil.Process(played.run.pid)
    assert wait_until(lambda: child.io_counters().write_chars > 5_000_000)  # of flood
    asked = time.monotonic()
    played.run.stop()
    played.to_end()
    assert bounds.under(time.monotonic() - asked, 1.5)
    assert 0 < len(played.run.log_tail) <= 65_536
    assert bounds.under(psutil.Process().memory_info().rss - before, MOST_GROWTH_BYTES)


def test_a_closed_channel_ends_the_child(attack):
    final = attack(b"", then="close").final
    assert isinstance(final, protocol.Crashed)
    assert "closed its channel" in final.cause


def test_what_a_child_prints_cannot_steer_a_terminal(play, custom_model):
    hostile = Hostile(b"\x1b[2J\x00\xff ok\n", stream="log")
    played = play(custom_model, factories=(lambda _model: hostile,))
    assert "\x1b" not in played.run.log_tail
    assert "\\x1b[2J\\x00\ufffd ok" in played.run.log_tail


def test_the_parent_runs_with_unpickling_forbidden(attack, tmp_path, monkeypatch):
    import multiprocess.connection
    import multiprocess.reduction

    def refuse(*_arguments):
        raise AssertionError("the parent unpickles")

    marker = tmp_path / "marker"
    bomb = b"cos\nsystem\n(S'touch " + str(marker).encode() + b"'\ntR.\n"
    monkeypatch.setattr(pickle, "loads", refuse)
    monkeypatch.setattr(pickle, "load", refuse)
    monkeypatch.setattr(multiprocess.reduction.ForkingPickler, "loads", refuse)
    monkeypatch.setattr(multiprocess.connection.Connection, "recv", refuse)
    assert isinstance(attack(bomb).final, protocol.Failed)
    assert not marker.exists()


def test_the_column_says_it_and_the_others_finish(echo_model, custom_model):
    engine = InferenceEngine()
    hostile = Hostile(b"[]\n", then="live")
    kind = custom_model.model_type.value
    engine.register_inferencer_factory(
        lambda model: hostile if model.model_type.value == kind else None
    )
    models = [echo_model("before"), custom_model, echo_model("after")]
    (results,) = deque(engine.run_inference("one two", models), maxlen=1)
    before, failed, after = results.values()
    assert (before.content, after.content) == ("one two", "one two")
    assert (failed.state, failed.error_kind) == (RunState.FAILED, "crashed")
