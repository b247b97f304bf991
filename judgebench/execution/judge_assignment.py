"""Which judges a suite means by a name: one of its own, a way of judging, or each model itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from judgebench.config import CANDIDATE, BenchmarkConfig, JudgeConfig, ModelConfig, Suite
from judgebench.errors import ConfigError
from judgebench.judges.kinds import EXAMPLES
from judgebench.records import JsonObject
from judgebench.rows import Row, each_row


def models_on(
    suite: Suite, config: BenchmarkConfig, baseline: str | None = None
) -> Iterator[ModelConfig]:
    """The models of a suite that answer a benchmark; a baseline among them always does."""
    for model in suite.models:
        if config.models is None or model.name in (*config.models, baseline):
            yield model


def judge_assignment(
    suite: Suite, config: BenchmarkConfig, name: str
) -> Iterator[tuple[JudgeConfig | None, str | None]]:
    """What the suite says of the judges of a name, and whose answers alone each of them judges.

    None for a judge that is used by its way of judging, and for one that judges everybody. A judge
    that is each model itself is as many judges as there are models that can be asked.

    Raises
    ------
    ConfigError
        Where none can: there is nobody behind recorded answers.
    """
    judge = next((judge for judge in suite.judges if judge.name == name), None)
    if judge is None or judge.provider != CANDIDATE:
        yield judge, None
        return
    asked = [model for model in models_on(suite, config) if model.responses is None]
    if not asked:
        raise ConfigError(
            f"benchmark {config.name}: judge {name} is each model itself, and all of its models "
            "are recorded answers, which nobody can be asked about"
        )
    for model in asked:
        yield _itself(judge, model), model.name


def _itself(judge: JudgeConfig, model: ModelConfig) -> JudgeConfig:
    """The judge as a model: reached as the model is, asked and read as the judge says.

    How the model samples its answers says nothing about how it is asked for its opinion of them.
    """
    if model.lm_eval is not None:
        section = model.lm_eval.model_copy(update={"gen_kwargs": {}, "fewshot_as_multiturn": False})
        return judge.model_copy(update={"provider": "local", "lm_eval": section})
    assert model.api is not None  # one of the two, where there are no recorded answers
    its = {name: getattr(model.api, name) for name in _REACHED_BY}
    return judge.model_copy(update={n: v for n, v in its.items() if v not in (None, {})})


_REACHED_BY = (
    "provider", "model", "base_url", "api_key", "identity", "identity_file", "server", "extra",
    "capabilities", "provider_options", "price", "reasoning", "max_connections", "max_retries",
    "requests_per_minute", "tokens_per_minute", "timeout_s",
)  # fmt: skip


def with_examples(options: JsonObject, model: str | None) -> JsonObject:
    """The options with the examples of a file in place of its name.

    A file may have those of several models, ``model`` naming whose each is. A judge that is no
    model of the suite, None, has those that are of nobody.

    Raises
    ------
    InputError
        Naming file and row, for a file that cannot be read or has none, and for a row that is no
        example.
    ConfigError
        For a file that has none of the model.
    """
    named = options.get(EXAMPLES)
    if not isinstance(named, str):
        return options
    rows = [(row, _example(row)) for row in each_row(Path(named), ("question", "confidence"))]
    its = [example for row, example in rows if row.values.get("model") in (None, "", model)]
    if not its:
        wanted = "for everybody" if model is None else f"of {model}"
        raise ConfigError(
            f"options: examples: {named} has no row {wanted}: its column 'model' says whose an "
            "example is, and a row without one is for everybody"
        )
    return {**options, EXAMPLES: its}


def _example(row: Row) -> Mapping[str, Any]:
    confidence = row.number("confidence")
    if not 0.0 <= confidence <= 1.0:
        raise row.wrong("confidence", f"a share from 0 to 1 has to stand here, not {confidence:g}")
    return {"question": row.text("question"), "confidence": confidence}
