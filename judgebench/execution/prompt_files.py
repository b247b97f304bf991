"""Files of what is asked that a suite names: a prefix, a judge's own prompt, its examples.

A base model is asked below a prefix (`judgebench.workers.prompts.below_prefix`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from judgebench import registry
from judgebench.benchmarks.data import official_prompts
from judgebench.benchmarks.description import find
from judgebench.config import PREFIXES, JudgeConfig, Prompting, Reading
from judgebench.errors import ConfigError, unknown_name
from judgebench.judges.kinds import EXAMPLES
from judgebench.records import JsonObject
from judgebench.responses.local import LocalModel
from judgebench.rows import Row, each_row, text_file
from judgebench.template import PromptText

HOME, IN_HOME = "just_eval", "urial_"
"""The benchmark whose official texts have the prefixes that go by a name, and how they begin."""

SAMPLINGS: Mapping[str, Mapping[str, Any]] = {
    "just_eval": {"do_sample": False, "temperature": 0.0, "repetition_penalty": 1.1},
    "mt_bench": {"do_sample": False, "temperature": 0.0, "repetition_penalty": 1.15},
    "mt_bench_drawn": {"do_sample": True, "temperature": 0.5},  # Gemma, Mixtral, dbrx
}
"""How URIAL's authors draw answers; a suite's ``gen_kwargs`` go over it."""


def with_prefix(local: LocalModel, prompting: Prompting) -> LocalModel:
    """The model as it is asked below a prefix, in place of a chat template.

    Raises
    ------
    ConfigError
        For a prefix that is not here, and where a preset says what goes with none.
    InputError
        For a file that cannot be read, or holds nothing.
    """
    if local.system_instruction is not None or local.prompt_tokens:
        raise ConfigError(
            "the benchmark's preset has a system text or cuts prompts, which does not go with a "
            "prefix: say options: {preset: clean}"
        )
    drawn = SAMPLINGS[prompting.sampling] if prompting.sampling else {}
    asked = {
        "apply_chat_template": False,
        "prefix": _text(prompting.prefix),
        "gen_kwargs": {**drawn, **local.gen_kwargs},
    }
    return local.model_copy(update=asked)


def _text(written: str) -> str:
    if not written.startswith(PREFIXES):
        says = "what stands before the questions"
        return text_file(Path(written), "prefix", says, whole=True)  # its last line ends as it does
    description, _ = find(HOME)
    official, name = description.judging.official, written.removeprefix(PREFIXES)
    known = [one.removeprefix(IN_HOME) for one in official if one.startswith(IN_HOME)]
    if name not in known:
        raise ConfigError(unknown_name("prefix", written, [f"{PREFIXES}{one}" for one in known]))
    found = official_prompts(description).get(f"{IN_HOME}{name}")
    if found is None:
        raise ConfigError(
            f"the prefix {written} is not in the data home; fetch it with `judgebench data pull "
            f"{HOME}` or `data import`, or name a file of your own"
        )
    return found.text


def own_prompt_of(config: JudgeConfig) -> tuple[JsonObject, PromptText]:
    """What a suite says of a prompt of its own, the contents of files in place of their names.

    Raises
    ------
    InputError
        For a file that cannot be read, or holds nothing.
    ConfigError
        For a reader that is not there.
    """
    path, options = config.prompt, dict(config.own)
    assert path is not None  # only then is it asked
    if isinstance(config.read, Reading) and config.read.python is not None:
        registry.function(config.read.python, "readers", beside=path.parent)
    if isinstance(config.examples, str):
        rows = each_row(Path(config.examples), ("reply",))
        options["examples"] = [
            {name: row.text(name) for name in row.values if row.has(name)} for row in rows
        ]
    return options, prompt_of(path)


def prompt_of(prompt: Path) -> PromptText:
    return PromptText(name=prompt.name, text=text_file(prompt, "prompt", "what is asked"))


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
