"""What every report begins with: which benchmark is meant, and how models and judges are called."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from judgebench import registry
from judgebench.benchmarks.description import Description, Report, Weighted, read, split_version
from judgebench.columns import Bools, Column, coded, counted, same, select_rows
from judgebench.config import Panel, check
from judgebench.errors import ConfigError, UsageError, unknown_name
from judgebench.metrics.verdict_table import SPARSE
from judgebench.records import BINARY, HARM_LABELS, HARM_RATES, JudgeSpec, RunManifest
from judgebench.store.catalog import distinct_names
from judgebench.store.store import Store

Columns: TypeAlias = Mapping[str, Column]

COVERAGE_FLOOR = 0.95
_MOST_LABELS = 3
HARM_JUDGES = {"harm", "refusal_prefix", "own_prompt/label", "python"}
"""Ways of judging that can say of own prompts what is refused, or does harm."""
_WRITTEN = re.compile(r"(?:panel/)?(?:(?P<rule>\w+)\()?(?P<judges>[^()]+?)(?P<end>\))?")
_LEAST = "min_valid="
PROMPT_DIGITS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkRef:
    """A version of a benchmark that the store holds, and what its description says.

    ``labels`` are the declared ones, the positive one last; ``report`` says what boards show
    besides, ``weighted`` how clear wins count. ``first_only``: a model's first answer is its
    answer, and further ones say how sure of it the model is. ``official``: a judge prompt of this
    benchmark is official. ``published``: boards of this version are.
    """

    name: str
    version: str
    labels: tuple[str, ...] = BINARY
    coverage_floor: float = COVERAGE_FLOOR
    unit: str = "item"
    report: Report = field(default_factory=Report)
    first_only: bool = False
    official: bool = False
    weighted: Weighted | None = None
    published: bool = False

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


def benchmark_ref(store: Store, name_at_version: str) -> BenchmarkRef:
    """The benchmark a person means: without a version, the default one or the only one.

    Of several versions of own prompts, that of the run that was started last.

    Raises
    ------
    UsageError
        Where the store does not hold it, naming what it holds.
    """
    name, version = split_version(name_at_version)
    held = store.benchmarks()
    versions = [v for n, v in held if n == name]
    if not versions:
        raise UsageError(_holds_no(name, held, store))
    found = described(name)
    description = None if found is None else found[0]
    if description is None:  # own prompts, perhaps: no other board needs what reads those
        from judgebench.benchmarks.own_prompts import asks_for_harm, newest_version
    if version is None and len(versions) == 1:
        version = versions[0]
    if version is None and description is None:
        version = newest_version(name, store.runs(), held)
    if version is None:
        if description is None or description.default_version not in versions:
            raise UsageError(
                f"the store holds several versions of {name}; name one: "
                + ", ".join(f"{name}@{v}" for v in versions)
            )
        version = description.default_version
    if version not in versions:
        raise UsageError(unknown_name(f"version of {name}", version, versions))
    if description is None:
        kinds = {judge.spec.kind for judge in store.judges()}
        if kinds & HARM_JUDGES and asks_for_harm(name, store.runs()):  # runs may be thousands
            rates = {name: [*labels] for name, labels in HARM_RATES.items()}
            return BenchmarkRef(
                name=name, version=version, labels=HARM_LABELS,
                report=Report(by=["language"], rates=rates),
            )  # fmt: skip
        return BenchmarkRef(name=name, version=version)
    others = (label for label in description.labels if label != description.positive)
    judging, published = description.judging, description.published
    return BenchmarkRef(
        name=name,
        version=version,
        labels=(*others, description.positive),
        coverage_floor=description.coverage_floor,
        unit=description.unit,
        report=description.report,
        first_only=bool(description.asking.further),
        official=bool(judging.official or judging.official_for or judging.official_from),
        weighted=description.versions[version].weighted
        if version in description.versions
        else None,
        published=any(one.version == version for one in published.boards) if published else False,
    )


def described(name: str) -> tuple[Description, Path] | None:
    """What a benchmark's folder says of it, and the folder; None where nobody describes it."""
    folder = registry.benchmark_folders().get(name)
    return None if folder is None else (read(folder), folder)


def _holds_no(name: str, held: Collection[tuple[str, str]], store: Store) -> str:
    if not held:
        return f"{store.name} holds nothing yet; `judgebench run SUITE.yaml` fills it"
    known = sorted({n for n, _ in held})
    return f"{store.name} has {unknown_name('benchmark', name, known)}"


def disambiguate(tables: Iterable[Columns], who: str) -> dict[str, str]:
    """Id -> the name to show: one name that means several models or judges gets its key's digits.

    Parameters
    ----------
    who
        ``model`` or ``judge``: the columns ``who`` and ``who_id`` of all tables are looked at, for
        models also those of the opponent.
    """
    name_of = {
        one: name
        for table in tables
        for column in ((who, "opponent") if who == "model" else (who,))
        if column in table
        for name, one in counted(table[column], table[f"{column}_id"])
        if one is not None
    }
    return distinct_names(name_of)


def find_judges(
    name: str, shown: Mapping[str, str], store: Store, which: BenchmarkRef | str
) -> tuple[str, ...]:
    """The judges that a person means, as they are shown.

    A name as it is shown means one judge; a plain name all those that go by it now or, if none
    does, went by it once; an id the judge that has it.

    Parameters
    ----------
    shown
        Id -> shown name of the judges there are, as `disambiguate` gives it.

    Raises
    ------
    UsageError
        Where there is none, naming those that there are.
    """
    known = {judge.id: judge for judge in store.judges() if judge.id in shown}
    if means := (
        [one for one, label in shown.items() if label == name]
        or [one for one in known if one == name]
        or [one for one, judge in known.items() if judge.name == name]
        or [one for one, judge in known.items() if name in judge.names]
    ):
        return tuple(shown[one] for one in means)
    raise UsageError(f"{which}: {unknown_name('judge', name, shown.values())}")


def find_reference(name: str, shown: Mapping[str, str], store: Store, which: BenchmarkRef) -> str:
    """The one judge that a person means, as it is shown.

    Parameters
    ----------
    shown
        As for `find_judges`.

    Raises
    ------
    UsageError
        Where there is none, or several are called so.
    """
    found = find_judges(name, shown, store, which)
    if len(found) > 1:
        raise UsageError(
            f"{which}: {name!r} is the name of {len(found)} judges, and a reference is one; name "
            f"it as it is shown: {', '.join(found)}"
        )
    return found[0]


def find_model(
    name: str, among: Sequence[str], ids: Mapping[str, str], store: Store, which: BenchmarkRef
) -> str:
    """The one model that a person means, as it is shown: by that name, its id, or another name.

    Parameters
    ----------
    among
        The models there are, as they are shown.
    ids
        Shown name -> id.

    Raises
    ------
    UsageError
        Where there is none, or several go by that name.
    """
    names = {model.id: model.names for model in store.models()}
    means = (
        [shown for shown in among if shown == name]
        or [shown for shown in among if ids[shown] == name]
        or [shown for shown in among if name in names.get(ids[shown], ())]
    )
    if len(means) > 1:
        raise UsageError(
            f"{which}: {name!r} is the name of {len(means)} models; name one as it is shown: "
            f"{', '.join(means)}"
        )
    if means:
        return means[0]
    raise UsageError(f"{which}: {unknown_name('model', name, among)}")


def undeclared_labels(counts: Mapping[str, int], which: BenchmarkRef) -> str:
    """Labels that count as unreadable, in one sentence."""
    said = ", ".join(f"{label!r} ({n})" for label, n in sorted(counts.items())[:_MOST_LABELS])
    more = len(counts) - _MOST_LABELS
    return (
        f"labels that are not declared count as unreadable: {said}"
        + (f" and {more} more" if more > 0 else "")
        + f"; declared: {', '.join(which.labels)}"
    )


def renamed(columns: Columns, models: Mapping[str, str], judges: Mapping[str, str]) -> Columns:
    """The columns with distinct names in place of names and ids; None where nobody is named."""
    kept = {name: values for name, values in columns.items() if not name.endswith("_id")}
    kept["item_id"] = columns["item_id"]
    for name, called in (("model", models), ("opponent", models), ("judge", judges)):
        kept[name] = coded(columns[f"{name}_id"]).mapped(called.get)
    return kept


def with_units(columns: Columns, store: Store, which: BenchmarkRef) -> Columns:
    """The columns, with what makes items one question, and a mark where not all models answer."""
    contents = store.item_contents(which.name, which.version)
    found = {**columns, "unit": coded(columns["item_id"]).mapped(contents.get)}
    return found | ({SPARSE: same(True, len(columns["item_id"]))} if which.report.sparse else {})


def where(columns: Columns, keep: Iterable[bool] | Bools) -> Columns:
    """The rows that are kept; the columns themselves where all are."""
    kept = keep if isinstance(keep, np.ndarray) else np.array(list(keep), bool)
    if kept.all():
        return columns
    return select_rows(columns, np.flatnonzero(kept))


# judges and panels ------------------------------------------------------------------------------


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


def parse_panel(written: str) -> Panel:
    """``a,b,c``, ``mean(a,b)`` or ``panel/majority(a,b,c;min_valid=2)``, as boards call them.

    Raises
    ------
    UsageError
        For anything else.
    """
    found = _WRITTEN.fullmatch(written.strip())
    if found is None or (found["rule"] is None) != (found["end"] is None):
        raise UsageError(_how(written))
    judges, _, least = found["judges"].partition(";")
    if least and not least.strip().startswith(_LEAST):
        raise UsageError(_how(written))
    data: dict[str, Any] = {"judges": [judge.strip() for judge in judges.split(",")]}
    if found["rule"]:
        data["rule"] = found["rule"]
    if least:
        number = least.strip().removeprefix(_LEAST)
        data["min_valid"] = int(number) if number.isdecimal() else number
    try:
        return check(Panel, data, "--panel")
    except ConfigError as error:
        raise UsageError(f"{written!r}: {error}") from None


def _how(written: str) -> str:
    return f"a panel is written a,b,c or mean(a,b) or majority(a,b,c;min_valid=2), not {written!r}"


def panels_in(runs: Iterable[RunManifest], which: BenchmarkRef) -> tuple[Panel, ...]:
    """The panels that the suites of these runs declared on a benchmark, in their order.

    What a suite declares without naming a version is for all of them.
    """
    found: dict[str, Panel] = {}
    for run in runs:
        for section in run.configuration.get("benchmarks", ()):
            name, version = split_version(section["name"])
            if name != which.name or version not in (None, which.version):
                continue
            written = section.get("panel")
            if isinstance(written, list):
                written = {"judges": written}
            if isinstance(written, dict):
                panel = Panel.model_validate(written)
                found.setdefault(panel.name, panel)
    return tuple(found.values())
