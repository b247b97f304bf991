"""Alignment evaluation and judging: comparisons over stored verdicts.

Every action and every report is a function of this package; `judgebench.data`, `judgebench.labels`,
`judgebench.batches` and `judgebench.records` have the rest.

>>> import judgebench
>>> judgebench.compare("this-week", "last-week", benchmarks="support").verdict
'undecided'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

DEFAULT_STORE = "sqlite:///results/judgebench.db"
"""Where results are kept if nobody says where: here, so that nothing heavy is needed to know it."""

INCLUDE_PATH = "JUDGEBENCH_INCLUDE_PATH"
"""The variable that names folders of benchmarks, as PATH does those of programs."""

if TYPE_CHECKING:
    from judgebench import api as api
    from judgebench import batches as batches
    from judgebench import data as data
    from judgebench import labels as labels
    from judgebench import records as records
    from judgebench.api import (
        agreement,
        answers,
        compare,
        confidence,
        cost,
        drift,
        evaluators,
        export_alpaca_eval,
        export_confidence_examples,
        export_parquet,
        export_responses,
        export_verdicts,
        forget,
        gate,
        import_files,
        import_labels,
        import_responses,
        import_verdicts,
        item,
        judge,
        judge_card,
        judge_sweep,
        leaderboard,
        nights,
        open_store,
        plan,
        probe,
        ranking,
        rejudge,
        replies,
        report,
        reproduce,
        respond,
        run,
        runs,
        runs_diff,
        suggest_policy,
        training,
        try_judge,
        verdicts,
        verify,
    )
    from judgebench.assertions import Inconclusive, assert_no_regression

_ASSERTIONS = ("Inconclusive", "assert_no_regression")
_MODULES = ("api", "batches", "data", "labels", "records")

__all__ = [
    "DEFAULT_STORE",
    "Inconclusive",
    "__version__",
    "agreement",
    "answers",
    "assert_no_regression",
    "compare",
    "confidence",
    "cost",
    "drift",
    "evaluators",
    "export_alpaca_eval",
    "export_confidence_examples",
    "export_parquet",
    "export_responses",
    "export_verdicts",
    "forget",
    "gate",
    "import_files",
    "import_labels",
    "import_responses",
    "import_verdicts",
    "item",
    "judge",
    "judge_card",
    "judge_sweep",
    "leaderboard",
    "nights",
    "open_store",
    "plan",
    "probe",
    "ranking",
    "rejudge",
    "replies",
    "report",
    "reproduce",
    "respond",
    "run",
    "runs",
    "runs_diff",
    "suggest_policy",
    "training",
    "try_judge",
    "verdicts",
    "verify",
]


def __getattr__(name: str) -> Any:
    """Load what is asked for when it is, so that the command line starts at once."""
    if name in _MODULES:
        return import_module(f"judgebench.{name}")
    if name not in __all__:
        raise AttributeError(f"module 'judgebench' has no attribute {name!r}")
    module = "assertions" if name in _ASSERTIONS else "api"
    return getattr(import_module(f"judgebench.{module}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
