"""What to keep for what: dominated only where intervals say so, and what deleting really frees."""

from __future__ import annotations

import json
import os

import pytest
from made_suites import slot, suite_of

from comparator.evaluation.pareto import pareto_of
from comparator.evaluation.ratings import ratings_of
from comparator.storage.votes import Contender, Tally

GOOD, BAD = ["p"] * 30, ["p"] * 10 + ["n"] * 20


def test_who_is_better_in_something_and_worse_in_nothing_dominates():
    slots = [slot("fine", size=100), slot("poor", size=200)]
    pareto = pareto_of(suite_of(GOOD, BAD, slots=slots, speeds=[20.0, 10.0]))
    (one,) = pareto.dominated
    assert (one.slot, one.by, one.is_certain) == (1, 0, True)
    assert one.better_in == ("quality", "speed", "disk")
    assert [point.is_dominated for point in pareto.points] == [False, True]
    assert pareto.quality == "pass_rate"
    assert any(
        said.startswith("poor is not needed: fine is better in") for said in pareto.sentences
    )


def test_who_is_worse_in_anything_dominates_nobody():
    slots = [slot("fine", size=100), slot("poor", size=50)]
    pareto = pareto_of(suite_of(GOOD, BAD, slots=slots))
    assert pareto.dominated == []
    assert any("least room on the disk keep poor" in said for said in pareto.sentences)
    assert any(said.startswith("For quality keep fine") for said in pareto.sentences)


def test_where_quality_is_not_told_apart_it_is_perhaps():
    slots = [slot("small", size=50), slot("large", size=200)]
    pareto = pareto_of(suite_of(["p", "p", "n"], ["p", "n", "n"], slots=slots))
    (one,) = pareto.dominated
    assert (one.slot, one.is_certain) == (1, False)
    assert not any(point.is_dominated for point in pareto.points)
    assert pareto.freed_bytes == 0
    assert any("perhaps not needed" in said for said in pareto.sentences)
    assert any("large may be better still: not enough to tell" in said for said in pareto.sentences)


def test_equals_in_all_are_not_dominated():
    assert pareto_of(suite_of(GOOD * 10, GOOD * 10)).dominated == []


def test_a_speed_that_differs_as_two_runs_of_one_model_do_is_no_reason():
    rows = GOOD * 10
    assert pareto_of(suite_of(rows, rows, speeds=[10.0, 10.4])).dominated == []
    (one,) = pareto_of(suite_of(rows, rows, speeds=[10.0, 20.0])).dominated
    assert one.better_in == ("speed",)
    assert one.is_certain


def test_without_assertions_nothing_is_dominated_and_that_is_said():
    pareto = pareto_of(suite_of(["u"], ["u"], items=None, speeds=[10.0, 20.0]))
    assert pareto.dominated == []
    assert any(said.startswith("No quality is known") for said in pareto.sentences)
    assert any(said.startswith("For speed keep m1") for said in pareto.sentences)


def test_quality_is_of_votes_where_they_are_given_and_know_the_slots():
    slots = [slot("fine", "x", size=100), slot("poor", "y", size=200)]
    kept = suite_of(["u"], ["u"], slots=slots)
    two = Contender("x", "x", "fine"), Contender("y", "y", "poor")
    pareto = pareto_of(kept, ratings_of([Tally(two, "A", 40)]))
    assert pareto.quality == "rating"
    assert pareto.points[0].quality > 1000 > pareto.points[1].quality
    assert [one.slot for one in pareto.dominated if one.is_certain] == [1]
    strangers = Contender("v", "v", "v"), Contender("w", "w", "w")
    assert pareto_of(kept, ratings_of([Tally(strangers, "A", 9)])).quality == "pass_rate"


def test_a_batch_is_held_against_a_batch_alone():
    alone = suite_of(GOOD * 10, GOOD * 10, speeds=[10.0, 10.0])
    batch = slot("batch", summary={"aggregate_tokens_per_second": 90.0, "peak_bytes": 500})
    mixed = suite_of(GOOD * 10, slots=[batch], batch=8)
    cells = [*mixed.cells, *(cell for cell in alone.cells if cell.slot == 1)]
    import msgspec

    kept = msgspec.structs.replace(mixed, slots=[batch, slot("alone")], cells=cells)
    pareto = pareto_of(kept)
    assert [point.is_batch for point in pareto.points] == [True, False]
    assert pareto.dominated == []
    assert not any("For speed" in said for said in pareto.sentences)
    smaller = msgspec.structs.replace(kept, slots=[batch, slot("alone", size=900)])
    (one,) = pareto_of(smaller).dominated
    assert (one.slot, one.by, one.is_certain) == (0, 1, False)  # which is slower, nobody knows
    assert pareto_of(smaller).freed_bytes == 0


def test_where_all_are_alike_nobody_is_named():
    sentences = pareto_of(suite_of(GOOD, GOOD)).sentences
    assert [said for said in sentences if not said.startswith("For quality")] == []


# ---- what deleting frees ----


@pytest.fixture
def files(tmp_path):
    """Make a model's file."""

    def make(name: str, size: int = 1_000) -> str:
        place = tmp_path / name
        place.write_bytes(name[:1].encode() * size)
        return str(place)

    return make


def freed(*paths: str, worse: int = 1) -> int:
    """Return what is freed where all slots from the second on are dominated by the first."""
    slots = [slot(f"m{place}", path=path, size=100 + place) for place, path in enumerate(paths)]
    return pareto_of(suite_of(GOOD, *[BAD] * worse, slots=slots)).freed_bytes


def test_deleting_a_file_frees_its_bytes(files):
    assert freed(files("a.gguf"), files("b.gguf", 2_000)) == 2_000


def test_a_file_that_a_slot_which_stays_uses_as_well_frees_nothing(files):
    path = files("a.gguf")
    assert freed(path, path) == 0
    slots = [slot("a", path=path), slot("b", path=path)]
    said = pareto_of(suite_of(GOOD, BAD, slots=slots)).sentences[-1]
    assert said.endswith("frees nothing here: its files serve another slot, or have other names.")


def test_of_files_that_are_gone_nothing_is_said():
    said = pareto_of(suite_of(GOOD, BAD)).sentences[-1]
    assert said.endswith("is better in quality and worse in nothing.")


def test_what_goes_together_is_summed(files):
    paths = files("a.gguf"), files("b.gguf", 2_000), files("c.gguf", 3_000)
    slots = [slot(f"m{place}", path=path, size=100 + place) for place, path in enumerate(paths)]
    said = pareto_of(suite_of(GOOD, BAD, BAD, slots=slots)).sentences
    assert "Deleting m1 and m2 frees 5 kB together." in said


def test_a_hard_link_that_has_another_name_frees_nothing(files, tmp_path):
    path = files("b.gguf")
    os.link(path, tmp_path / "elsewhere.gguf")
    assert freed(files("a.gguf"), path) == 0


def test_all_names_of_one_file_that_go_together_free_it_once(files, tmp_path):
    path = files("b.gguf", 3_000)
    other = tmp_path / "c.gguf"
    os.link(path, other)
    assert freed(files("a.gguf"), path, str(other), worse=2) == 3_000


def test_two_slots_of_one_file_free_it_once(files):
    path = files("b.gguf", 3_000)
    assert freed(files("a.gguf"), path, path, worse=2) == 3_000


def test_a_link_is_followed_and_what_is_gone_frees_nothing(files, tmp_path):
    link = tmp_path / "link.gguf"
    link.symlink_to(files("b.gguf", 4_000))
    assert freed(files("a.gguf"), str(link)) == 4_000
    assert freed(files("a2.gguf"), str(tmp_path / "gone.gguf")) == 0


def test_a_models_folder_frees_all_its_parts(files, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"x" * 500)
    slots = [slot("a", path=files("a.gguf")), slot("b", path=str(folder), model_type="pytorch")]
    assert pareto_of(suite_of(GOOD, BAD, slots=slots)).freed_bytes == 502


def test_it_is_ready_for_json():
    assert json.loads(json.dumps(pareto_of(suite_of(GOOD, BAD)).to_record()))["points"]
