"""Rankings of AlpacaEval's earlier judges: what is read, what is not, and any text at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgebench.judges._alpaca_replies import MAX_CHARS, read_ordered_models, read_ranking
from judgebench.records import Preference, Reply, Unreadable, Verdict

GOLD = Path(__file__).resolve().parents[3] / "shared" / "gold" / "alpaca_eval"
LIST = "[{'model': 'model_1', 'rank': 1}, {'model': 'model_2', 'rank': 2}]"


def shown(verdict: Verdict) -> str:
    match verdict:
        case Preference(winner=0, p_first=1.0):
            return "first"
        case Preference(winner=1, p_first=0.0):
            return "second"
        case Preference(winner=None, p_first=0.5):
            return "tie"
        case Unreadable(reason=reason):
            return f"({reason})"
    raise AssertionError(verdict)


def entry(model: object, rank: object) -> str:
    return json.dumps({"model": model, "rank": rank})


@pytest.mark.parametrize(
    ("reply", "read"),
    [
        (LIST, "first"),
        (LIST.replace("'", '"'), "first"),
        ("[{'model': 'model_1', 'rank': 2}, {'model': 'model_2', 'rank': 1}]", "second"),
        ("[{'model': 'model_2', 'rank': 1}, {'model': 'model_1', 'rank': 2}]", "second"),
        ("[{'rank': 2, 'model': 'model_2'}, {'rank': 1, 'model': 'model_1'}]", "first"),
        (
            "\n [\n  {'model':'model_1','rank':1,},\n  {\"model\":'model_2','rank':2.0},\n]\n",
            "first",
        ),
        (f"```python\n{LIST}\n```", "first"),
        (f"```\n{LIST}```", "first"),
        ("[{'model': 'model_1', 'rank': 1}, {'model': 'model_2', 'rank': 1}]", "tie"),
        ("", "(empty reply)"),
        ("NaN", "(not one list of models and ranks)"),
        (f"{LIST} That is all.", "(not one list of models and ranks)"),
        (f"Here it is: {LIST}", "(not one list of models and ranks)"),
        (f"{LIST}\n{LIST}", "(not one list of models and ranks)"),
        (f"```python\n{LIST}", "(not one list of models and ranks)"),
        (f"```js\n{LIST}\n```", "(not one list of models and ranks)"),
        ("[]", "(not one list of models and ranks)"),
        ("[{}, {}]", "(not one list of models and ranks)"),
        ("[{'model': 'model_1', 'rank': 1 + 0}]", "(not one list of models and ranks)"),
        ("[{'model': 'model_1', 'rank': True}]", "(not one list of models and ranks)"),
        ("[{'model': 'model_1', 'rank': -1}]", "(not one list of models and ranks)"),
        ("[{'model': f'model_1', 'rank': 1}]", "(not one list of models and ranks)"),
        ("[{'model': __import__('os'), 'rank': 1}]", "(not one list of models and ranks)"),
        ("[{'model': 'model_1', 'rank': 1, 'why': 'long'}]", "(not one list of models and ranks)"),
        ("[{'model': 'model_1'}, {'rank': 1}]", "(not one list of models and ranks)"),
        ("[{'model': 'model_1', 'rank': 1}]", "(not the two models that were asked about)"),
        (LIST.replace("_2", "_3"), "(not the two models that were asked about)"),
        (LIST.replace("model_2", "MODEL_2"), "(not the two models that were asked about)"),
        (LIST.replace("'model_2'", "7"), "(not the two models that were asked about)"),
        (LIST.replace("_2", "_1"), "(two verdicts)"),
        (LIST.replace("'rank': 1", "'rank': 1, 'rank': 2"), "(two verdicts)"),
        (LIST.replace("}]", "}, {'model': 'model_1', 'rank': 3}]"), "(two verdicts)"),
        (LIST.replace("'rank': 1", "'rank': 2"), "(ranks that are no ranking)"),
        (LIST.replace("'rank': 1", "'rank': '1'"), "(ranks that are no ranking)"),
        (LIST.replace("'rank': 1", "'rank': 0"), "(ranks that are no ranking)"),
        (LIST + " " * MAX_CHARS, "(too long for a ranking)"),
    ],
)
def test_reading_a_list(reply: str, read: str) -> None:
    assert shown(read_ranking(Reply(text=reply))) == read


@pytest.mark.parametrize(
    ("models", "read"),
    [
        ([entry("m", 1), entry("M", 2)], "first"),
        ([entry("M", 1), entry("m", 2)], "second"),
        ([entry("m", 2.0), entry("M", 1.0)], "second"),
        ([entry("m", 1), entry("M", 1)], "tie"),
        ([entry("m", 1), entry("m", 2)], "(two verdicts)"),
        (['{"model": "m", "rank": 1, "rank": 2}', entry("M", 2)], "(two verdicts)"),
        ([entry("m", 1)], "(not the two models that were asked about)"),
        ([entry(" m", 1), entry("M", 2)], "(not the two models that were asked about)"),
        ([entry(["m"], 1), entry("M", 2)], "(not the two models that were asked about)"),
        ([entry("m", True), entry("M", 2)], "(ranks that are no ranking)"),
        ([entry("m", 2), entry("M", 2)], "(ranks that are no ranking)"),
        ([entry("m", 1.5), entry("M", 2)], "(ranks that are no ranking)"),
        ([entry("m", None), entry("M", 2)], "(ranks that are no ranking)"),
        ([entry("m", [1]), entry("M", 2)], "(ranks that are no ranking)"),
        (['{"model": "m", "rank": NaN}', entry("M", 2)], "(ranks that are no ranking)"),
        ([entry("m", 1), '["model", "M"]'], "(not the JSON that was asked for)"),
        (['"m"', '"M"'], "(not the JSON that was asked for)"),
        (['{"model": "m"}', entry("M", 2)], "(not one list of models and ranks)"),
        ([], "(not the two models that were asked about)"),
    ],
)
def test_reading_a_function_call(models: list[str], read: str) -> None:
    listed = f'"ordered_models": [{", ".join(models)}]'
    assert shown(read_ordered_models(Reply(text=f"{{{listed}}}"))) == read
    explained = f'{{"concise_explanation": "[{{m}}]", {listed}}}'
    assert shown(read_ordered_models(Reply(text=explained), explain=True)) == read
    assert shown(read_ordered_models(Reply(text=explained))) == "(not the JSON that was asked for)"


@pytest.mark.parametrize(
    ("reply", "read"),
    [
        ("NaN", "(not one JSON object)"),
        ("[]", "(not one JSON object)"),
        (LIST, "(not one JSON object)"),
        ('{"ordered_models": 1}', "(not the JSON that was asked for)"),
        ('{"ordered_models": {"model": "m", "rank": 1}}', "(not the JSON that was asked for)"),
        ('{"ordered_models": [], "ordered_models": []}', "(two verdicts)"),
        ('{"ordered_models": [' + "9" * 5000 + "]}", "(not one JSON object)"),
        ("[" * MAX_CHARS, "(not one JSON object)"),
        ('{"a":' * 3000, "(not one JSON object)"),
    ],
)
def test_what_is_no_function_call(reply: str, read: str) -> None:
    assert shown(read_ordered_models(Reply(text=reply))) == read


def test_an_explanation_is_words() -> None:
    text = f'{{"concise_explanation": 1, "ordered_models": [{entry("m", 1)}, {entry("M", 2)}]}}'
    read = read_ordered_models(Reply(text=text), explain=True)
    assert shown(read) == "(not the JSON that was asked for)"


def test_what_was_cut_off_or_refused_is_not_read() -> None:
    for reader in (read_ranking, read_ordered_models):
        assert shown(reader(Reply(text=LIST, finish_reason="length"))) == "(truncated)"
        assert shown(reader(Reply(text=LIST, finish_reason="content_filter"))) == "(refused)"


@pytest.mark.parametrize(
    ("ranks", "read", "upstream"),
    [
        ((1, 1), "tie", "first"),
        ((2, 2), "(ranks that are no ranking)", "second"),
        ((1, 3), "(ranks that are no ranking)", "first"),
        ((3, 1), "(ranks that are no ranking)", "(ranks that are no ranking)"),
    ],
)
def test_upstream_looks_at_the_first_models_rank_alone(
    ranks: tuple[int, int], read: str, upstream: str
) -> None:
    reply = Reply(text=f"[{entry('model_1', ranks[0])}, {entry('model_2', ranks[1])}]")
    assert shown(read_ranking(reply)) == read
    assert shown(read_ranking(reply, upstream=True)) == upstream


def test_upstream_looks_at_the_first_models_first_entry_alone() -> None:
    reply = Reply(text=f"[{entry('model_1', 2)}, {entry('model_1', 1)}]")
    assert shown(read_ranking(reply)) == "(two verdicts)"
    assert shown(read_ranking(reply, upstream=True)) == "second"


PIECES = st.lists(
    st.sampled_from(
        [*"[]{},:'\"\\ \n-`", "model", "rank", "'model'", '"rank"', "'model_1'", '"m"', "1", "2",
         '"ordered_models"', "1.0", "9" * 30, "```python\n", "{'model': 'model_1', 'rank': 1}"]
    ),
    max_size=30,
).map("".join)  # fmt: skip


@given(st.text() | PIECES, st.booleans(), st.booleans())
def test_any_text_has_a_verdict_or_a_reason(text: str, explain: bool, upstream: bool) -> None:
    for verdict in (
        read_ranking(Reply(text=text), upstream=upstream),
        read_ordered_models(Reply(text=text), explain=explain, upstream=upstream),
    ):
        assert shown(verdict) != "()"


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.sampled_from([1, 2, "m", "M"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["model", "rank", "x"]), inner, max_size=2)
    ),
    max_leaves=8,
)


@given(JSON)
def test_any_json_in_the_place_of_the_list_has_a_verdict_or_a_reason(value: object) -> None:
    reply = Reply(text=json.dumps({"ordered_models": value}))
    for upstream in (False, True):
        assert shown(read_ordered_models(reply, upstream=upstream)) != "()"


@pytest.mark.skipif(
    not GOLD.exists(), reason="the gold data (../shared/gold/alpaca_eval) is not here"
)
def test_all_stored_rankings_give_the_stored_preference() -> None:
    """Of 43 files; 17 replies rank both first, and upstream stored a win of the one shown first."""
    pandas = pytest.importorskip("pandas")
    rows = pandas.read_parquet(GOLD / "other_judges.parquet")
    rows = rows[rows.raw_completion.notna() & (rows.raw_completion != "NaN")]
    switched = pandas.read_parquet(GOLD / "instructions.parquet").set_index("index")["is_switched"]
    ties = 0
    for annotator, index, text, preference in zip(
        rows.annotator, rows["index"], rows.raw_completion, rows.preference, strict=True
    ):
        as_list, explain = annotator == "alpaca_eval_gpt4", "cot" in annotator
        for upstream in (True, False):
            verdict = (
                read_ranking(Reply(text=text), upstream=upstream)
                if as_list
                else read_ordered_models(Reply(text=text), explain=explain, upstream=upstream)
            )
            assert isinstance(verdict, Preference), (annotator, index, verdict)
            if not upstream and verdict.winner is None:
                ties += 1
                continue
            p_second = 1 - verdict.p_first  # of the answer shown second; switched, of output_1
            assert preference == 1 + (1 - p_second if switched[index] else p_second)
    assert len(rows) == 13_632
    assert ties == 17
