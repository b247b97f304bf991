"""How a checkpoint says that it wants to be sampled: its ``generation_config.json``.

Where a task or a suite says ``generation_config: model``, its values are read and said one by one,
so that every backend obeys them and they stand in the model's key.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from judgebench.errors import ConfigError, InputError
from judgebench.responses.hub import SilentHubError, file_of
from judgebench.responses.identity import pinned

GENERATION_CONFIG = "generation_config"
"""The setting that leaves sampling to the model; ``model`` is its only value."""

FILE = "generation_config.json"

USUAL_TOP_K = 50
"""That of transformers, for a model that is sampled and names none."""

_OF_DRAWS = ("temperature", "top_p", "top_k", "min_p", "typical_p")
_ALWAYS = ("repetition_penalty", "no_repeat_ngram_size", "num_beams")
_NOTHING = {"typical_p": 1.0, "no_repeat_ngram_size": 0, "num_beams": 1}
"""Values that change nothing, under names that not every backend takes."""


def with_own_sampling(given: Mapping[str, Any], model_args: Mapping[str, Any]) -> dict[str, Any]:
    """Settings in which ``generation_config`` is replaced by what it stands for.

    What is said besides wins: of an answer that is said to be greedy, only penalties remain.

    Raises
    ------
    ConfigError
        For a value that is none, or a model whose file cannot be had.
    """
    said = dict(given)
    whose = said.pop(GENERATION_CONFIG, None)
    if whose is None:
        return said
    if whose != "model":
        raise ConfigError(
            f"gen_kwargs: {GENERATION_CONFIG}: model leaves sampling to what the checkpoint says "
            f"of itself; {whose!r} is nothing"
        )
    own = own_sampling(model_args)
    if said.get("do_sample") is False:
        own = {name: value for name, value in own.items() if name not in _OF_DRAWS}
    return {**own, **said}


def own_sampling(model_args: Mapping[str, Any]) -> dict[str, Any]:
    """``do_sample``, and what else of a checkpoint's file changes its answers.

    Greedy where the file is absent or does not say, as in transformers.

    Raises
    ------
    ConfigError
        For a model without a checkpoint here or on the Hub.
    InputError
        For a file that is no JSON object.
    """
    path = _file(model_args)
    found = {} if path is None else _read(path)
    own = _said(found, _ALWAYS)
    if not found.get("do_sample"):
        return {**own, "do_sample": False}
    drawn = _said(found, _OF_DRAWS)
    return {**own, "do_sample": True, "temperature": 1.0, "top_k": USUAL_TOP_K, **drawn}


def _said(found: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    values = {name: found.get(name) for name in names}
    return {n: v for n, v in values.items() if v is not None and v != _NOTHING.get(n)}


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: has to hold a JSON object")
    return found


def _file(model_args: Mapping[str, Any]) -> Path | None:
    """The file, fetched where it is the Hub's; None where the checkpoint has none."""
    main = model_args.get("pretrained")
    if main is None:
        raise ConfigError(
            f"{GENERATION_CONFIG}: model needs a checkpoint to read (model_args: pretrained); say "
            "how it samples with gen_kwargs: {do_sample: …, temperature: …}"
        )
    folder = str(model_args.get("subfolder") or "")
    place = Path(str(main)).expanduser()
    if place.exists():
        path = place / folder / FILE
        return path if path.is_file() else None
    return _of_hub(str(main), f"{folder}/{FILE}".lstrip("/"), pinned(model_args).get("revision"))


def _of_hub(name: str, file: str, revision: str | None) -> Path | None:
    instead = "download the model first, or say how it samples with gen_kwargs: {do_sample: …}"
    try:
        return file_of(name, file, revision)
    except FileNotFoundError:
        raise ConfigError(
            f"{file} of {name} is not in the local Hub cache and cannot be fetched now; {instead}"
        ) from None
    except SilentHubError as error:
        raise ConfigError(f"{file} of {name} cannot be fetched: {error}; {instead}") from None
