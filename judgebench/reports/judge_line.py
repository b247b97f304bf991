"""A judge's identity in one line, as it stands under the title of a board."""

from __future__ import annotations

from collections.abc import Collection

from judgebench.config import Panel
from judgebench.records import JudgeSpec

PROMPT_DIGITS = 8


def judge_line(spec: JudgeSpec, left_out: Collection[str] = ()) -> str:
    """Who answers, with which prompt, and what is overlooked when texts are compared.

    ``left_out`` is what was not sent, since the model does not take it.
    """
    if spec.kind == "human":
        return "labels of people"
    if spec.kind == "imported":
        return "imported verdicts"
    words = [spec.kind]
    if spec.model:
        words.append(f"model {spec.model}")
    if spec.prompt_sha:
        name = str(spec.options.get("prompt", "")).removeprefix("official/")
        whose = "official prompt" if spec.official_prompt else "own prompt"
        words.append(" ".join(filter(None, [whose, name, f"({spec.prompt_sha[:PROMPT_DIGITS]})"])))
    words += [
        f"{name} {value}"
        for settings in (spec.options, spec.sampling)
        for name, value in sorted(settings.items())
        if name != "prompt" and name not in left_out and isinstance(value, str | int | float)
    ]
    said = ", ".join(words)
    return f"{said}; not taken by the model: {', '.join(left_out)}" if left_out else said


def panel_line(panel: Panel) -> str:
    """Who sits on a panel, and how it comes to a verdict."""
    needed = panel.min_valid or len(panel.judges) // 2 + 1
    return f"{panel.rule} of {', '.join(panel.judges)}; {needed} readable verdicts needed"
