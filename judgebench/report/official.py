"""Whether a board's judge is the one whose numbers are published."""

from __future__ import annotations

from collections.abc import Collection

from judgebench.benchmarks.description import Published
from judgebench.records import JudgeSpec

IMPORTED = "imported"


def is_published_judge(spec: JudgeSpec, names: Collection[str], published: Published) -> bool:
    """Whether verdicts of a judge can stand beside the published ones.

    Imported verdicts say who gave them by a name alone. A judge of our own is the same one if it
    asks one of the same models with the official prompt, and reads the reply as upstream does.

    Parameters
    ----------
    names
        Those that the judge goes by.
    """
    if spec.kind == IMPORTED:
        return published.judge in names
    return (
        spec.official_prompt is True
        and spec.options.get("prompt") == f"official/{published.prompt}"
        and spec.options.get("reader") == "upstream"
        and spec.model in published.models
    )
