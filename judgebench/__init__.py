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
    from judgebench.api import agreement as agreement
    from judgebench.api import answers as answers
    from judgebench.api import compare as compare
    from judgebench.api import confidence as confidence
    from judgebench.api import cost as cost
    from judgebench.api import drift as drift
    from judgebench.api import evaluators as evaluators
    from judgebench.api import export_alpaca_eval as export_alpaca_eval
    from judgebench.api import export_confidence_examples as export_confidence_examples
    from judgebench.api import export_parquet as export_parquet
    from judgebench.api import export_responses as export_responses
    from judgebench.api import export_verdicts as export_verdicts
    from judgebench.api import forget as forget
    from judgebench.api import gate as gate
    from judgebench.api import import_files as import_files
    from judgebench.api import import_labels as import_labels
    from judgebench.api import import_responses as import_responses
    from judgebench.api import import_verdicts as import_verdicts
    from judgebench.api import item as item
    from judgebench.api import judge as judge
    from judgebench.api import judge_sweep as judge_sweep
    from judgebench.api import leaderboard as leaderboard
    from judgebench.api import nights as nights
    from judgebench.api import open_store as open_store
    from judgebench.api import plan as plan
    from judgebench.api import probe as probe
    from judgebench.api import ranking as ranking
    from judgebench.api import rejudge as rejudge
    from judgebench.api import replies as replies
    from judgebench.api import report as report
    from judgebench.api import reproduce as reproduce
    from judgebench.api import respond as respond
    from judgebench.api import run as run
    from judgebench.api import runs as runs
    from judgebench.api import runs_diff as runs_diff
    from judgebench.api import suggest_policy as suggest_policy
    from judgebench.api import training as training
    from judgebench.api import try_judge as try_judge
    from judgebench.api import verdicts as verdicts
    from judgebench.api import verify as verify
    from judgebench.assertions import Inconclusive as Inconclusive
    from judgebench.assertions import assert_no_regression as assert_no_regression

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
