"""The token ids that a local model is given, against what each benchmark's own code gives it.

What is expected is computed with transformers alone: the chat template rendered to text, that text
tokenized with its special tokens (upstream) or with BOS once (clean), cut where upstream cuts. What
is found is what the worker hands to the model's ``generate``.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from judgebench.benchmarks.data import import_data
from judgebench.config import load_suite
from judgebench.errors import ConfigError
from judgebench.execution.resolve import Candidate, resolve
from judgebench.keys import text_sha
from judgebench.records import Item
from judgebench.responses.local import AnswerFailure, LmEvalWorker, LocalModel, Task
from judgebench.store.opening import open_store
from tests import alignbench_gold, honestybench_gold
from tests.converted import demo_model
from tests.e2e import alpaca_gold, mixeval_gold
from tests.e2e.lm_eval_tasks import work, write_task
from tests.e2e.runs import ROOT, store_url, typed
from tests.tiny_models import WRITES_BOS, save_causal
from tests.warm import Warm

pytestmark = [
    pytest.mark.usefixtures("forked"),
    pytest.mark.skipif(
        importlib.util.find_spec("torch") is None, reason="needs judgebench-harness[hf]"
    ),
]

TRIVIA_GOLD = ROOT.parent / "shared" / "gold" / "trivia_judging"
MINIS = (
    "mixeval_mini",
    "alignbench_mini",
    "honestybench_mini",
    "alpaca_eval_mini",
    "trivia_judging_mini",
)
BASE = ("mixeval_mini", "trivia_judging_mini")
POSITIONS = 16384


@pytest.fixture(autouse=True)
def nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="module")
def writes_bos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model whose template writes BOS and whose tokenizer adds it too, as Llama 3 does."""
    folder = tmp_path_factory.mktemp("models") / "writes-bos"
    return save_causal(folder, template=WRITES_BOS, bos=True, max_position_embeddings=POSITIONS)


@pytest.fixture(scope="module")
def adds_bos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One whose tokenizer adds BOS and whose template does not write it."""
    folder = tmp_path_factory.mktemp("models") / "adds-bos"
    return save_causal(folder, bos=True, max_position_embeddings=POSITIONS)


@pytest.fixture(scope="module")
def demo(warm: Warm) -> Path:
    """The small model of the demo, which has no BOS before its prompts."""
    return demo_model(warm)


# what is found -----------------------------------------------------------------------------------


@dataclass
class Given:
    """What a model was given: ids without padding by the text they came of, and with what."""

    tokens: dict[str, list[int]] = field(default_factory=dict)
    sampling: list[Mapping[str, Any]] = field(default_factory=list)


def candidate(
    folder: Path,
    model: Path,
    benchmark: str,
    *,
    limit: int,
    lm_eval: Mapping[str, Any],
    **options: Any,
) -> Candidate:
    suite = {
        "name": "tokens",
        "models": [
            {
                "name": "m",
                "lm_eval": {
                    "model_args": {"pretrained": str(model), "dtype": "float32"},
                    "batch_size": 3,
                    "device": "cpu",
                    **lm_eval,
                },
            }
        ],
        "judges": [{"name": "j", "provider": "scripted", "model": "judge"}],
        "benchmarks": [{"name": benchmark, "judges": ["j"], "limit": limit, "options": options}],
    }
    path = folder / "suite.yaml"
    path.write_text(yaml.safe_dump(suite))
    return resolve(load_suite(path)).candidates[0]


def given_to_the_model(asked: Candidate) -> Given:
    """Run the worker's job in this process; the model notes its input and says nothing."""
    import torch

    from judgebench.workers import backends, generate
    from judgebench.workers.backends.hf import HuggingFace

    assert asked.local is not None
    task = asked.asked.benchmark.lm_eval_task
    job_task = Task(task=task, items=asked.asked.items, model_key=asked.key, local=asked.local)
    job = LmEvalWorker(asked.local, [job_task], seed=1).job()
    ids = [(items[0].id, sample) for items, sample in asked.wanted.values()]
    inputs: list[tuple[list[int], list[int]]] = []
    found = Given()

    def loaded(job: dict[str, Any]) -> Any:
        backend: Any = backends.load(job)
        assert isinstance(backend, HuggingFace)

        def generate(context: Any, attention_mask: Any, **how: Any) -> Any:
            inputs.extend(zip(context.tolist(), attention_mask.tolist(), strict=True))
            found.sampling.append(how)
            end = torch.full((len(context), 1), backend.lm.eot_token_id)
            return torch.cat([context, end], dim=1)

        backend.lm._model_generate = generate
        return backend

    questions = [{"id": [task.name, *one]} for one in ids]
    model = generate.load(json.loads(json.dumps(job)), loaded)
    events = list(model.answers(questions))
    assert {event["event"] for event in events} == {"answered"}, events
    texts = [row["prompt"] for event in events for row in event["answers"]]
    assert len(texts) == len(inputs) == len(ids)
    for text, (row, mask) in zip(texts, inputs, strict=True):
        pads = mask.count(0)
        assert mask == [0] * pads + [1] * (len(row) - pads)  # padded on the left
        found.tokens[text] = row[pads:]
    return found


# what is expected --------------------------------------------------------------------------------


def tokenizer_of(model: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(model)


def rendered(tokenizer: Any, prompts: Sequence[str], *, template: bool) -> list[str]:
    if not template:
        return list(prompts)
    return [
        tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True
        )
        for prompt in prompts
    ]


def once(tokenizer: Any, text: str) -> list[int]:
    """Special tokens, unless the text begins with BOS."""
    begins = tokenizer.bos_token is not None and text.startswith(tokenizer.bos_token)
    ids: list[int] = tokenizer(text, add_special_tokens=not begins)["input_ids"]
    return ids


def always(tokenizer: Any, text: str) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=True)["input_ids"]
    return ids


def mixeval(room: int) -> Callable[[Any, str], list[int]]:
    """Upstream's call: special tokens on, cut on the right."""

    def tokens(tokenizer: Any, text: str) -> list[int]:
        tokenizer.truncation_side = "right"
        ids: list[int] = tokenizer(text, max_length=room, truncation=True)["input_ids"]
        return ids

    return tokens


UPSTREAM: dict[str, Callable[[Any, str], list[int]]] = {
    "mixeval_mini": mixeval(12000 - 512),
    "mixeval_hard": mixeval(12000 - 512),
    "alignbench_mini": once,
    "alignbench": once,
    "honestybench_mini": once,
    "honestybench": once,
    "alpaca_eval_mini": once,
    "alpaca_eval": once,
    "trivia_judging_mini": once,
    "trivia_judging": once,
}
"""How each benchmark's code makes tokens of a text that has been through the chat template."""


def check(
    folder: Path,
    model: Path,
    benchmark: str,
    prompts: Callable[[Item], str] | None = None,
    *,
    preset: str,
    tokens: Callable[[Any, str], list[int]],
    template: bool = True,
    limit: int = 12,
) -> Given:
    """That the worker gives the model exactly what is expected; what it gave."""
    lm_eval = {} if preset != "clean" or template else {"apply_chat_template": False}
    asked = candidate(folder, model, benchmark, limit=limit, lm_eval=lm_eval, preset=preset)
    tokenizer = tokenizer_of(model)
    texts = rendered(
        tokenizer,
        [(prompts or asked_as_planned)(item) for item in asked.asked.items],
        template=template,
    )
    found = given_to_the_model(asked)
    assert found.tokens == {text: tokens(tokenizer, text) for text in texts}
    return found


def asked_as_planned(item: Item) -> str:
    return item.question if item.prompt is None else item.prompt


# every benchmark ---------------------------------------------------------------------------------


@pytest.mark.parametrize("benchmark", MINIS)
def test_a_template_that_writes_bos(benchmark: str, tmp_path: Path, writes_bos: Path) -> None:
    clean = check(tmp_path, writes_bos, benchmark, preset="clean", tokens=once)
    upstream = check(tmp_path, writes_bos, benchmark, preset="upstream", tokens=UPSTREAM[benchmark])
    bos = tokenizer_of(writes_bos).bos_token_id
    times = {row[:3].count(bos) for row in upstream.tokens.values()}
    assert {row[:3].count(bos) for row in clean.tokens.values()} == {1}
    assert times == ({2} if benchmark == "mixeval_mini" else {1})  # the quirk is MixEval's


@pytest.mark.parametrize("benchmark", MINIS)
def test_a_template_that_leaves_bos_to_the_tokenizer(
    benchmark: str, tmp_path: Path, adds_bos: Path
) -> None:
    clean = check(tmp_path, adds_bos, benchmark, preset="clean", tokens=once)
    upstream = check(tmp_path, adds_bos, benchmark, preset="upstream", tokens=UPSTREAM[benchmark])
    assert clean.tokens == upstream.tokens


@pytest.mark.parametrize("benchmark", BASE)
def test_base_models_are_given_examples_and_one_bos(
    benchmark: str, tmp_path: Path, writes_bos: Path
) -> None:
    tokens = mixeval(12000 - 399) if benchmark == "mixeval_mini" else always
    how: dict[str, Any] = {"preset": "upstream_base", "template": False, "tokens": tokens}
    found = check(tmp_path, writes_bos, benchmark, **how)
    bos = tokenizer_of(writes_bos).bos_token_id
    assert {row.count(bos) for row in found.tokens.values()} == {1}


@pytest.mark.slow
@pytest.mark.parametrize("benchmark", ["mixeval_mini", "honestybench_mini"])
def test_the_demos_model(benchmark: str, tmp_path: Path, demo: Path) -> None:
    clean = check(tmp_path, demo, benchmark, preset="clean", tokens=once, limit=6)
    upstream = check(
        tmp_path, demo, benchmark, preset="upstream", tokens=UPSTREAM[benchmark], limit=6
    )
    assert clean.tokens == upstream.tokens  # its tokenizer adds nothing, so nothing comes twice


def test_mixeval_cuts_what_a_short_model_cannot_take_on_the_right(tmp_path: Path) -> None:
    short = save_causal(
        tmp_path / "short", template=WRITES_BOS, bos=True, max_position_embeddings=580
    )
    cut = mixeval(580 - 512)
    found = check(tmp_path, short, "mixeval_mini", preset="upstream", tokens=cut)
    assert {len(row) for row in found.tokens.values()} == {68}
    end = tokenizer_of(short)("[assistant]\n", add_special_tokens=False)["input_ids"]
    assert all(row[-len(end) :] != end for row in found.tokens.values())  # with it, the invitation


def test_what_the_model_is_told_beside_its_tokens(tmp_path: Path, writes_bos: Path) -> None:
    how = check(tmp_path, writes_bos, "honestybench_mini", preset="upstream", tokens=once).sampling
    told = {"do_sample": False, "top_p": 0.95, "top_k": 50}
    assert all(one[name] == value for one in how for name, value in told.items())
    # The penalty stands behind what notes the model's own probabilities.
    assert {one["logits_processor"][-1].penalty for one in how} == {1.05}
    own = check(
        tmp_path, writes_bos, "mixeval_mini", preset="upstream", tokens=UPSTREAM["mixeval_mini"]
    )
    assert {one["do_sample"] for one in own.sampling} == {False}  # what its generation_config says


# the gold's questions ----------------------------------------------------------------------------


def test_mixeval_hard_of_the_gold(tmp_path: Path, writes_bos: Path) -> None:
    if not (mixeval_gold.GOLD / "expected.json").exists():
        pytest.skip(mixeval_gold.ABSENT)
    import_data("mixeval_hard", mixeval_gold.GOLD)
    rows = {mixeval_gold.item_id(row): row for row in mixeval_gold.rows()}
    file = "mix_eval/prompts/evaluation_prompts.py#FIVE_SHOT_PREFIX_"
    texts = json.loads((mixeval_gold.GOLD / "official_prompts.json").read_text())["prompts"]

    def upstreams(item: Item) -> str:
        """The text whose hash upstream's renderings have."""
        prompt = asked_as_planned(item)
        assert text_sha(prompt) == rows[item.id]["rendered_sha256"]
        return prompt

    def with_examples(item: Item) -> str:
        prompt = asked_as_planned(item)
        split = str(rows[item.id]["problem_type"])
        prefix = texts[file + split.upper().replace("-", "")]
        question = prompt.removeprefix(prefix).removesuffix("\n")
        assert text_sha(question) == rows[item.id]["rendered_sha256"]
        return f"{prefix}{question}\n"

    how: dict[str, Any] = {"limit": 60}
    name = "mixeval_hard"
    check(tmp_path, writes_bos, name, upstreams, preset="clean", tokens=once, **how)
    tokens = UPSTREAM[name]
    check(tmp_path, writes_bos, name, upstreams, preset="upstream", tokens=tokens, **how)
    how |= {"template": False, "tokens": mixeval(12000 - 399), "preset": "upstream_base"}
    check(tmp_path, writes_bos, name, with_examples, **how)


@pytest.mark.parametrize("preset", ["clean", "upstream"])
def test_alignbench_of_the_gold(
    preset: str, tmp_path: Path, writes_bos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alignbench_gold.needed()
    alignbench_gold.half(tmp_path, monkeypatch)
    rows = {str(row["question_id"]): row["question"] for row in alignbench_gold.rows()}

    def question(item: Item) -> str:
        return str(rows[item.id])

    check(tmp_path, writes_bos, "alignbench", question, preset=preset, tokens=once, limit=60)


@pytest.mark.parametrize("preset", ["clean", "upstream"])
def test_honestybench_of_the_gold(
    preset: str, tmp_path: Path, writes_bos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honestybench_gold.sample(tmp_path, monkeypatch)
    rows = {
        f"{name}/{row['row']}": row["question"]
        for name in honestybench_gold.SETS
        for row in honestybench_gold.rows(name)
    }

    def below_the_sentence(item: Item) -> str:
        prompt = asked_as_planned(item)
        assert prompt.endswith(f"Question: {rows[item.id]}")
        return prompt

    how: dict[str, Any] = {"preset": preset, "tokens": once, "limit": 60}
    check(tmp_path, writes_bos, "honestybench", below_the_sentence, **how)


@pytest.mark.parametrize("preset", ["clean", "upstream"])
def test_alpaca_eval_of_the_gold(preset: str, tmp_path: Path, writes_bos: Path) -> None:
    if not (alpaca_gold.GOLD / "instructions.parquet").exists():
        pytest.skip(alpaca_gold.ABSENT)
    import_data("alpaca_eval", alpaca_gold.GOLD)
    rows = {str(row["index"]): row for row in alpaca_gold.rows("instructions.parquet")}

    def instruction(item: Item) -> str:
        return str(rows[item.id]["instruction"])

    check(tmp_path, writes_bos, "alpaca_eval", instruction, preset=preset, tokens=once, limit=60)


def test_trivia_judging_of_the_gold(tmp_path: Path, writes_bos: Path) -> None:
    if not (TRIVIA_GOLD / "fewshot.json").exists():
        pytest.skip("the gold data (../shared/gold/trivia_judging beside the repository) is absent")
    import_data("trivia_judging", TRIVIA_GOLD)
    texts = json.loads((TRIVIA_GOLD / "official_prompts.json").read_text())["prompts"]
    form = "src/llm_eval/helpers/templates/benchmark_base.py#BASE_SIMPLE."
    shots = json.loads((TRIVIA_GOLD / "fewshot.json").read_text())["fewshot"]
    examples = "".join(texts[f"{form}FEWSHOT"].format(**shot) for shot in shots)

    def base(item: Item) -> str:
        return str(texts[f"{form}QUESTION"].format(fewshot=examples, question=item.question))

    name = "trivia_judging"
    how: dict[str, Any] = {"preset": "upstream_base", "template": False, "tokens": always}
    check(tmp_path, writes_bos, name, base, limit=60, **how)
    check(tmp_path, writes_bos, name, preset="clean", tokens=once, limit=60)
    check(tmp_path, writes_bos, name, preset="upstream", tokens=once, limit=60)


# whole runs --------------------------------------------------------------------------------------


def test_one_model_is_asked_by_each_benchmark_in_its_manner(
    tmp_path: Path, writes_bos: Path
) -> None:
    rules = {"free_form": "rule", "multiple_choice": "rule"}
    manners = {"mixeval_mini": "upstream", "trivia_judging_mini": "upstream_base"}
    judges = {"mixeval_mini": "rules", "trivia_judging_mini": "contains"}
    written = {
        "name": "manners",
        "models": [
            {
                "name": "m",
                "lm_eval": {
                    "model_args": {"pretrained": str(writes_bos), "dtype": "float32"},
                    "device": "cpu",
                    "gen_kwargs": {"max_gen_toks": 3},
                },
            }
        ],
        "judges": [{"name": "rules", "kind": "graded", "options": rules}],
        "benchmarks": [
            {"name": name, "judges": [judges[name]], "limit": 3, "options": {"preset": preset}}
            for name, preset in manners.items()
        ],
        "store": store_url(tmp_path),
    }
    path = tmp_path / "suite.yaml"
    path.write_text(yaml.safe_dump(written))
    done = typed("run", path)
    assert done.code == 0, done.err
    tokenizer = tokenizer_of(writes_bos)
    counted = 0
    with open_store(store_url(tmp_path), read_only=True) as store:
        for asked in resolve(load_suite(path)).candidates:
            found = store.responses(list(asked.wanted))
            for key, (items, _) in asked.wanted.items():
                (response,) = found[key]
                plain = asked.asked.benchmark.name == "trivia_judging_mini"
                prompt = asked_as_planned(items[0])
                (text,) = rendered(tokenizer, [prompt], template=not plain)
                assert response.prompt == text
                assert response.usage.prompt_tokens == len(always(tokenizer, text))
                counted += 1
    assert counted == 6


def test_a_first_answer_is_penalised_and_further_ones_are_drawn(
    tmp_path: Path, writes_bos: Path
) -> None:
    arguments = {"pretrained": str(writes_bos), "dtype": "float32"}
    lm_eval = {"model_args": arguments, "device": "cpu", "gen_kwargs": {"max_gen_toks": 6}}
    benchmark = {
        "name": "honestybench_mini",
        "judges": ["contains"],
        "limit": 2,
        "samples": 3,
        "options": {"preset": "upstream"},
    }
    path = tmp_path / "suite.yaml"
    written = {"name": "drawn", "models": [{"name": "m", "lm_eval": lm_eval}]}
    path.write_text(
        yaml.safe_dump({**written, "benchmarks": [benchmark], "store": store_url(tmp_path)})
    )
    done = typed("run", path)
    assert done.code == 0, done.err
    (asked,) = resolve(load_suite(path)).candidates
    with open_store(store_url(tmp_path), read_only=True) as store:
        found = store.responses(list(asked.wanted))
    texts: dict[str, dict[int, str]] = {}
    for key, (items, sample) in asked.wanted.items():
        (response,) = found[key]
        texts.setdefault(items[0].id, {})[sample] = response.raw
        assert (response.logprob is not None) == (sample == 0)
    assert all(len(set(of_item.values())) == 3 for of_item in texts.values())


def test_a_backend_that_takes_text_cannot_be_told(tmp_path: Path) -> None:
    prompts = ["a river", "a lake"]
    local = LocalModel(
        model="scripted",
        model_args={"pretrained": "org/m"},
        apply_chat_template=False,
        prompt_tokens={"special_tokens": "always"},
    )
    task = work(write_task(tmp_path / "t", prompts), prompts)
    with (
        LmEvalWorker(local, [task], seed=1) as worker,
        pytest.raises(ConfigError, match="takes text and cannot be told how it becomes tokens"),
    ):
        worker.start()


def test_an_answer_that_leaves_no_room_for_a_prompt_is_refused(
    tmp_path: Path, writes_bos: Path
) -> None:
    prompts = ["a river", "a lake"]
    local = LocalModel(
        model_args={"pretrained": str(writes_bos), "dtype": "float32"},
        device="cpu",
        apply_chat_template=False,
        prompt_tokens={"max_length": 8},
    )
    task = work(write_task(tmp_path / "t", prompts), prompts)
    with LmEvalWorker(local, [task], seed=1) as worker:
        worker.start()
        failed = list(worker.generate({"small": [("i0", 0), ("i1", 0)]}))
    assert {event.message for event in failed if isinstance(event, AnswerFailure)} == {
        "8 tokens for the answer leave none for the prompt"
    }
