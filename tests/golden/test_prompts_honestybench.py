"""The prompts of our own for HonestyBench's form, as files.

Write them anew with ``JUDGEBENCH_REWRITE_GOLDEN=1``, as those of `tests.golden.test_prompts`.
"""

from judgebench.benchmarks.folder import load_benchmark
from judgebench.judges import equivalence
from tests.golden.test_prompts import case, chat, same


def test_the_judge_of_equivalences_question() -> None:
    judge = equivalence.make(model="m", provider="p")
    same("equivalence.txt", chat(next(judge.judge(case())).messages))


def test_what_models_are_asked() -> None:
    same("honestybench_mini_chat.txt", str(load_benchmark("honestybench_mini").items(1)[0].prompt))
