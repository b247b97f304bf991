"""What changed between two runs, and what moved."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from judgebench.metrics.intervals import Intervals
from judgebench.records import RunManifest
from judgebench.reports.boards import Meant, meant
from judgebench.reports.changes import Change, changes
from judgebench.reports.run_counterparts import Matched, Stored, matched
from judgebench.reports.run_moves import Moved, moves
from judgebench.reports.run_side import Side, side
from judgebench.store import Store
from judgebench.store.catalog import StoredJudge, StoredModel

THERE, NOT_THERE = "there", "not there"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDiff:
    """Two runs: what was set up otherwise, and what came out otherwise.

    changed
        Fields of the configuration as written, versions, commit, data and seeds; who is in one run
        alone; and of models and judges that both have what they are, by whom they were served and
        what they ran on.
    moved
        Every model before every judge that both runs have, on each benchmark.
    left_out
        How many verdicts say how sure a model is, which have no board.
    """

    first: RunManifest
    second: RunManifest
    changed: tuple[Change, ...]
    moved: tuple[Moved, ...]
    left_out: int = 0


def run_diff(
    store: Store, first: RunManifest, second: RunManifest, *, intervals: Intervals | None = None
) -> RunDiff:
    """Compare two runs of a store.

    Each run's own verdicts are compared, whatever other runs came later. Who corresponds to whom is
    told by what they are: a model or a judge that goes by another name is the same, and one that
    only has the same name is compared as a changed one.
    """
    sides = [pair for name in store.benchmarks() if (pair := _sides(store, name, first, second))]
    before = [one.first for one in sides if one.first is not None]
    after = [one.second for one in sides if one.second is not None]
    models = matched(
        _those(store.models(), *(its.models for its in before)),
        _those(store.models(), *(its.models for its in after)),
        (_named(first, "models"), _named(second, "models")),
    )
    judges = matched(
        _those(store.judges(), *(its.judges for its in before)),
        _those(store.judges(), *(its.judges for its in after)),
        (_named(first, "judges"), _named(second, "judges")),
    )
    return RunDiff(
        first=first,
        second=second,
        changed=(
            *_manifest_changes(first, second),
            *_benchmark_changes(sides),
            *_who_changed("model", models, before, after, _model_facts),
            *_who_changed("judge", judges, before, after, _judge_facts),
        ),
        moved=tuple(
            moved
            for one in sides
            if one.first is not None and one.second is not None
            for moved in moves(
                one.which,
                one.first,
                one.second,
                models,
                judges,
                categories=_categories(store, one.which),
                intervals=intervals or Intervals(),
            )
        ),
        left_out=sum(its.left_out for its in (*before, *after)),
    )


class _Sides(NamedTuple):
    """What two runs have of one benchmark; one of them at least has something."""

    which: Meant
    first: Side | None
    second: Side | None


def _sides(
    store: Store, benchmark: tuple[str, str], first: RunManifest, second: RunManifest
) -> _Sides | None:
    judged = [store.run_verdicts(run.id, *benchmark) for run in (first, second)]
    if not any(verdicts["item_id"] for verdicts in judged):
        return None
    which = meant(store, "@".join(benchmark))
    answers = store.responses_table(*benchmark)
    contents = store.item_contents(*benchmark)
    its = (
        side(run, which, verdicts, answers, contents) if verdicts["item_id"] else None
        for run, verdicts in zip((first, second), judged, strict=True)
    )
    return _Sides(which, *its)


def _manifest_changes(first: RunManifest, second: RunManifest) -> list[Change]:
    runs = (first, second)
    part = "import" if all("import" in run.configuration for run in runs) else "suite"
    found = changes(part, first.configuration, second.configuration)
    found += changes("git", {"commit": first.git_sha}, {"commit": second.git_sha})
    for part in ("versions", "data_sha", "seeds"):
        found += changes(part.removesuffix("_sha"), getattr(first, part), getattr(second, part))
    return found


def _benchmark_changes(sides: Sequence[_Sides]) -> Iterator[Change]:
    """Benchmarks that one run alone has, and how many items either judged."""
    for which, first, second in sides:
        if first is None or second is None:
            there = (NOT_THERE, THERE) if first is None else (THERE, NOT_THERE)
            yield Change("benchmark", str(which), *there)
        else:
            judged = ({"items judged": len(its.items)} for its in (first, second))
            yield from changes(str(which), *judged)


def _categories(store: Store, which: Meant) -> dict[str, str]:
    """The categories of the items, where they count."""
    if not which.sides:
        return {}
    items = store.items(which.name, which.version)
    return {item.id: item.category for item in items if item.category}


# who ---------------------------------------------------------------------------------------------


def _those(known: Sequence[Stored], *ids: set[str]) -> list[Stored]:
    wanted = set().union(*ids)
    return [one for one in known if one.id in wanted]


def _named(run: RunManifest, part: str) -> list[str]:
    """What a suite calls its models, or its judges; an import names none."""
    listed = run.configuration.get(part)
    if not isinstance(listed, list):
        return []
    return [str(one["name"]) for one in listed if isinstance(one, Mapping) and "name" in one]


def _who_changed(
    what: str,
    found: Matched[Stored],
    before: Sequence[Side],
    after: Sequence[Side],
    facts: Callable[[Stored, Sequence[Side]], Mapping[str, Any]],
) -> Iterator[Change]:
    """What differs of those in both runs, and who is in one of them alone."""
    for pair in found.both:
        one, other = facts(pair.first, before), facts(pair.second, after)
        yield from changes(f"{what} {pair.label}", one, other)
    for label in found.first_alone:
        yield Change(what, label, THERE, NOT_THERE)
    for label in found.second_alone:
        yield Change(what, label, NOT_THERE, THERE)


def _model_facts(model: StoredModel, sides: Sequence[Side]) -> dict[str, Any]:
    stacks = sorted({stack for side in sides for stack in side.stacks(model.id)})
    return asdict(model.spec) | {"stack": _joined([json.loads(stack) for stack in stacks])}


def _judge_facts(judge: StoredJudge, sides: Sequence[Side]) -> dict[str, Any]:
    spec = asdict(judge.spec)
    official = spec.pop("official_prompt")
    prompt = None if official is None else "official" if official else "own"
    served = sorted({name for side in sides for name in side.served(judge.id)})
    return spec | {"prompt": prompt, "served by": ", ".join(served) or None}


def _joined(stacks: Sequence[Mapping[str, Any]]) -> Any:
    """One stack as it is; several one after the other."""
    if len(stacks) == 1:
        return stacks[0]
    return {f"{n}": stack for n, stack in enumerate(stacks, 1)}
