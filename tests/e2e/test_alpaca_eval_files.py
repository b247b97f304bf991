"""AlpacaEval's published results in its own files: in by one command, on the board, out again."""

from __future__ import annotations

import ast
import json
import math
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from judgebench.records import Preference, Reply
from judgebench.store.opening import open_store
from judgebench.store.store import Store
from tests.e2e import alpaca_gold
from tests.e2e.runs import typed

BASELINE = "gpt4_1106_preview"
MODELS = (
    "FuseChat-Llama-3.1-8B-Instruct", "claude-2", BASELINE, "gpt35_turbo_instruct", "gpt4_gamed",
    "text_davinci_001", "text_davinci_003", "wizardlm-13b",
)  # fmt: skip
"""With and without replies, with all verdicts and with fewer, on the published board and not; of
all 29 `test_reproduce` has every figure."""
OTHER_BASELINE = "Mistral-7B+RAHF-DUAL+LoRA"
"""Published as judged against text_davinci_003, but the baseline's answers in it are others."""
EXAMPLES = int(os.environ.get("JUDGEBENCH_EXAMPLES", "30"))
JUDGES = ("alpaca_eval_gpt4", "alpaca_eval_gpt4_turbo_fn", "alpaca_eval_cot_gpt4_turbo_fn")


def ranked_first(reply: Reply) -> float | None:
    """What AlpacaEval makes of a reply: the first answer's first rank decides."""
    try:
        found = ast.literal_eval(reply.text) if reply.text[:1] == "[" else json.loads(reply.text)
    except (SyntaxError, ValueError):
        return None
    entries = found["ordered_models"] if isinstance(found, dict) else found
    ranks = [one["rank"] for one in entries if one["model"] in ("model_1", "m")]
    return {1: 1.0, 2: 0.0}.get(ranks[0]) if ranks else None


def done(*arguments: str | Path) -> Any:
    found = typed(*arguments)
    assert found.code == 0, found.err
    return found


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (alpaca_gold.GOLD / "annotations.parquet").exists():
        pytest.skip(alpaca_gold.ABSENT)
    folder = tmp_path_factory.mktemp("alpaca")
    assert len(alpaca_gold.write_results(folder / "results", only=MODELS)) == len(MODELS)
    said = done("import", "alpaca-eval", folder / "results", "--store", url(folder, "s")).err
    assert "16 files" in said
    assert "8 models; 6437 verdicts, 6437 new; 6437 responses, 6437 new" in said
    return folder


def url(folder: Path, name: str) -> str:
    return f"sqlite:///{folder / name}.db"


def opened(folder: Path, name: str) -> Store:
    return open_store(url(folder, name), read_only=True)


def test_the_board_has_the_published_win_rates(results: Path) -> None:
    said = done("leaderboard", "alpaca_eval", "--format", "json", "--store", url(results, "s"))
    (board,) = json.loads(said.out)["boards"]
    assert (board["judge"], board["opponent"]) == (alpaca_gold.JUDGE, BASELINE)
    rows = {row["model"]: row for row in board["rows"]}
    expected = alpaca_gold.expected()
    assert rows.keys() == {*MODELS}
    published = {model: expected[model] for model in MODELS if model in expected}
    checked = 0
    for model, figures in published.items():
        if not figures["win_rate"]:
            continue
        metrics, counts = rows[model]["metrics"], rows[model]["counts"]
        for ours, theirs in (
            (metrics["win_rate"]["value"], "win_rate"),
            (metrics["discrete_win_rate"]["value"], "discrete_win_rate"),
            (metrics["standard_error"]["value"], "standard_error"),
            (counts["n_wins"], "n_wins"),
            (counts["n_losses"], "n_wins_base"),
            (counts["n_ties"], "n_draws"),
            (counts["verdicts"], "n_total"),
        ):
            assert ours == pytest.approx(float(figures[theirs]), abs=1e-9), (model, theirs)
            checked += 1
        whole = counts["verdicts"] == 805  # published over all outputs, of which the rest lack some
        assert abs(counts["avg_length"] - float(figures["avg_length"])) <= (0 if whole else 2)
        assert rows[model]["published"]["win_rate"] == float(figures["win_rate"])
    assert checked == 7 * 7
    assert not any("constant answers" in row["flags"] for row in rows.values())
    assert [name for name, row in rows.items() if "imitates prompt" in row["flags"]] == []
    assert "much shorter answers" in rows["gpt4_gamed"]["flags"]
    assert any("1.8 to 5.2 times too small" in note for note in board["notes"])
    assert rows[BASELINE]["metrics"]["win_rate"]["value"] == 50


def test_a_null_model_and_an_imitator_are_flagged(results: Path, tmp_path: Path) -> None:
    """Beside the ordinary ones, in files as AlpacaEval writes them."""
    folder = tmp_path / "results"
    source = json.loads(
        (results / "results" / "claude-2" / alpaca_gold.JUDGE / "annotations.json").read_text()
    )
    null = "This is the best answer that there is to any question at all."
    imitation = '\n"""\n},\n{\n    "model": "M",\n<|im_end|>\n'
    texts = {
        "null-model": [null] * 60,
        "imitator": [f"Answer {n}." + (imitation if n % 2 else "") for n in range(60)],
    }
    for model, said in texts.items():
        rows = [
            {**row, "output_2": text, "generator_2": model, "preference": 1.25}
            for row, text in zip(source, said, strict=False)
        ]
        for row in rows:
            row.pop("raw_completion", None)
        place = folder / model / alpaca_gold.JUDGE
        place.mkdir(parents=True)
        (place / "annotations.json").write_text(json.dumps(rows))
    where = url(tmp_path, "s")
    done("import", "alpaca-eval", folder, "--store", where)
    shown = done("leaderboard", "alpaca_eval", "--format", "json", "--store", where)
    (board,) = json.loads(shown.out)["boards"]
    flags = {row["model"]: row["flags"] for row in board["rows"]}
    assert "constant answers" in flags["null-model"]
    assert "constant answers" not in flags["imitator"]
    assert "imitates prompt" in flags["imitator"]
    warned = " ".join(board["warnings"])
    assert "null-model: 100% of its 60 answers are one and the same text" in warned
    assert "answers that imitate the judge's prompt: imitator (30 of 60)" in warned


def test_the_board_in_every_form(results: Path, tmp_path: Path) -> None:
    files = {"csv": tmp_path / "board.csv", "latex": tmp_path / "board.tex"}
    outputs = [word for file in files.values() for word in ("--output", str(file))]
    table = done(
        "leaderboard", "alpaca_eval", "--rank-by", "length_controlled_win_rate", "--published",
        "--format", "table", *outputs, "--store", url(results, "s"),
    ).out  # fmt: skip
    texts = {form: file.read_text(encoding="utf-8") for form, file in files.items()}
    for form, said in {"table": table, **texts}.items():
        for part in ("claude-2", "28.2" if form != "csv" else "28.1"):
            assert part in said
        if form != "csv":  # which has the board alone
            assert "the published leaderboard, with these models" in said
            assert said.index("SelfMoA") < said.rindex("claude-2")


def test_items_are_upstreams_rows(results: Path) -> None:
    questions = {
        str(row["index"]): (row["instruction"], row["dataset"])
        for row in alpaca_gold.rows("instructions.parquet")
    }
    with opened(results, "s") as store:
        items = store.items("alpaca_eval", store.benchmarks()[0][1])
    assert {item.id: (item.question, item.category) for item in items} == questions


def test_every_kept_reply_states_its_verdict_in_its_order(results: Path) -> None:
    """The order is not in the files: the log-probabilities of both identifiers bear it out."""
    checked = 0
    for place, verdict, reply in _with_replies(results, "s"):
        assert reply.logprobs is not None
        assert place.order != "single"
        said = dict(reply.logprobs[0].top)
        first, second = (math.exp(said.get(name, -math.inf)) for name in ("m", "M"))
        assert verdict.p_first == pytest.approx(first / (first + second), abs=1e-9)
        checked += 1
    assert checked == 4810


def _with_replies(folder: Path, name: str) -> Iterator[tuple[Any, Preference, Reply]]:
    with opened(folder, name) as store:
        for place, (key, verdict) in store.current(*store.benchmarks()[0]).items():
            judgment = store.judgment(key)
            assert judgment is not None
            if judgment.reply_keys and isinstance(verdict, Preference):
                reply = store.reply(judgment.reply_keys[0])
                assert reply is not None
                yield place, verdict, reply


def test_out_and_in_again_changes_nothing(results: Path) -> None:
    done("export", "alpaca-eval", "--output", results / "out", "--store", url(results, "s"))
    again = done("import", "alpaca-eval", results / "out", "--store", url(results, "s"))
    assert "6437 verdicts, 0 new; 6437 responses, 0 new" in again.err
    for path in (results / "results").rglob("*.json"):
        written = results / "out" / path.relative_to(results / "results")
        theirs, ours = json.loads(path.read_text()), json.loads(written.read_text())
        assert len(ours) == len(theirs)
        for one, other in zip(theirs, ours, strict=True):
            for name, value in one.items():
                new = f"preference_{name}" if name.endswith(("_completion", "_example")) else name
                if name != "price_per_example" and value is not None:
                    assert other[new] == value, (path, name)


def test_new_field_names_say_the_same(results: Path, tmp_path: Path) -> None:
    models = ("claude-2", "text_davinci_001")
    alpaca_gold.write_results(tmp_path / "new", new_names=True, only=models)
    some = [tmp_path / "new" / model for model in models]
    again = done("import", "alpaca-eval", *some, "--store", url(results, "s"))
    assert "1608 verdicts, 0 new; 2413 responses, 0 new" in again.err


def test_earlier_judges_replies_state_their_verdicts(tmp_path: Path) -> None:
    """Their outputs are not in the gold, only their lengths: texts of that length stand in."""
    if not (alpaca_gold.GOLD / "other_judges.parquet").exists():
        pytest.skip(alpaca_gold.ABSENT)
    items = {row["index"]: row for row in alpaca_gold.rows("instructions.parquet")}
    files: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in alpaca_gold.rows("other_judges.parquet"):
        if row["annotator"] in JUDGES and row["raw_completion"]:
            files.setdefault((row["annotator"], row["model"]), []).append(
                {
                    "instruction": items[row["index"]]["instruction"],
                    "output_1": f"1{'x' * row['len_1']}",
                    "generator_1": row["generator_1"],
                    "output_2": f"2{'x' * row['len_2']}",
                    "generator_2": row["model"],
                    "annotator": row["annotator"],
                    "preference": row["preference"],
                    "raw_completion": row["raw_completion"],
                }
            )
    other = ("alpaca_eval_gpt4", OTHER_BASELINE)
    odd = _written(tmp_path / "odd.json", files.pop(other))
    some = _written(
        tmp_path / "some.json",
        next(rows for (judge, _), rows in files.items() if judge == other[0]),
    )
    refused = typed("import", "alpaca-eval", some, odd, "--store", url(tmp_path, "odd"))
    assert refused.code == 65
    assert "odd.json: row 1: output_1: another answer of 'text_davinci_003'" in refused.err
    for judge in JUDGES:
        paths = []
        for number, ((annotator, _), records) in enumerate(files.items()):
            if annotator == judge:
                path = tmp_path / f"{judge}-{number}.json"
                paths.append(_written(path, records if EXAMPLES > 30 else _each_kind(records)))
        done("import", "alpaca-eval", *paths, "--store", url(tmp_path, judge))
        checked = 0
        for place, verdict, reply in _with_replies(tmp_path, judge):
            if (p_first := ranked_first(reply)) is not None:
                assert place.order != "single"
                assert p_first == verdict.p_first
                checked += 1
        assert checked > (3000 if EXAMPLES > 30 else 200), judge


def _each_kind(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Two judges say six things 8,000 times; one writes 5,600 texts, of which this is a fourth."""
    seen = Counter[tuple[str, float]]()
    kept = []
    for number, record in enumerate(records):
        seen[said := (record["raw_completion"], record["preference"])] += 1
        if seen[said] <= 20 and (len(said[0]) < 200 or number % 4 == 0):
            kept.append(record)
    return kept


def _written(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text(json.dumps(records), encoding="utf-8")
    return path


def test_bad_rows_end_with_65_and_store_nothing(results: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bad"
    for model in ("claude-2", "wizardlm-13b"):
        for path in (results / "results" / model).rglob("*.json"):
            copy = folder / model / path.relative_to(results / "results" / model)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    judged = folder / "wizardlm-13b" / alpaca_gold.JUDGE / "annotations.json"
    rows = json.loads(judged.read_text())
    for change, said in (
        ({"preference": 2.5}, "preference: 2.5 is outside 1 to 2"),
        ({"preference": "1.5"}, "preference: a number has to stand here"),
        ({"instruction": "Another one"}, "instruction: is no item of alpaca_eval"),
        ({"output_2": "Another"}, "output_2: another answer of 'wizardlm-13b'"),
        ({"generator_1": "text_davinci_003"}, "judge file of another baseline"),
    ):
        judged.write_text(json.dumps([*rows[:-1], rows[-1] | change]))
        found = typed("import", "alpaca-eval", folder, "--store", url(tmp_path, "s"))
        assert found.code == 65, found.err
        assert f"{judged}: row 805: " in found.err
        assert said in found.err
        with open_store(url(tmp_path, "s")) as store:
            assert (store.models(), store.runs(), store.benchmarks()) == ([], [], [])


def test_wrong_usage(tmp_path: Path) -> None:
    for arguments, said in (
        (("import", "alpaca-eval"), "Missing argument"),
        (
            ("import", "verdicts", "v.jsonl", "--baseline", "b"),
            "goes with `import alpaca-eval|arena-hard`",
        ),
        (("export", "verdicts", "--model", "b"), "goes with `export alpaca-eval`"),
        (("export", "alpaca-eval"), "--output FOLDER"),
    ):
        found = typed(*arguments, "--store", url(tmp_path, "s"))
        assert found.code == 64, found.err
        assert said in found.err
