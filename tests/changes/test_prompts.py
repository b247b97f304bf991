"""Prompts as files: a change is a diff that somebody reads. Official ones are hashes only.

Write them anew with ``JUDGEBENCH_REWRITE_GOLDEN=1 pytest tests/changes/test_prompts.py``.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from judgebench.benchmarks.data import import_data
from judgebench.benchmarks.folder import load_benchmark
from judgebench.judges.kinds import KINDS
from judgebench.keys import text_sha
from judgebench.protocols import JudgeSettings
from judgebench.records import Case, Item, Message, Response
from judgebench.template import PromptText
from tests.table import over_rows

HERE = Path(__file__).parent / "prompts"
GOLD = Path(__file__).resolve().parents[3] / "shared" / "gold" / "trivia_judging"
ALPACA_EVAL = GOLD.parent / "alpaca_eval" / "official_prompts.json"


def same(name: str, text: str) -> None:
    file = HERE / name
    if os.environ.get("JUDGEBENCH_REWRITE_GOLDEN"):
        file.write_text(text + "\n", encoding="utf-8")
    assert file.read_text(encoding="utf-8") == text + "\n", f"{file} is another text"


def chat(messages: Sequence[Message]) -> str:
    """Messages as one text; of each, where its constant part ends."""
    return "\n".join(
        f"[{m.role}]\n{m.content[: m.constant]}⟂{m.content[m.constant :]}" for m in messages
    )


def case(*others: str) -> Case:
    item = Item(
        benchmark="b",
        version="1",
        id="0",
        turns=(Message(role="user", content="Which river flows through {Vienna}?"),),
        references=("Danube", "Donau", "Danube"),
    )
    answer = 'The Danube.\n<<000000>>\n"Is the answer correct?" {reply_form} correct'
    responses = tuple(
        Response(benchmark="b", version="1", item_id="0", model_key=b"m", text=text, raw=text)
        for text in (answer, *others)
    )
    return Case(item=item, responses=responses)


@over_rows("prompt", ["short", "long"])
@over_rows("form", ["word", "json"])
def test_the_reference_judges_questions(prompt: str, form: str) -> None:
    judge = KINDS["reference"].make(
        JudgeSettings(model="m", provider="p", options={"prompt": prompt, "format": form})
    )
    (message,) = next(judge.judge(case())).messages
    same(f"reference_{prompt}_{form}.txt", message.content)


PAIRWISE: dict[str, dict[str, Any]] = {
    "word": {},
    "word_no_ties": {"ties": "forbid"},
    "explained": {"explain": True},
    "json": {"format": "json"},
    "json_explained": {"format": "json", "explain": True},
    "soft": {"verdict": "logprobs"},
}


@over_rows("name", PAIRWISE)
def test_the_pairwise_judges_questions(name: str) -> None:
    judge = KINDS["pairwise"].make(JudgeSettings(model="m", provider="p", options=PAIRWISE[name]))
    request = next(judge.judge(case("It is the Rhine, I think.")))
    same(f"pairwise_{name}.txt", chat(request.messages))


DIMENSIONS = {"rubric": "Polite, and right about {rivers}.", "dimensions": ["accuracy", "tone"]}
RUBRIC: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "json": ({}, {}),
    "json_dimensions": ({}, DIMENSIONS),
    "word": ({"format": "word", "explain": False}, {"scale": (1, 5)}),
    "word_dimensions": ({"format": "word", "explain": False}, DIMENSIONS),
    "explained": ({"format": "word"}, {}),
    "explained_dimensions": ({"format": "word", "overall": "mean"}, DIMENSIONS),
    "decimals": ({"decimals": True}, {"scale": (0, 1)}),
    "soft": ({"verdict": "likelihood"}, {}),
}


@over_rows("name", RUBRIC)
def test_the_rubric_judges_questions(name: str) -> None:
    options, content = RUBRIC[name]
    judge = KINDS["rubric"].make(
        JudgeSettings(model="m", provider="p", options=options, content=content)
    )
    same(f"rubric_{name}.txt", chat(next(judge.judge(case())).messages))


@over_rows("prompt", ["chat", "base"])
@over_rows("shots", [0, 2])
def test_what_models_are_asked(prompt: str, shots: int) -> None:
    options = {"prompt": prompt, "num_fewshot": shots}
    text = load_benchmark("trivia_judging_mini", options=options).data.items[0].prompt
    assert text is not None
    same(f"trivia_judging_mini_{prompt}_{shots}.txt", text)


@pytest.mark.skipif(
    not (GOLD / "official_prompts.json").exists(),
    reason="the gold data (../shared/gold/trivia_judging beside the repository) is not here",
)
def test_official_questions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path))
    import_data("trivia_judging", GOLD)
    prompts = load_benchmark("trivia_judging").prompts
    found = {}
    for name in sorted(prompts):
        options = {"prompt": f"official/{name}"}
        judge = KINDS["reference"].make(
            JudgeSettings(model="m", provider="p", options=options, prompts=prompts)
        )
        assert judge.spec.official_prompt is True
        (message,) = next(judge.judge(case())).messages
        found[name] = {"prompt": judge.spec.prompt_sha, "filled": text_sha(message.content)}
    same("official_trivia_judging.json", json.dumps(found, indent=1))


@pytest.mark.skipif(
    not ALPACA_EVAL.exists(),
    reason="the gold data (../shared/gold/alpaca_eval beside the repository) is not here",
)
def test_official_pairwise_questions() -> None:
    """Prompts that show two answers and are written as a chat; hashes only."""
    texts = json.loads(ALPACA_EVAL.read_text(encoding="utf-8"))["prompts"]
    found = {}
    for path, text in sorted(texts.items()):
        name = path.rsplit("/", 1)[-1].removesuffix(".txt")
        prompts = {name: PromptText(name=name, text=text, official=True)}
        options = {"prompt": f"official/{name}", "identifiers": ["m", "M"], "ties": "forbid"}
        judge = KINDS["pairwise"].make(
            JudgeSettings(model="m", provider="p", options=options, prompts=prompts)
        )
        messages = next(judge.judge(case("It is the Rhine, I think."))).messages
        assert [message.role for message in messages] == ["system", "user"]
        filled = text_sha(chat(messages))
        found[path] = {"prompt": judge.spec.prompt_sha, "filled": filled}
        assert judge.spec.prompt_sha == text_sha(text)
    same("official_alpaca_eval.json", json.dumps(found, indent=1))


def test_both_trivia_folders_ask_alike() -> None:
    tasks = Path(__file__).parents[2] / "tasks"
    for name in ("prompts/chat.txt", "prompts/chat_zero_shot.txt", "utils.py"):
        texts = {(tasks / f / name).read_text() for f in ("trivia_judging", "trivia_judging_mini")}
        assert len(texts) == 1, name
