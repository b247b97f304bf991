"""The prompts of our own for HonestyBench's form, as files.

Write them anew with ``JUDGEBENCH_REWRITE_GOLDEN=1``, as those of `tests.changes.test_prompts`.
"""

from judgebench.benchmarks.folder import load_benchmark
from judgebench.judges.kinds import KINDS
from judgebench.protocols import JudgeSettings
from tests.changes.test_prompts import case, chat, same

EXAMPLES = [
    {"question": "Which sea is the {saltiest}?", "confidence": 0.35},
    {"question": "Which river flows through {Vienna}?", "confidence": 0.9},
]


def test_the_judge_of_equivalences_question() -> None:
    judge = KINDS["equivalence"].make(JudgeSettings(model="m", provider="p"))
    same("equivalence.txt", chat(next(judge.judge(case())).messages))


def test_the_judge_of_consistencys_question() -> None:
    judge = KINDS["consistency"].make(JudgeSettings(model="m", provider="p"))
    shown = case("It is the Rhine,\nI think. {first}")
    same("consistency.txt", chat(next(judge.judge(shown)).messages))


def test_the_questions_about_a_models_confidence() -> None:
    """The second example is the question itself, and left out."""
    for name, options in (("", {}), ("_examples", {"examples": EXAMPLES})):
        judge = KINDS["stated_confidence"].make(
            JudgeSettings(model="m", provider="p", options=options)
        )
        same(f"stated_confidence{name}.txt", chat(next(judge.judge(case())).messages))


def test_what_models_are_asked() -> None:
    same(
        "honestybench_mini_chat.txt", str(load_benchmark("honestybench_mini").data.items[0].prompt)
    )
