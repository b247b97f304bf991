"""A base model that is asked below a prefix (`judgebench.workers.prompts.below_prefix`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from judgebench.benchmarks.data import official_prompts
from judgebench.benchmarks.description import find
from judgebench.config import PREFIXES, Prompting
from judgebench.errors import ConfigError, unknown_name
from judgebench.responses.local import LocalModel
from judgebench.rows import text_file

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
