"""The library's rows, what stands apart, ladders, and what a public page refuses."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from model_files import write_directory, write_gguf

from comparator.core.exceptions import ConfigurationError, ModelNotFoundError, MultiLLMError
from comparator.core.models import InferenceResult, InferenceStats
from comparator.hosting.host import Host
from comparator.hosting.library.library_table import LibraryRow, LibrarySnapshot
from comparator.hosting.options import ServerOptions
from comparator.library import families
from comparator.library.changes.starter import PLACES
from comparator.services.inference_engine import InferenceEngine
from comparator.storage.measurements import Measurements
from comparator.ui.library import render

MakeHost = Callable[..., Host]


@pytest.fixture
def make_host(tmp_path: Path) -> Iterator[MakeHost]:
    hosts: list[Host] = []

    def make(models_dir: Path | None = None, public: bool = False, **settings: object) -> Host:
        name = "0.0.0.0" if public else None
        measurements = Measurements(tmp_path / "measurements.sqlite3")
        host = Host(
            ServerOptions(
                models_dir=models_dir or tmp_path / "models", server_name=name, **settings
            ),
            InferenceEngine(measurements=measurements),
        )
        hosts.append(host)
        return host

    (tmp_path / "models").mkdir()
    yield make
    for host in hosts:
        host.close()
        host.engine.measurements.close()


def whole(host: Host) -> LibrarySnapshot:
    """Scan and wait until every fact is there."""
    host.library.rescan()
    end = time.monotonic() + 30
    while host.library.table.snapshot().missing:
        assert time.monotonic() < end
        time.sleep(0.01)
    return host.library.table.snapshot()


def by_name(table: LibrarySnapshot) -> dict[str, LibraryRow]:
    return {row.name: row for row in table.rows}


def test_rows_of_the_starter_models_have_every_fact(
    make_host: MakeHost, starter_models_dir: Path
) -> None:
    rows = by_name(whole(make_host(starter_models_dir)))
    row = rows["SmolLM2-135M-Instruct.Q8_0"]
    assert (row.engine, row.quantisation, row.context_length) == ("gguf", "Q8_0", 8192)
    assert (row.kind, row.source, row.fit) == ("chat", "folder", "fits")
    assert row.parameters == pytest.approx(135e6, rel=0.02)
    assert row.bits_per_weight == pytest.approx(8.5, rel=0.02)
    assert "GB is free" in row.fit_sentence
    assert len({row.family for row in rows.values()}) == 1
    assert all(row.has_facts for row in rows.values())


def test_a_head_is_passed_over_and_a_lying_file_is_marked(
    make_host: MakeHost, tmp_path: Path
) -> None:
    folder = write_directory(tmp_path / "made")
    write_gguf(tmp_path / "models" / "X.Q8_0.gguf", folder)
    write_gguf(tmp_path / "models" / "head.gguf", folder, architecture="eagle3")
    host = make_host()
    table = whole(host)
    (row,) = table.rows
    assert row.quantisation == "Q8_0, really F32"
    details = dict(host.library.table.details(row.id))
    assert details["Doubtful"].startswith("Its name says Q8_0, but ")
    assert details["Tensors"] == "F32 100 %"
    assert [(apart.name, apart.is_problem) for apart in table.passed_over] == [("head", False)]
    assert "cannot answer alone" in table.passed_over[0].reason
    assert table.unusable == ()


def test_nothing_is_whole_before_relatives_are_called_alike(
    make_host: MakeHost, starter_models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = families.families
    monkeypatch.setattr(families, "families", lambda models: (time.sleep(0.2), found(models))[1])
    rows = whole(make_host(starter_models_dir)).rows
    assert len({row.family for row in rows}) == 1


def test_a_ladder_goes_from_the_most_bits_to_the_fewest(
    make_host: MakeHost, starter_models_dir: Path
) -> None:
    host = make_host(starter_models_dir)
    table = whole(host)
    rows = {row.id: row for row in table.rows}
    ladder = host.library.ladder_of([by_name(table)["SmolLM2-135M-Instruct.Q2_K"].id])
    bits = [rows[model_id].bits_per_weight or 0 for model_id in ladder]
    assert len(ladder) == 4
    assert bits == sorted(bits, reverse=True)


def test_rows_are_there_before_their_facts_and_stay_when_they_are_looked_for_again(
    make_host: MakeHost, tmp_path: Path
) -> None:
    for number in range(50):
        (tmp_path / "models" / f"m{number}.echo.json").write_text("{}")
    host = make_host()
    host.library.rescan()
    assert len(host.library.table.snapshot().rows) == 50
    first = whole(host)
    assert all(row.fit == "fits" for row in first.rows)
    host.library.rescan()
    assert all(row.has_facts for row in host.library.table.snapshot().rows)  # no flicker
    assert whole(host).number > first.number


def test_what_ran_here_is_in_the_row(make_host: MakeHost, tmp_path: Path) -> None:
    (tmp_path / "models" / "a.echo.json").write_text("{}")
    host = make_host()
    whole(host)
    (model,) = host.library.table.models()
    stats = InferenceStats(0.0, 1.0, token_count=100, tokens_per_second=42.0, memory_usage=1000)
    host.engine.measurements.add(InferenceResult(model.id, "", True, None, stats, model=model), 900)
    (row,) = whole(host).rows
    assert row.best_tokens_per_second == 42.0
    assert row.last_used == pytest.approx(time.time(), abs=60)


def test_what_cannot_be_asked_stands_apart_with_a_reason(
    make_host: MakeHost, tmp_path: Path
) -> None:
    models_dir = tmp_path / "models"
    (models_dir / "empty.gguf").touch()
    (models_dir / "cut.gguf").write_bytes(b"GGUF\x03\x00\x00\x00" + b"\x01" * 20)
    (models_dir / "adapter").mkdir()
    (models_dir / "adapter" / "adapter_config.json").write_text("{}")
    folder = models_dir / "embedder"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "bert", "architectures": ["BertModel"]}')
    (folder / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    table = whole(make_host())
    assert {apart.name for apart in table.unusable} >= {"empty", "cut"}
    assert all(apart.reason and apart.place for apart in (*table.unusable, *table.passed_over))
    assert "adapter" in {apart.name for apart in table.passed_over}
    assert "embedder" in {apart.name for apart in (*table.passed_over, *table.unusable)}
    assert table.rows == ()


def test_a_public_page_names_no_place(make_host: MakeHost, tmp_path: Path) -> None:
    models_dir, other = tmp_path / "models", tmp_path / "other"
    other.mkdir()
    (other / "secret.echo.json").write_text("{}")
    (models_dir / "shown.echo.json").write_text("{}")
    (models_dir / "empty.gguf").touch()
    (models_dir / "cut.gguf").write_bytes(b"GGUF\x03\x00\x00\x00" + b"\x01" * 20)
    host = make_host(public=True, more_models_dirs=(other,))
    table = whole(host)
    assert [(row.name, row.source) for row in table.rows] == [("shown", "")]
    view = render.view(table, True, 4)
    assert "source" not in [column[0] for column in view["columns"]]
    details = host.library.table.details(table.rows[0].id)
    assert str(tmp_path) not in str((view, details, table))


@pytest.mark.parametrize(
    "ask",
    [
        lambda library, ids: library.names(ids),
        lambda library, ids: library.plan_ladder(ids, ["Q2_K"]),
        lambda library, ids: library.make(None),
        lambda library, ids: library.stop_making(),
        lambda library, ids: library.plan_removal(ids),
        lambda library, ids: library.remove([]),
    ],
)
def test_a_public_page_makes_and_removes_nothing(
    make_host: MakeHost, tmp_path: Path, ask: Callable[..., object]
) -> None:
    (tmp_path / "models" / "a.echo.json").write_text("{}")
    host = make_host(public=True)
    ids = [row.id for row in whole(host).rows]
    with pytest.raises(ConfigurationError, match="a page that others can reach"):
        ask(host.library, ids)
    assert (tmp_path / "models" / "a.echo.json").exists()


@pytest.mark.parametrize("sent", [None, [], "abc", 3, {"id": 1}, [1, None], [["a"]]])
def test_what_a_browser_sends_is_not_trusted(make_host: MakeHost, sent: object) -> None:
    library = make_host().library
    library.rescan()
    for ask in (library.chosen, library.ladder_of, library.plan_removal, library.names):
        with pytest.raises(ConfigurationError, match="Select a model first"):
            ask(sent)


def test_only_models_of_the_library_are_compared_and_only_four(
    make_host: MakeHost, tmp_path: Path
) -> None:
    for number in range(5):
        (tmp_path / "models" / f"m{number}.echo.json").write_text("{}")
    host = make_host()
    ids = [row.id for row in whole(host).rows]
    assert host.library.chosen([*ids[:4], ids[0]]) == ids[:4]
    with pytest.raises(ConfigurationError, match="Up to 4"):
        host.library.chosen(ids)
    for stranger in ("/etc/passwd", str(tmp_path / "models" / "m0.echo.json")):
        with pytest.raises(ModelNotFoundError, match="not in the library"):
            host.library.chosen([stranger])
    with pytest.raises(ConfigurationError, match="only one of its family"):
        host.library.ladder_of(ids[:1])


def test_models_of_other_folders_are_not_removed(make_host: MakeHost, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "theirs.echo.json").write_text("{}")
    (tmp_path / "models" / "ours.echo.json").write_text("{}")
    host = make_host(more_models_dirs=(other,))
    rows = by_name(whole(host))
    with pytest.raises(MultiLLMError):
        host.library.plan_removal([rows["ours"].id, rows["theirs"].id])
    plans = host.library.plan_removal([rows["ours"].id])
    assert [plan.bytes_freed > 0 for plan in plans] == [True]
    host.library.remove(plans)
    assert (other / "theirs.echo.json").exists()
    assert [row.name for row in whole(host).rows] == ["theirs"]


@pytest.mark.process
def test_one_ladder_is_made_at_a_time_and_closing_ends_it(
    make_host: MakeHost, starter_models_dir: Path, tmp_path: Path
) -> None:
    source = tmp_path / "models" / "gguf" / "SmolLM2.Q8_0.gguf"
    source.parent.mkdir()
    shutil.copy(starter_models_dir / PLACES["gguf_q8_0"], source)
    host = make_host()
    ids = [row.id for row in whole(host).rows]
    with pytest.raises(ConfigurationError, match="Check the sizes first"):
        host.library.make(None)
    ladder = host.library.plan_ladder(ids, ["IQ4_XS", "Q3_K_S"])
    host.library.make(ladder)
    with pytest.raises(ConfigurationError, match="is being made"):
        host.library.make(ladder)
    host.close()
    assert host.library.work is not None
    status = host.library.work.status
    assert (status.is_over, status.was_stopped, status.trouble) == (True, True, "")
    assert [path.name for path in source.parent.iterdir()] == [source.name]


def test_details_have_what_makers_advise_and_the_adapters_that_fit(
    make_host: MakeHost, tmp_path: Path
) -> None:
    import lora_files
    import model_files

    place = tmp_path / "models"
    base = model_files.write_directory(place / "base")
    model_files.change_json(base / "generation_config.json", temperature=0.6, top_k=-1)
    lora_files.write_peft(place / "polite", base)
    host = make_host(place)
    (row,) = whole(host).rows
    details = dict(host.library.table.details(row.id))
    assert details["Adapters"] == "polite"
    assert details["Maker's sampling"].startswith("temperature 0.6 What generation_config.json")
