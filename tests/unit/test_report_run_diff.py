"""What changed between two runs, who moved, and that things are known by what they are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from judgebench.errors import UsageError
from judgebench.metrics.intervals import Intervals
from judgebench.records import JudgeSpec, RunManifest, Runtime
from judgebench.reports.render import render
from judgebench.reports.run_diff import Flips, ModelChange, RunDiff, changes, run_diff
from judgebench.reports.runs import run_ref
from judgebench.store.store import Store
from tests.unit.two_runs import JUDGE, Judged, put_run

QUICK = Intervals(n_replicates=200)
OTHER_PROMPT = replace(JUDGE, prompt_sha="cd" * 32, official_prompt=False)


def diff(store: Store, first: RunManifest, second: RunManifest) -> RunDiff:
    return run_diff(store, first, second, intervals=QUICK)


def flips(same: int = 0, changed: int = 0, unknown: int = 0, verdicts: int = 6) -> Flips:
    return Flips(
        verdicts=verdicts,
        on_same_answer=same,
        on_other_answer=changed,
        on_unknown_answer=unknown,
    )


def only(found: RunDiff) -> ModelChange:
    (moved,) = found.moved
    return moved


def test_the_same_again_says_that_nothing_changed(store: Store) -> None:
    runs = [put_run(store, name, Judged(said="++-+?-")) for name in ("a", "b")]
    found = diff(store, *runs)
    assert found.changed == ()
    assert not only(found).anything
    said = render(found.document(), "md")
    assert "nothing changed: configuration, versions" in said
    assert "nothing moved: 6 verdicts" in said
    assert "one and the same run" in render(diff(store, runs[0], runs[0]).document(), "md")


def test_a_new_checkpoint_under_an_old_name_is_a_changed_model(store: Store) -> None:
    first = put_run(store, "a", Judged(said="++-+--"))
    texts = ["answer 0", "new 1", "answer 2", "new 3", "new 4", "answer 5"]
    second = put_run(store, "b", Judged(said="+--+-+", weights="sha256:2", texts=texts))
    found = diff(store, first, second)
    assert [tuple(change) for change in found.changed] == [
        ("model policy", "weights", "sha256:1", "sha256:2")
    ]
    moved = only(found)
    assert not moved.model.same
    assert moved.judge.same
    assert moved.answers == (6, 3)
    assert moved.flips == flips(changed=1, same=1)  # item 1 anew; item 5 on the same answer
    assert "policy\\*" in render(found.document(), "md")


def test_another_prompt_under_an_old_name_is_a_changed_judge(store: Store) -> None:
    first = put_run(store, "a", Judged(said="++-+--", served="g-1"))
    second = put_run(store, "b", Judged(said="+++--?", spec=OTHER_PROMPT, served="g-2"))
    found = diff(store, first, second)
    assert [change[1:] for change in found.changed] == [
        ("prompt_sha", "ab" * 32, "cd" * 32),
        ("prompt", "official", "own"),
        ("served by", "g-1", "g-2"),
    ]
    assert {change.part for change in found.changed} == {"judge judge"}
    moved = only(found)
    assert moved.flips == replace(flips(same=2), unreadable_b=1)
    assert moved.difference.value == 0.0  # 3 of the 5 that both could read, twice
    assert moved.difference.missing == 1


def test_a_judge_that_answers_otherwise_under_one_identity_has_moved(store: Store) -> None:
    first = put_run(store, "a", Judged(said="++-+--", served="g-1"))
    second = put_run(store, "b", Judged(said="+--++-", served="g-2", anew="tonight"))
    found = diff(store, first, second)
    assert [tuple(change) for change in found.changed] == [
        ("judge judge", "served by", "g-1", "g-2")
    ]
    assert only(found).flips == flips(same=2)


def test_each_run_has_its_own_verdicts_whatever_came_later(store: Store) -> None:
    runs = [
        put_run(store, name, Judged(said=said, anew=name))
        for name, said in (("a", "++++++"), ("b", "+++---"), ("c", "------"))
    ]
    assert only(diff(store, runs[0], runs[1])).difference.value == -0.5
    assert only(diff(store, runs[0], runs[2])).difference.value == -1.0


def test_another_name_changes_nothing(store: Store) -> None:
    first = put_run(store, "a", Judged(said="+-"), configuration={"models": [{"name": "policy"}]})
    second = put_run(
        store, "b", Judged(said="+-", model="renamed"),
        configuration={"models": [{"name": "renamed"}]},
    )  # fmt: skip
    found = diff(store, first, second)
    assert {change.part for change in found.changed} == {"suite"}
    assert only(found).model.same
    assert only(found).model.label == "renamed"


def test_who_is_in_one_run_alone_is_named(store: Store) -> None:
    first = put_run(store, "a", Judged(said="+-"), Judged(said="++", model="old", weights="w:o"))
    lexical = JudgeSpec(kind="contains")
    second = put_run(
        store, "b", Judged(said="--+", anew="b"), Judged(said="+++", judge="lexical", spec=lexical)
    )
    found = diff(store, first, second)
    assert [tuple(change) for change in found.changed] == [
        ("made_up@1", "items judged", "2", "3"),
        ("model", "old", "there", "not there"),
        ("judge", "lexical", "not there", "there"),
    ]
    assert only(found).items == (2, 0, 1)
    said = render(found.document(), "table")
    assert "2 items are in both runs, 0 in A alone and 1 in B alone" in said


def test_flips_on_answers_that_nobody_has_are_counted_apart(store: Store) -> None:
    told = JudgeSpec(kind="imported", model="g")
    first = put_run(store, "a", Judged(said="++-+--", texts=None, spec=told))
    second = put_run(store, "b", Judged(said="+-----", texts=None, spec=told, anew="b"))
    moved = only(diff(store, first, second))
    assert moved.answers.compared == 0
    assert moved.flips == flips(unknown=2)
    assert "flips same/other/unknown" in render(diff(store, first, second).document(), "table")


def test_what_a_judge_of_ours_saw_tells_answers_apart_without_their_texts(store: Store) -> None:
    """As where one answer stands in two benchmarks, and the store has it at one place."""
    first = put_run(store, "a", Judged(said="++-+--", texts=None))
    second = put_run(store, "b", Judged(said="+-----", texts=None, anew="b"))
    moved = only(diff(store, first, second))
    assert moved.answers == (6, 0)
    assert moved.flips == flips(same=2)


def test_comparisons_flip_with_the_winner_and_with_the_opponents_answer(store: Store) -> None:
    base = Judged(said="", model="base", weights="w:b")
    first = put_run(store, "a", Judged(said="112=", opponent=base))
    other = replace(base, weights="w:c", texts=["answer 0", "new", "answer 2", "answer 3"])
    second = put_run(store, "b", Judged(said="1221", opponent=other))
    found = diff(store, first, second)
    moved = only(found)
    assert moved.metric == "win_rate"
    assert (moved.a.value, moved.b.value) == (62.5, 50.0)
    assert moved.flips == flips(verdicts=4, changed=1, same=1)
    assert moved.answers.differ == 0  # of the model; the opponent's are not its own
    assert moved.opponent is not None
    assert not moved.opponent.same
    assert "base\\*" in render(found.document(), "md")


def test_scores_flip_with_any_other_number_and_have_one_scale(store: Store) -> None:
    rubric = replace(JUDGE, kind="rubric")
    runs = [
        put_run(store, name, Judged(said=said, spec=rubric, anew=name))
        for name, said in (("a", "aabb"), ("b", "abbb"), ("c", "AAAA"))
    ]
    moved = only(diff(store, runs[0], runs[1]))
    assert (moved.metric, moved.difference.value) == ("score", -0.75)
    assert moved.flips == flips(verdicts=4, same=1)
    other_scale = only(diff(store, runs[0], runs[2])).difference
    assert other_scale.undefined is not None
    assert "on several scales (1 to 5, 1 to 10)" in other_scale.undefined


def test_how_sure_models_are_is_left_out_and_said_to_be(store: Store) -> None:
    sure = replace(JUDGE, kind="stated_confidence")
    runs = [
        put_run(store, name, Judged(said="aabb", judge="sure", spec=sure, anew=name))
        for name in ("a", "b")
    ]
    found = diff(store, *runs)
    assert (found.moved, found.left_out) == ((), 8)
    assert "8 verdicts on how sure models are" in render(found.document(), "table")


def test_answers_of_several_stacks_are_told_apart_by_what_the_judge_saw(store: Store) -> None:
    """A run on the first stack again finds its answers there; the store has newer ones."""
    one, two = Runtime(backend="hf", dtype="float32"), Runtime(backend="vllm", dtype="bfloat16")
    on_one = Judged(said="++--", stack=one)
    on_two = Judged(said="+---", stack=two, texts=["answer 0", "new", "answer 2", "answer 3"])
    runs = [
        put_run(store, name, judged)
        for name, judged in (("a", on_one), ("b", on_two), ("c", on_one))
    ]
    there = diff(store, runs[0], runs[1])
    assert only(there).flips == flips(verdicts=4, changed=1)
    assert only(there).answers.differ == 1
    assert [change[1:] for change in there.changed] == [
        ("stack.backend", "hf", "vllm"),
        ("stack.dtype", "float32", "bfloat16"),
    ]
    again = only(diff(store, runs[0], runs[2]))
    assert not again.anything
    back = only(diff(store, runs[1], runs[2]))
    assert back.flips == flips(verdicts=4, changed=1)


def test_fields_of_the_configuration_are_compared_without_keys() -> None:
    first = {
        "seed": 1,
        "judges": [{"name": "j", "options": {"prompt": "a"}}, {"name": "k"}],
        "orders": ["x", "y"],
        "options": {},
        "panels": [],
        "key": "sk-abcdefghijklmnop",
    }
    second = {
        "seed": 1,
        "judges": [{"name": "k"}, {"name": "j", "options": {"prompt": "b"}}, {"name": "l"}],
        "orders": ["x"],
        "key": "sk-qrstuvwxyzabcdef0",
    }
    assert [tuple(change) for change in changes("suite", first, second)] == [
        ("suite", "judges[j].options.prompt", "a", "b"),
        ("suite", "orders", '["x", "y"]', '["x"]'),
        ("suite", "key", "***", "*** (another one)"),
        ("suite", "judges[l]", None, "there"),
    ]


def test_runs_are_called_by_their_beginning_or_by_how_long_ago_they_were(store: Store) -> None:
    for name in ("2025-a", "2025-b"):
        put_run(store, name)
    put_run(store, "2026-i", configuration={"import": "verdicts"})
    runs = store.runs()

    def called(wanted: str) -> str:
        return run_ref(runs, wanted, "here").id

    assert [called(name) for name in ("latest", "last", "latest~1", "2026", "2025-a")] == [
        "2025-b", "2025-b", "2025-a", "2026-i", "2025-a",
    ]  # fmt: skip
    assert run_ref(runs[2:], "latest", "here").id == "2026-i"
    for wanted, message in (
        ("latest~2", "no 'latest~2': the store has 2 runs"),
        ("2025", "begins several runs: 2025-a, 2025-b"),
        ("latets", "did you mean 'latest'"),
    ):
        with pytest.raises(UsageError, match=message):
            called(wanted)
    with pytest.raises(UsageError, match="here holds no run yet"):
        run_ref([], "latest", "here")


def test_an_unfinished_run_is_said_to_be_one(store: Store) -> None:
    first = put_run(store, "a", Judged(said="+-"))
    second = put_run(store, "b", Judged(said="+."), state="interrupted", counts={"failed": 1})
    said = render(diff(store, first, second).document(), "md")
    assert "B: 1 failed, the run is interrupted; what is missing has not moved" in said


@pytest.mark.parametrize("form", ["table", "md", "csv", "json", "html", "latex"])
def test_every_form_has_both_parts(store: Store, form: str) -> None:
    first = put_run(store, "a", Judged(said="++-+--"), versions={"torch": "2.1"})
    second = put_run(store, "b", Judged(said="-+++--", anew="b"), versions={"torch": "2.2"})
    said = render(diff(store, first, second).document(), form)
    assert "torch" in said
    assert "accuracy" in said
