"""A run of a suite: slot by slot, each model loaded once for all that it is asked.

Every answer is kept as soon as it is there (``storage.suites``), so that a run that was stopped,
killed or had no room left goes on where it ended. Whatever becomes of one cell, the others are
asked.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

import msgspec

from comparator.comparison.request import Request, Slot
from comparator.core.exceptions import ConfigurationError, MultiLLMError
from comparator.evaluation import resuming
from comparator.evaluation.batch import plan
from comparator.evaluation.cells import AskedCell
from comparator.evaluation.disturbed_cells import SecondAsking, is_worth_asking
from comparator.evaluation.grading import Grading
from comparator.evaluation.new_suite import conversation_of, seed_of
from comparator.evaluation.new_suite import new_suite as new_suite
from comparator.evaluation.slot_run import AnswerBatch, SlotFacts, SlotRun
from comparator.evaluation.suite_progress import (
    CellPace,
    SuiteStage,
    aggregate_tokens_per_second,
    pending_of,
)
from comparator.evaluation.suite_progress import SuiteProgress as SuiteProgress
from comparator.services.inference_engine import InferenceEngine
from comparator.storage.kept_suite import Cell, KeptSuite, SuiteState
from comparator.storage.suites import Claim, Suites

_log = logging.getLogger(__name__)


class SuiteRun:
    """A suite under way; safe to be asked and stopped from several threads.

    Args:
        engine: who runs models.
        store: where it is kept.
        kept: the suite, new or as it was kept; of one that goes on, cells that are pending are
            asked and no others.
        on_news: called after every answer and whenever something else begins, from its thread.
        slots: of whom it is asked, with what a record does not have of them, such as adapters by
            path; None makes them of what is kept. Who has a ``refusal`` is left out, and stays
            pending.
        judge: who judges at the end; None makes it of what is kept.
        retries_failed: whether cells that could not be answered are asked once more.

    Attributes:
        refusals: why slots are not asked, by their numbers.
    """

    def __init__(
        self,
        engine: InferenceEngine,
        store: Suites,
        kept: KeptSuite,
        on_news: Callable[[], None] | None = None,
        slots: Sequence[Slot] | None = None,
        judge: Slot | None = None,
        retries_failed: bool = False,
    ) -> None:
        self.refusals: dict[int, str] = {}
        self._engine, self._store, self._head = engine, store, kept
        self._take_cells()
        self._on_news = on_news or (lambda: None)
        self._slots, self._judge, self._retries_failed = slots, judge, retries_failed
        self._lock = threading.Lock()
        self._stop_asked = threading.Event()
        self._ended = threading.Event()
        self._claim: Claim | None = None
        self._trouble = ""
        self._stage: SuiteStage = ""
        self._is_full = False  # whether an answer could not be kept
        self._slot: int | None = None
        self._percent: int | None = None  # of a stage that has no cells
        self._grading = Grading(kept.suite.items)
        self._pace = CellPace([int(slot.model.get("size") or 0) for slot in kept.slots])
        self._thread = threading.Thread(target=self._live, name="comparator-suite", daemon=True)

    def start(self) -> SuiteRun:
        """Take the suite for this program and begin; returns at once.

        Raises:
            ConfigurationError: another program runs it, or it cannot be kept.
        """
        self._claim = self._store.claim(self._head.id)
        try:
            self._take_up()
            self._thread.start()
        except BaseException:
            self._claim.release()
            raise
        return self

    def stop(self) -> None:
        """Ask for the end and return at once; what has ended is kept, and the rest can go on."""
        self._stop_asked.set()

    def join(self, timeout_seconds: float | None = None) -> bool:
        """Wait until nothing of it runs any more; return whether that is so."""
        return self._ended.wait(timeout_seconds)

    @property
    def has_ended(self) -> bool:
        """Whether nothing of it runs any more."""
        return self._ended.is_set()

    @property
    def trouble(self) -> str:
        """Why it ended before all was asked, in sentences; empty where it did not."""
        return " ".join(filter(None, (self._trouble, *self.refusals.values())))

    def kept(self) -> KeptSuite:
        """Return the suite as it stands; later steps do not change it."""
        with self._lock:
            cells = [self._cells[cell.key] for cell in self._head.cells]
            return msgspec.structs.replace(self._head, cells=cells)

    def progress(self) -> SuiteProgress:
        """Return how far it has come."""
        with self._lock:
            counts = dict(self._counts)
        ended = {
            state: sum(number for (_slot, one), number in counts.items() if one == state)
            for state in ("done", "failed")
        }
        pending = {slot: number for (slot, one), number in counts.items() if one == "pending"}
        return SuiteProgress(
            done=ended["done"],
            failed=ended["failed"],
            total=sum(counts.values()),
            slot=self._slot,
            seconds_left=0.0 if self.has_ended else self._pace.seconds_left(pending),
            stage=self._stage,
            percent=self._percent,
        )

    def _take_up(self) -> None:
        """Read what other programs may have kept of it, and note that it runs.

        Raises:
            ConfigurationError: it cannot be kept.
        """
        earlier = self._store.get(self._head.id, self._head.owner)
        if earlier is not None:
            self._head = earlier
        if self._retries_failed:  # as they were they are kept until they have ended anew
            self._head = resuming.with_failed_pending(self._head)
        self._take_cells()
        self._head = msgspec.structs.replace(self._head, state="running")
        is_kept = self._store.update(self._head) if earlier else self._store.begin(self.kept())
        if not is_kept:
            raise ConfigurationError(
                f"The suite cannot be run, since its answers could not be kept. "
                f"{self._store.trouble} Free some room, or name another folder by "
                "COMPARATOR_DATA_DIR."
            )

    def _take_cells(self) -> None:
        self._cells = {cell.key: cell for cell in self._head.cells}
        self._counts = Counter((cell.slot, cell.state) for cell in self._head.cells)

    def _live(self) -> None:
        try:
            self._grading.make_ready()
            self._ask_slots()
            self._grade(self._cells.values())
            self._judge_answers()
        except MultiLLMError as error:
            self._give_up(str(error))
        except Exception as error:
            _log.exception("The suite %s was interrupted", self._head.id)
            self._give_up(f"Something went wrong in this program ({error}).")
        finally:
            try:
                self._grading.close()
            except Exception:
                _log.exception("What graded the suite %s was not given back", self._head.id)
            finally:
                self._end()

    def _end(self) -> None:
        self._slot, self._stage, self._percent = None, "", None
        state: SuiteState = "done" if self._is_whole() else "interrupted"
        with self._lock:
            self._head = msgspec.structs.replace(self._head, state=state)
        self._store.update(self._head)  # where there is no room, its claim tells that it ended
        if self._claim is not None:
            self._claim.release()
        self._ended.set()
        self._on_news()

    def _is_whole(self) -> bool:
        """Whether nothing was cut short: a stop may be asked just as the last of it ends."""
        kept = self.kept()
        is_graded = not any(self._grading.is_due(cell) for cell in kept.cells)
        is_judged = not (self._is_over and _waits_for_judge(kept))
        return not pending_of(kept) and is_graded and is_judged

    @property
    def _is_over(self) -> bool:
        return self._stop_asked.is_set()

    def _give_up(self, why: str) -> None:
        self._trouble = self._trouble or why
        self._stop_asked.set()

    def _say(self, stage: SuiteStage, slot: int | None = None, percent: int | None = None) -> None:
        self._stage, self._slot, self._percent = stage, slot, percent
        self._on_news()

    def _ask_slots(self) -> None:
        pending = pending_of(self.kept())
        if not pending:
            return
        self._say("preparing")
        slots = self._slots if self._slots is not None else resuming.slots_of(self.kept())
        self.refusals = {n: why for n in pending if (why := slots[n].refusal)}
        for number in pending:
            if number not in self.refusals and not self._is_over:
                self._ask_unchanged(number, slots[number])

    def _ask_unchanged(self, number: int, slot: Slot) -> None:
        """Ask a slot, unless its files have become others while those before it were asked."""
        why = resuming.change_of(self._head, number, slot)
        if why:
            self.refusals = {**self.refusals, number: why}  # others may be reading them
        else:
            self._ask_slot(number, slot)

    def _ask_slot(self, number: int, slot: Slot) -> None:
        """Ask a slot all that is pending of it."""
        self._say("loading", number)
        asked = self._asked(number)
        began, ended = time.monotonic(), 0

        def take(cell: Cell) -> None:
            nonlocal ended
            ended += 1
            self._pace.note(number, time.monotonic() - began, ended)
            self._keep(cell)

        try:
            request, batch = self._planned(slot, asked)
        except MultiLLMError as error:  # it stays pending: nothing was asked
            why = f"{self._head.slots[number].label} is not asked: {error}"
            self.refusals = {**self.refusals, number: why}  # others may be reading them
            return
        run = SlotRun(
            self._engine,
            request,
            batch,
            take,
            lambda: self._say("answering", number),
            lambda: self._is_over,
        )
        run.ask(asked)
        if not run.was_stopped:
            self._ask_disturbed(run, asked)
        if run.was_stopped:  # the engine ends: it would begin anew for the next model
            self._stop_asked.set()
        self._note_slot(number, run.facts)
        self._grade(cell for cell in self._cells.values() if cell.slot == number)

    def _ask_disturbed(self, run: SlotRun, asked: Sequence[AskedCell]) -> None:
        """Ask once more what was disturbed, and keep what is undisturbed then."""
        again = [one for one in asked if is_worth_asking(self._cells[one.key])]
        if not again or self._is_over:
            return
        second = SecondAsking(self._keep)

        def is_enough() -> bool:
            return self._is_over or second.is_in_vain

        rerun = replace(run, on_cell=second.take, should_stop=is_enough, facts=SlotFacts())
        rerun.ask(again)
        run.was_stopped = rerun.was_stopped and not second.is_in_vain

    def _planned(self, slot: Slot, asked: Sequence[AskedCell]) -> tuple[Request, AnswerBatch]:
        """Return what all runs of a slot have in common, and how many it answers at once."""
        conversations = [one.conversation for one in asked]
        found = plan(self._engine, slot, conversations, self._head.batch)
        notice = " ".join(filter(None, (slot.notice, found.notice)))
        request = self._request(replace(slot, notice=notice), asked)
        return request, AnswerBatch(found.size, found.context_tokens)

    def _request(self, slot: Slot, asked: Sequence[AskedCell]) -> Request:
        config = replace(slot.config, seed=asked[0].seed)
        request = self._engine.request(
            asked[0].conversation,
            [slot.model],
            {slot.model.id: config},
            date=datetime.fromtimestamp(self._head.created).isoformat(timespec="seconds"),
        )
        return replace(request, slots=[replace(slot.anew(), config=config)])

    def _keep(self, cell: Cell) -> None:
        """Keep a cell as it ends; where that cannot be done, the suite ends and can go on."""
        if self._is_full:
            return
        cell = self._grading.at_once(cell)
        if self._keep_all([cell]):
            self._on_news()

    def _keep_all(self, cells: Sequence[Cell]) -> bool:
        if not self._store.add_cells(self._head.id, cells):
            self._is_full = True
            self._give_up(
                "The suite was interrupted, since its answers could not be kept. "
                f"{self._store.trouble or 'It is no longer there.'} Free some room and resume it; "
                "what was kept before is not asked again."
            )
            return False
        with self._lock:
            for cell in cells:
                self._counts[cell.slot, self._cells[cell.key].state] -= 1
                self._counts[cell.slot, cell.state] += 1
                self._cells[cell.key] = cell
        return True

    def _grade(self, cells: Iterable[Cell]) -> None:
        """Grade what was not graded as it came, while no model of this suite writes."""
        due = [cell for cell in cells if self._grading.is_due(cell)]
        if due and not self._is_over:
            self._say("grading")
        for cell in due:
            if self._is_over or not self._keep_all([self._grading.later(cell)]):
                return
        if due:
            self._on_news()

    def _judge_answers(self) -> None:
        """Have the judge judge all answers, where one was asked for and has not done it yet."""
        kept = self.kept()
        if not _waits_for_judge(kept) or self._is_over or pending_of(kept):
            return
        from comparator.evaluation.judge import Judge

        slot = self._judge or resuming.judge_slot(kept)
        assert slot is not None
        self._say("judging")
        judged = Judge(self._engine, slot).judged(kept, lambda: self._is_over, self._note_judged)
        changed = [
            after for before, after in zip(kept.cells, judged.cells, strict=True) if before != after
        ]
        if self._keep_all(changed):
            with self._lock:
                verdicts, judge = judged.verdicts, judged.judge
                self._head = msgspec.structs.replace(self._head, verdicts=verdicts, judge=judge)

    def _note_judged(self, done: int, total: int) -> None:
        self._say("judging", percent=10 * (10 * done // max(1, total)))

    def _note_slot(self, number: int, facts: SlotFacts) -> None:
        """Keep what the children of a slot have shown that no cell has."""
        cells = [cell for cell in self.kept().cells if cell.slot == number]
        summary = dict(self._head.slots[number].summary)
        if facts.load_seconds is not None:
            summary["load_seconds"] = facts.load_seconds
        for name in ("peak_bytes", "peak_device_bytes"):
            summary[name] = max(int(summary.get(name) or 0), getattr(facts, name))
        summary["aggregate_tokens_per_second"] = aggregate_tokens_per_second(cells)
        with self._lock:
            slots = list(self._head.slots)
            slots[number] = msgspec.structs.replace(slots[number], summary=summary)
            self._head = msgspec.structs.replace(self._head, slots=slots)
        self._store.update(self._head)

    def _asked(self, number: int) -> list[AskedCell]:
        """Return what is pending of a slot: all prompts once, and then again for each repeat."""
        first = int(self._head.slots[number].config["seed"])
        items = self._head.suite.items
        keys = sorted(
            (cell.repeat, cell.prompt)
            for cell in self._cells.values()
            if cell.slot == number and cell.state == "pending"
        )
        return [
            AskedCell(
                (number, prompt, repeat),
                conversation_of(items[prompt], prompt + 1),
                seed_of(first, repeat),
            )
            for repeat, prompt in keys
        ]


def _waits_for_judge(kept: KeptSuite) -> bool:
    return kept.judge is not None and not kept.judge.get("is_complete")
