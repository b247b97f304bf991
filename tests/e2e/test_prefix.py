"""Base models below a prefix: URIAL's form, what is refused, and what a model's key is made of."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from judgebench import api, keys
from judgebench.benchmarks.data import keep_prompts
from judgebench.benchmarks.description import find
from judgebench.config import ModelConfig, Prompting, check, load_suite
from judgebench.errors import ConfigError
from judgebench.execution.resolve import SAMPLINGS, resolve, with_prefix
from judgebench.judges.readers.upstream import ASPECTS, SAFETY
from judgebench.protocols import NoProgress
from judgebench.responses.local import LocalModel, decoding_of, prompting_of
from judgebench.store.opening import open_store
from judgebench.workers import generate
from judgebench.workers.backends import Backend, Decoding, Generated
from judgebench.workers.final_answer import read_answer
from judgebench.workers.prompts import below_prefix, without_fences
from tests.e2e.lm_eval_tasks import SmallTask
from tests.table import over_rows
from tests.tiny_models import save_causal

GOLD = Path(__file__).resolve().parents[3] / "shared" / "gold" / "just_eval"
NEEDS_TORCH = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="needs judgebench-harness[hf]"
)
SUITE = Path(__file__).resolve().parents[2] / "suites" / "just_eval.yaml"
PREFIX = "# Instruction\n\nBe brief.\n"
BASE = LocalModel(model_args={"pretrained": "org/model"})


def told(tmp_path: Path, text: str = PREFIX, **more: str) -> Prompting:
    (tmp_path / "prefix.txt").write_text(text, encoding="utf-8")
    return Prompting(prefix=str(tmp_path / "prefix.txt"), **more)  # type: ignore[arg-type]


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def test_a_conversation_stands_below_the_prefix_as_upstream_writes_it() -> None:
    """``SeparatorStyle.URIAL``: a newline, the role, a fence, the message, a fence, a newline."""
    messages = [user("Why?\n```x```"), {"role": "assistant", "content": "So."}, user("And?")]
    assert below_prefix("P\n", messages) == (
        "P\n\n# Query:\n```\nWhy?\n```x```\n```\n"
        "\n# Answer:\n```\nSo.\n```\n"
        "\n# Query:\n```\nAnd?\n```\n"
        "\n# Answer:\n```\n"
    )


@over_rows(
    ("raw", "text", "status"),
    [
        ("Hello! It is 4.\n```\n\n# Query:\n```\nMore", "Hello! It is 4.", "ok"),
        ("Code:\n```python\nx = 1\n```\nDone.<|endoftext|>", "Code:\npython\nx = 1\n\nDone.", "ok"),
        ("```\n# User: hm", "", "empty"),
    ],
)
def test_an_answer_is_cut_and_cleaned_as_upstreams(raw: str, text: str, status: str) -> None:
    generated = Generated(raw=raw, finish_reason="stop")
    found = read_answer(generated, prompt="", stops=("# Query", "# User"), fenced=True)
    assert (found.text, found.status) == (text, status)


def test_the_prefix_is_part_of_what_the_model_is_and_of_no_other(tmp_path: Path) -> None:
    task = SmallTask(include_path=tmp_path)
    plain = BASE.model_copy(update={"apply_chat_template": False})
    first = with_prefix(BASE, told(tmp_path))
    assert prompting_of(first, task)["until"][-2:] == ["# Query", "# User"]
    assert "prefix" not in prompting_of(plain, task)
    found = [prompting_of(plain, task), prompting_of(first, task)]
    # The last line break is part of the text: a prefix is known by its hash.
    found.append(prompting_of(with_prefix(BASE, told(tmp_path, PREFIX + "\n")), task))
    assert len({keys.content_key("prompting", one) for one in found}) == 3


def test_a_file_of_a_prefix_is_read_once_to_its_last_line_break(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, read = told(tmp_path, "\ufeff a\n\n"), []
    read_text = Path.read_text
    monkeypatch.setattr(
        Path, "read_text", lambda path, **how: (read.append(path.name), read_text(path, **how))[1]
    )
    assert with_prefix(BASE, asked).prefix == " a\n\n"
    assert read == ["prefix.txt"]


@over_rows(
    ("sampling", "penalty", "temperature"),
    [("just_eval", 1.1, 0.0), ("mt_bench", 1.15, 0.0), ("mt_bench_drawn", None, 0.5)],
)
def test_samplings_are_those_of_upstream(
    tmp_path: Path, sampling: str, penalty: float | None, temperature: float
) -> None:
    task = SmallTask(include_path=tmp_path)
    found = decoding_of(with_prefix(BASE, told(tmp_path, sampling=sampling)), task, seed=1)
    assert (found.get("repetition_penalty"), found["temperature"]) == (penalty, temperature)
    own = BASE.model_copy(update={"gen_kwargs": {"repetition_penalty": 1.3}})
    said = with_prefix(own, told(tmp_path, sampling=sampling)).gen_kwargs
    assert said == {**SAMPLINGS[sampling], "repetition_penalty": 1.3}


def test_official_prefixes_come_with_the_data_by_their_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "home"))
    with pytest.raises(ConfigError, match="judgebench data pull just_eval"):
        with_prefix(BASE, Prompting(prefix="urial/inst_1k_v4.help"))
    with pytest.raises(ConfigError, match="did you mean 'urial/inst_1k_v4'"):
        with_prefix(BASE, Prompting(prefix="urial/inst_1k_v5"))
    if not GOLD.exists():
        pytest.skip("the gold data (../shared/gold/just_eval) is not here")
    official = json.loads((GOLD / "official_prompts.json").read_text(encoding="utf-8"))
    for name, text in official["urial"]["prefixes"].items():
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    keep_prompts(find("just_eval")[0], sorted(tmp_path.glob("*.txt")))
    for name, text in official["urial"]["prefixes"].items():
        assert with_prefix(BASE, Prompting(prefix=f"urial/{name}")).prefix == text


@over_rows(
    ("model", "fault"),
    [
        ({"api": {"provider": "openai", "model": "gpt"}}, "local-completions"),
        ({"responses": "a.jsonl"}, "below 'lm_eval'"),
        (
            {"lm_eval": {"model": "local-chat-completions", "model_args": {"model": "m"}}},
            "chat completions put a template around",
        ),
        (
            {"lm_eval": {"model_args": {"pretrained": "m"}, "apply_chat_template": True}},
            "apply_chat_template: of models that chat",
        ),
    ],
)
def test_what_no_prefix_goes_with_is_refused(model: dict[str, object], fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        check(ModelConfig, {"name": "m", "prompting": {"prefix": "urial/inst_1k"}, **model}, "s")


def test_a_suite_names_a_prefix_beside_it_and_no_model_below_one_judges(tmp_path: Path) -> None:
    (tmp_path / "prefix.txt").write_text(PREFIX, encoding="utf-8")
    save = {"model": "hf", "model_args": {"pretrained": "org/model"}}
    suite = {
        "name": "s",
        "models": [{"name": "base", "lm_eval": save, "prompting": {"prefix": "prefix.txt"}}],
        "judges": [{"name": "self", "kind": "stated_confidence", "provider": "candidate"}],
        "benchmarks": [{"name": "just_eval_mini", "judges": ["self"]}],
    }
    (tmp_path / "suite.yaml").write_text(json.dumps(suite), encoding="utf-8")
    read = load_suite(tmp_path / "suite.yaml")
    assert read.models[0].prompting == Prompting(prefix=str(tmp_path / "prefix.txt"))
    with pytest.raises(ConfigError, match="base is asked below a prefix"):
        resolve(read)


@NEEDS_TORCH
@pytest.mark.usefixtures("forked")
def test_the_suite_of_the_small_one_runs_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "home"))
    tiny = save_causal(tmp_path / "tiny", max_position_embeddings=1024)
    monkeypatch.setenv("DEMO_MODEL", str(tiny))
    store, models = f"sqlite:///{tmp_path}/s.db", ["smollm2-135m+prefix", "model-plain"]
    outcome = api.run(SUITE, store=store, progress=NoProgress(), models=models)
    assert (outcome.failed, outcome.unreadable, outcome.not_generated) == (0, 0, 0)
    assert (outcome.generated, outcome.judged) == (12, 24)
    prefix = (SUITE.parent / "just_eval" / "prefix.txt").read_text(encoding="utf-8")
    (candidate,) = (one for one in resolve(load_suite(SUITE)).candidates if one.name == models[0])
    with open_store(store) as opened:
        found = opened.responses([*candidate.wanted])
    assert len(found) == 12
    for key, (given,) in found.items():
        ((item, *_), _) = candidate.wanted[key]
        assert given.prompt == below_prefix(prefix, [user(item.question)])
        assert given.text == without_fences(given.text)
    (board,) = api.leaderboard("just_eval_mini", store=store).boards
    for row in board.rows:
        its, aspects = row.metrics, (*ASPECTS, *SAFETY)
        mean = sum(its[f"score/{one}"].value for one in aspects) / 6
        assert its["score"].value == pytest.approx(mean, abs=1e-12)
        assert its["score/lowest"].value <= its["score"].value <= its["score/official"].value
        assert its["avg_words"].n == 8
    assert sum(row.counts["not_applicable"] for row in board.rows) > 0
    assert any("mended to be read" in note for note in board.notes)
    compared = api.compare(*models, metrics=("score", "score/helpfulness"), store=store)
    assert [tuple(one.coverage) for one in compared.tests] == [(1.0, 1.0), (1.0, 1.0)]


class Lm:
    """A tokenizer of one token a character, for a model that takes 200."""

    tokenizer, max_length = object(), 200

    def tok_encode(self, text: str) -> str:
        return text


class Fake(Backend):
    """Answers with so many characters of its prompt; it never refuses by itself."""

    def __init__(self) -> None:
        self.lm, self.batch, self.think_end, self.seen = Lm(), 2, None, list[str]()

    def generate(self, prompts: Sequence[str], decoding: Decoding) -> list[Generated]:
        self.seen += prompts
        return [Generated(raw="It is.\n```\n\n# Query:", finish_reason="stop") for _ in prompts]


def job(prefix: str, **turns: list[list[dict[str, str]]]) -> dict[str, Any]:
    task = {
        "task": "t", "ids": [*turns], "turns": turns, "until": ["# Query"], "max_gen_toks": 8,
        "sampling": {"do_sample": False}, "apply_chat_template": False, "prefix": prefix,
        "system_instruction": None,
    }  # fmt: skip
    return {"seed": 1, "tasks": [task]}


def test_turns_stand_below_the_prefix_and_what_does_not_fit_is_refused() -> None:
    backend = Fake()
    no_room = "x" * (Lm.max_length - 7 - len(below_prefix(PREFIX, [user("")])))
    turns = {"a": [[user("One?")], [user("Two?")]], "b": [[user(no_room)]]}
    worker = generate.load(job(PREFIX, **turns), lambda _: backend)
    questions = [{"id": ["t", name, 0]} for name in turns]
    failed, *given = worker.answers(questions)
    assert [row["text"] for event in given for row in event["answers"]] == ["It is.", "It is."]
    said = [user("One?"), {"role": "assistant", "content": "It is."}, user("Two?")]
    assert backend.seen == [below_prefix(PREFIX, said[:1]), below_prefix(PREFIX, said)]
    assert failed["ids"] == [["t", "b", 0]]
    assert "take a shorter prefix" in failed["message"]
    with pytest.raises(ConfigError, match="the prefix alone leaves no room: the prompt has 4"):
        generate.load(job("word " * 80, **turns), lambda _: backend)
    assert len(backend.seen) == 2
