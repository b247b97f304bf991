"""What the boards of a benchmark are made of, read from the store once.

Also where one judge took another's place: the break that boards and nights show; and what a reader
of a board has to know: flags beside a model, warnings below the board.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from judgebench.columns import (
    Column,
    coded,
    counted,
    distinct,
    grouped,
    last_values,
    latest,
    marked,
    paired,
    same,
    select_rows,
    together,
)
from judgebench.config import Panel
from judgebench.errors import UsageError, unknown_name
from judgebench.metrics.accuracy import undeclared
from judgebench.metrics.board_kinds import BoardKind, boards
from judgebench.metrics.combine import combine
from judgebench.metrics.failed_rows import with_failures
from judgebench.metrics.judge_change import Bridge
from judgebench.metrics.measures import AVG_LENGTH, Balance, group_names
from judgebench.metrics.scores import with_parts
from judgebench.metrics.verdict_table import CHOOSES, FAILED, SPARSE
from judgebench.plain_text import day, few
from judgebench.records import (
    CONFIDENCES,
    PLANS,
    BatchState,
    Estimate,
    Item,
    JsonObject,
    RunManifest,
)
from judgebench.reports.answer_flags import (
    CUT,
    LENGTHS_APART,
    LONGER,
    NO_MARKS,
    SHORTER,
    SUSPECT,
    SUSPICIOUS,
    Marks,
    constant_answers,
    marks_by_judge,
    marks_of_answers,
    may_be_constant,
    said_of_constant,
    said_of_marks,
    suspicions,
)
from judgebench.reports.boards import (
    BenchmarkRef,
    Columns,
    disambiguate,
    find_judges,
    find_model,
    renamed,
    undeclared_labels,
    where,
)
from judgebench.store.catalog import StoredModel
from judgebench.store.store import Store

if TYPE_CHECKING:
    from judgebench.reports.board import Row

REPLACED = "replaced"
"""What a manifest's configuration calls the judges of `judgebench judge replace`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """A judge that took another's place on a benchmark, ids short, ``at`` in seconds.

    ``bridge`` leads from old scores to new, where both had judged enough.
    """

    benchmark: str
    version: str
    old: str
    old_id: str
    new: str
    new_id: str
    at: float
    bridge: Bridge | None = None

    def concerns(self, *judges: str) -> bool:
        """Whether one of these ids is one of the two."""
        return not {self.old_id, self.new_id}.isdisjoint(judges)

    @property
    def words(self) -> str:
        """Who took whose place, and how their numbers relate."""
        said = f"{self.old} ({self.old_id}) → {self.new} ({self.new_id})"
        if self.bridge is None:
            return f"{said}; their numbers are not comparable"
        return f"{said}; bridged: {self.bridge.words}"

    @property
    def line(self) -> str:
        """A line below a board."""
        return f"the judge was replaced on {day(self.at)}: {self.words}"

    def record(self) -> JsonObject:
        """What a manifest keeps."""
        its = asdict(self)
        del its["at"]
        return its


def replacements(runs: Iterable[RunManifest], benchmark: str, version: str) -> list[Replacement]:
    """On one benchmark, the first first; the same once more is that one, with its newest bridge."""
    found: list[Replacement] = []
    for run in runs:
        its: dict[str, Any] = dict(run.configuration.get(REPLACED) or {})
        if (its.get("benchmark"), its.get("version")) == (benchmark, version):
            line = its.pop("bridge")
            made = None if line is None else Bridge(**line)
            one = Replacement(**its, at=run.started, bridge=made)
            if found and (found[-1].old_id, found[-1].new_id) == (one.old_id, one.new_id):
                one = replace(one, at=found.pop().at)
            found.append(one)
    return found


IMPORTED = "imported"
"""The kind of judges whose verdicts came from elsewhere."""

WAITING: tuple[BatchState, ...] = ("submitting", "submitted")

_OF_NO_BOARD = ("run_id", "served_model", "at")

STATUSES = ("empty", "truncated", "no_final_answer", "refused", "end_unknown")
"""Of answers that are not plain ones; the last is counted only where there are any."""


class JudgedBy(NamedTuple):
    """Who judged whom in which run, and what served the judge; ids, None where there is none."""

    judge_id: str
    model_id: str
    opponent_id: str | None
    run_id: str
    served_model: str | None


class BoardData:
    """A benchmark's verdicts by board, and what is known of those who answered and judged.

    only
        Ids of the models whose verdicts and answers alone are read; all if None. What is said of
        these models, each for itself or one against another, is the same then.

    runs
        All of the store's, the first first; read if not given.
    meanwhile
        Told the verdicts when they have been read: what can be begun before answers are.
    verdicts
        The rows of each board, under names that mean one model or judge, those of panels after
        those of the judges.
    models, judges
        Id -> the name shown.
    lengths
        By model as it is shown and item, the characters of an answer; the mean of several.
    panels
        By name; their judges under the names shown.
    weighed
        By name of a panel and board, how it weighs its judges, in words.
    refused
        Why a panel has no verdicts, by its name.
    heard_of
        By id of a model, when its last answer or failure came, in seconds.
    judged_at
        By `JudgedBy`, when the last of its verdicts was given, in seconds.
    stacks_of
        By id of a model, the stacks, as JSON, that its newest answers were generated on.
    both_orders
        The judges, by id, that were shown some pair in both orders.
    suspicious
        The models, as they are shown, whose answers may be meant for the judge, and why.
    repeats
        How often each question occurs among the items; None where each occurs once.
    """

    def __init__(
        self,
        store: Store,
        which: BenchmarkRef,
        panels: Sequence[Panel],
        only: Collection[str] | None = None,
        runs: Sequence[RunManifest] | None = None,
        meanwhile: Callable[[Columns], object] = bool,
    ) -> None:
        self.store, self.which = store, which
        self.runs = store.runs() if runs is None else runs
        stored: Columns = store.board_verdicts(which.name, which.version, only)
        meanwhile(stored)
        failures: Columns = store.failures(which.name, which.version)
        self.spec_of = {judge.id: judge.spec for judge in store.judges()}
        elsewhere = {one for one, spec in self.spec_of.items() if spec.kind == IMPORTED}
        imported = elsewhere.intersection(counted(stored["judge_id"]))
        answers: Columns = store.board_answers(
            which.name, which.version, only, texts=bool(imported)
        )
        known, heard = store.models(), [answers, failures, stored]
        met = [] if only is None else store.models_met(which.name, which.version)
        asked = [] if only is None else store.judges_met(which.name, which.version)
        # Whose verdicts were not read: their names are told apart all the same.
        for who, of in (("model", met), ("judge", asked)):
            if of:
                heard.append({who: [one.name for one in of], f"{who}_id": [one.id for one in of]})
        self.models, self.judges = disambiguate(heard, "model"), disambiguate(heard[1:], "judge")
        self.model_ids = {shown: one for one, shown in self.models.items()}
        self.plain_names = {model.name for model in known}
        self._read_answers(answers)
        told = marks_of_answers(answers) if imported else {}
        self.heard_of: dict[str, float] = dict.fromkeys((model.id for model in met), 0.0)
        for table in (answers, failures):
            for model, at in latest(table["at"], table["model_id"]).items():
                if model is not None:
                    self.heard_of[model] = max(self.heard_of.get(model, 0.0), at)
        judged = latest(stored["at"], *(stored[name] for name in JudgedBy._fields))
        self.judged_at = {JudgedBy(*which): at for which, at in judged.items()}
        self._runs_of = stored["judge_id"], stored["run_id"]
        compared = any(one is not None for one in coded(stored["opponent_id"]).values)
        self.both_orders = _in_both_orders(stored) if compared else set()
        stored = {name: said for name, said in stored.items() if name not in _OF_NO_BOARD}

        items = store.items(which.name, which.version) if which.report.turns else ()
        everything = with_failures(
            *(renamed(c, self.models, self.judges) for c in (stored, failures)),
            expected=[
                (one.id, turn) for one in items if one.turns for turn in range(one.n_answers)
            ],
        )
        del stored, failures, answers  # each copy of a million verdicts is a hundred megabytes
        # What says how good an answer is, and not how sure of it its model is.
        on_boards = marked(everything["judge_kind"], lambda kind: kind not in CONFIDENCES)
        if which.first_only:
            on_boards &= ~marked(everything["sample"], bool)
        verdicts = dict(where(everything, on_boards))
        del everything
        verdicts = self._noted(verdicts, known)
        self.marks: dict[tuple[str, str], Marks] = {}
        if any(coded(verdicts["marks"]).values):
            self.marks = marks_by_judge(verdicts)
        if told:
            self.marks |= self._marks_of_imported(verdicts, imported, told)
        constant = {self.models[one]: said for one, said in self.constant.items()}
        self.suspicious = suspicions(constant, self.marks) if constant or self.marks else {}
        self.verdicts: dict[BoardKind, Columns] = boards(verdicts)
        self.panels: dict[str, Panel] = {}
        self.weighed: dict[tuple[str, BoardKind], list[str]] = {}
        self.refused: dict[str, str] = {}
        for panel in panels:
            self._assignment(panel)

    def _noted(
        self, verdicts: dict[str, Column], known: Iterable[StoredModel]
    ) -> dict[str, Column]:
        """The verdicts, with what makes items one question, who chooses, and parts of scores."""
        which = self.which
        contents = self.store.item_contents(which.name, which.version)
        judged_items = counted(verdicts["item_id"])
        times = Counter(contents.get(item) or item for item in judged_items)
        self.repeats = [*times.values()] if len(times) < len(judged_items) else None
        if self.repeats is not None:
            verdicts["unit"] = coded(verdicts["item_id"]).mapped(contents.get)
        if which.report.sparse:
            verdicts[SPARSE] = same(True, len(verdicts["item_id"]))
        # The judges by whose scores some model's answers were chosen among several.
        said = (one.spec.decoding.get("selection") for one in known if one.id in self.models)
        chosen_by = {str(one["scorer"])[:12] for one in said if isinstance(one, Mapping)}
        if choosers := {self.judges[one] for one in chosen_by & self.judges.keys()}:
            verdicts[CHOOSES] = coded(verdicts["judge"]).mapped(choosers.__contains__)
        self.undeclared = undeclared(verdicts, which.labels)
        if self.undeclared:  # before a panel takes them for votes
            verdicts["kind"] = _declared(verdicts, which.labels)
        if "score" in counted(verdicts["kind"]):
            verdicts = with_parts(verdicts)
        del verdicts["parts"]
        return verdicts

    def _marks_of_imported(
        self, verdicts: Columns, imported: Collection[str], told: Mapping[str, Marks]
    ) -> dict[tuple[str, str], Marks]:
        """By judge and model, of the answers that judges of elsewhere have judged."""
        # A model whose first answers came after the verdicts were read has no name here.
        found = {self.models[one]: marks for one, marks in told.items() if one in self.models}
        judged = counted(verdicts["judge"], verdicts["model"])
        return {
            (judge, model): marks
            for judge in (self.judges[one] for one in imported)
            for model, marks in found.items()
            if (judge, model) in judged
        }

    def _read_answers(self, answers: Columns) -> None:
        self.statuses = Counter(counted(answers["model_id"], answers["status"]))
        stacks = counted(answers["model_id"], answers["stack"])
        self.stacks = Counter(model for model, _ in stacks)
        self.stacks_of: dict[str, set[str]] = {}
        for model, stack in stacks:
            if stack is not None:
                self.stacks_of.setdefault(model, set()).add(stack)
        suspects = may_be_constant(answers)
        self.constant = constant_answers(self._texts(suspects, answers)) if suspects else {}
        place = paired(coded(answers["model_id"]).mapped(self.models.get), answers["item_id"])
        length = np.asarray(answers["length"], dtype=np.float64)
        total, n = np.bincount(place.codes, length), np.bincount(place.codes)
        self.lengths = dict(zip(place.values, (total / n).tolist(), strict=True))
        of_model = coded(answers["model_id"])
        characters = np.bincount(of_model.codes, length).tolist()
        self._length = dict(zip(of_model.values, map(int, characters), strict=False))

    def _texts(
        self, models: Collection[str] | None = None, known: Columns | None = None
    ) -> Columns:
        """The newest answers as they are, of some models, by id, or of all; read if not known."""
        if models is not None and known is not None and "text" in known:
            return where(known, marked(known["model_id"], set(models).__contains__))
        return self.store.board_answers(self.which.name, self.which.version, models, texts=True)

    def answers_of(self, model_id: str) -> dict[str, str]:
        """A model's answers by item."""
        texts = self._texts([model_id])
        return dict(zip(texts["item_id"], texts["text"], strict=True))

    def groups(self, by: str) -> dict[str, str | tuple[str, ...]]:
        """The group of each item that has one, or its several, in one way of grouping."""
        return groups_of(self._items, by)

    @cached_property
    def figures(self) -> tuple[str, ...]:
        """The shares of labels that stand in the place of one number, by group if they are apart.

        None where there is one number.
        """
        return figures(self.which, self._items)

    @cached_property
    def balance(self) -> Balance | None:
        """How categories make up the whole, where the benchmark says so."""
        return balance_of(self.which, self._items if self.which.report.sides else ())

    @property
    def category_of(self) -> dict[str, str]:
        """The category of each item that has one."""
        return {item.id: item.category for item in self._items if item.category is not None}

    def check_grouping(self, by: str) -> None:
        """That some item is grouped so.

        Raises
        ------
        UsageError
            Naming the ways there are.
        """
        known = sorted({name for item in self._items for name in _groups_of(item)})
        if by not in known:
            raise UsageError(f"{self.which}: {unknown_name('way of grouping', by, known)}")

    def chances(self) -> dict[str, float]:
        """What an answer drawn at random scores, from 0 to 1: one of the options, or any score."""
        return {item.id: 1.0 / len(item.options) if item.options else 0.5 for item in self._items}

    @cached_property
    def _items(self) -> list[Item]:
        return self.store.items(self.which.name, self.which.version)

    def answers(self, model_id: str, opponent: str | None = None) -> dict[str, int]:
        """How many answers a model gave, of which status, and how long they are in the mean.

        The length is cut to whole characters, as AlpacaEval prints it; beside an opponent it is as
        in `mean_length`.
        """
        of_status = {status: self.statuses[model_id, status] for status in ("ok", *STATUSES)}
        n = sum(of_status.values())
        counts = {"answers": n} | {status: of_status[status] for status in STATUSES[:-1]}
        counts |= {status: of_status[status] for status in STATUSES[-1:] if of_status[status]}
        length = self.mean_length(model_id, opponent)
        return counts | ({} if math.isnan(length) else {AVG_LENGTH: int(length)})

    def words(self, categories: Collection[str]) -> dict[tuple[str, str], float]:
        """Words of the answers to items of these categories, by model, as shown, and item."""
        texts, category_of = self._texts(), self.category_of
        columns = (texts[name] for name in ("model_id", "item_id", "text"))
        counts = grouped(
            ((self.models[model], item), len(text.split()))
            for model, item, text in zip(*columns, strict=True)
            if category_of.get(item) in categories and model in self.models
        )
        return {place: sum(some) / len(some) for place, some in counts.items()}

    def mean_length(self, model_id: str, beside: str | None = None) -> float:
        """Characters of a model's answers in the mean; nan without any.

        ``beside`` one that answered other items too, or not all of them, of those of both.
        """
        if beside is not None and (theirs := self._answered.get(beside)):
            own = self._answered.get(model_id, set())
            if not own <= theirs:
                name = self.models[model_id]
                both = [self.lengths[name, item] for item in own & theirs]
                return math.fsum(both) / len(both) if both else math.nan
        n = sum(self.statuses[model_id, status] for status in ("ok", *STATUSES))
        return self._length[model_id] / n if n else math.nan

    @cached_property
    def _answered(self) -> dict[str, set[str]]:
        """The items that each model has answers to, by its id."""
        found: dict[str, set[str]] = {}
        for name, item in self.lengths:
            if name in self.model_ids:
                found.setdefault(self.model_ids[name], set()).add(item)
        return found

    def served(self, judges: Iterable[str], model: str | None = None) -> tuple[str, ...]:
        """The models that served the replies of these judges, or those about one model; by id."""
        wanted = set(judges)
        served = {
            one.served_model
            for one in self.judged_at
            if one.judge_id in wanted and model in (None, one.model_id)
        }
        return tuple(sorted(name for name in served if name))

    def left_out(self, judge: str) -> tuple[str, ...]:
        """What this judge, given by id, asked for and its model does not take."""
        if not self.spec_of[judge].sampling:
            return ()
        return self.store.left_out(judge, self.which.name, self.which.version)

    # panels -------------------------------------------------------------------------------------

    def _assignment(self, panel: Panel) -> None:
        """Combine its judges' verdicts wherever all of them are, or say why not."""
        try:
            seated = panel.model_copy(
                update={"judges": [self._newest(name) for name in panel.judges]}
            )
            in_common = [
                kind
                for kind, verdicts in self.verdicts.items()
                if set(seated.judges) <= counted(verdicts["judge"]).keys()
            ]
            if not in_common:
                raise UsageError("its judges have no board in common")
            for kind in in_common:
                said, self.weighed[panel.name, kind] = combine(self.verdicts[kind], seated)
                said["judge"] = same(panel.name, len(said["judge"]))
                self.marks |= self._marks_of_panel(kind, seated.judges, panel.name)
                self.verdicts[kind] = together(self.verdicts[kind], said)
        except UsageError as error:
            self.refused[panel.name] = str(error)
        else:
            self.panels[panel.name] = seated

    def _marks_of_panel(
        self, kind: BoardKind, judges: Sequence[str], panel: str
    ) -> dict[tuple[str, str], Marks]:
        """What any of its judges saw in the answers, or was imported without having looked at."""
        verdicts = self.verdicts[kind]
        its = where(verdicts, marked(verdicts["judge"], lambda judge: judge in judges))
        found = marks_by_judge({**its, "judge": same(panel, len(its["judge"]))})
        for model in counted(its["model"]):
            for marks in (
                self.marks[judge, model] for judge in judges if (judge, model) in self.marks
            ):
                found[panel, model] = found.get((panel, model), NO_MARKS).joined(marks)
        return found

    def _newest(self, name: str) -> str:
        """The name shown of a judge; of several that go by one name, the one that judged last."""
        try:
            called = find_judges(name, self.judges, self.store, self.which)
        except UsageError:
            if waits := self._not_judged_yet(name):
                raise UsageError(waits) from None
            raise
        if len(called) == 1:
            return called[0]
        when, last = {run.id: run.started for run in self.runs}, last_values(*self._runs_of)
        ids = {shown: one for one, shown in self.judges.items()}
        return max(called, key=lambda shown: when.get(last.get(ids[shown], ""), 0.0))

    @cached_property
    def replacements(self) -> list[Replacement]:
        """Where judges took others' places here."""
        if not any(run.configuration.get(REPLACED) for run in self.runs):
            return []
        return replacements(self.runs, self.which.name, self.which.version)

    def _not_judged_yet(self, name: str) -> str | None:
        """That a judge of a suite has no verdicts yet; None for a name that no suite has."""
        suites = [run.configuration for run in self.runs]
        if all(name != judge["name"] for suite in suites for judge in suite.get("judges", ())):
            return None
        said = f"{name} has no verdicts here yet"
        if any(batch.asker == name for batch in self.store.batches(WAITING)):
            return f"{said}; its questions wait in a batch, see `judgebench batches list`"
        return said


def _in_both_orders(stored: Columns) -> set[str]:
    """The judges that were shown some pair in both orders."""
    compared = where(stored, marked(stored["opponent_id"], lambda one: one is not None))
    if not len(compared["item_id"]):
        return set()
    judge, *pair = (
        compared[name]
        for name in ("judge_id", "model_id", "opponent_id", "item_id", "sample", "repeat")
    )
    pairs = counted(distinct(judge, *pair))
    in_order = counted(distinct(judge, *pair, compared["order"]))
    return {one for one, n in pairs.items() if in_order[one] > n}


def groups_of(items: Iterable[Item], by: str) -> dict[str, str | tuple[str, ...]]:
    """The group of each item that has one, or its several, in one way of grouping."""
    found = ((item.id, _groups_of(item).get(by)) for item in items)
    return {item: group for item, group in found if group is not None}


def balance_of(which: BenchmarkRef, items: Iterable[Item]) -> Balance | None:
    """How categories make up the whole; None where items count equally."""
    report = which.report
    if not report.sides:
        return None
    return Balance(
        category_of={item.id: item.category for item in items if item.category is not None},
        sides=report.sides, unparsed=report.unparsed, not_applicable=report.not_applicable,
    )  # fmt: skip


def figures(which: BenchmarkRef, items: Iterable[Item]) -> tuple[str, ...]:
    """The shares of labels that stand in the place of one number, by group if they are apart.

    None where there is one number.
    """
    groups = [] if which.report.apart is None else group_names(groups_of(items, which.report.apart))
    ends = [""] if which.report.apart is None else [f"/{one}" for one in groups]
    return tuple(f"{name}{end}" for end in sorted(ends) for name in which.report.rates)


def _groups_of(item: Item) -> dict[str, str | tuple[str, ...]]:
    """What an item can be grouped by; text alone names a group, and several texts several."""
    told: dict[str, str | tuple[str, ...]] = {}
    for name, value in item.metadata.items():
        if isinstance(value, str):
            told[name] = value
        elif isinstance(value, list) and value and all(isinstance(one, str) for one in value):
            told[name] = tuple(value)
    own = {"language": item.language} if item.turns else {}
    return {**told, **own, **({} if item.category is None else {"category": item.category})}


def _declared(verdicts: Columns, labels: Sequence[str]) -> Column:
    """The kinds, with a label that is not declared as unreadable."""
    said = paired(verdicts["kind"], verdicts["label"])
    return said.mapped(
        lambda one: "unreadable" if one[0] == "label" and one[1] not in labels else one[0]
    )


# which version of a model is meant ---------------------------------------------------------------


def newest_model(data: BoardData, name: str) -> str | None:
    """The newest model of a name, a shown name or an id, as it is shown; None without any."""
    newest = newest_first(data)
    itself = [shown for shown in newest if name in (shown, data.model_ids[shown])]
    return next(iter([*models_named(data, newest, name), *itself]), None)


def model_called(data: BoardData, newest: Sequence[str], name: str) -> str:
    """The model that is meant, as it is shown: of several of a plain name the first."""
    ids = {shown: data.model_ids[shown] for shown in newest}
    if name not in ids and name not in ids.values() and (named := models_named(data, newest, name)):
        return named[0]
    return find_model(name, list(newest), ids, data.store, data.which)


def models_named(data: BoardData, among: Sequence[str], name: str) -> list[str]:
    """The models that go by a name, or did."""
    names = {model.id: (model.name, *model.names) for model in data.store.models()}
    return [shown for shown in among if name in names.get(data.model_ids[shown], ())]


def newest_first(data: BoardData) -> list[str]:
    """The models as they are shown, by the last run that used a verdict on them, then by verdicts.

    One that has answers or failures and no verdict counts from those on: tonight's model must not
    be taken for last night's because no judge could be reached.
    """
    started = {run.id: run.started for run in data.store.runs()}
    last = {model: (at, 0.0) for model, at in data.heard_of.items()}
    for judged, at in data.judged_at.items():
        when = started.get(judged.run_id, 0.0), at
        for one in (judged.model_id, judged.opponent_id):
            if one is not None:
                last[one] = max(last.get(one, when), when)
    shown: Mapping[str, str] = data.models
    return [shown[one] for one in sorted(last, key=lambda one: (last[one], one), reverse=True)]


# what a reader of a board has to know: flags beside a model, warnings below the board -------------

RUNS = 20
"""So many of the runs behind a board are asked for their plans, the newest."""

UNEVEN = 0.05
"""Shares of missing verdicts that differ by more are said: they may favour a model."""


def flags_of(
    data: BoardData,
    model: str,
    judged: Estimate,
    counts: Mapping[str, int],
    marks: Marks,
    opponent: str | None = None,
) -> tuple[str, ...]:
    """What stands beside one model.

    Parameters
    ----------
    judged
        What rests on all of the model's verdicts.
    opponent
        The id of whom it is compared with.
    """
    said = [SUSPICIOUS] if model in data.suspicious else []
    if missing_share(judged) > 1 - data.which.coverage_floor:
        said.append("coverage")
    if model not in data.plain_names:  # told apart by digits of its key
        said.append("two versions")
    said += [f"{status.replace('_', ' ')} answers" for status in STATUSES if counts.get(status)]
    if data.model_ids[model] in data.constant:
        said.append("constant answers")
    # Mean length over the opponent's, of items of both; nan where either is not known.
    own = data.model_ids[model]
    theirs = math.nan if opponent is None else data.mean_length(opponent, own)
    ratio = data.mean_length(own, opponent) / theirs if theirs > 0 else math.nan
    if ratio > LENGTHS_APART:
        said.append(LONGER)
    elif ratio < 1 / LENGTHS_APART:
        said.append(SHORTER)
    for mark in marks.answers:
        if mark == CUT or mark in SUSPECT:
            said.append("cut answers" if mark == CUT else mark.replace("_", " "))
    return tuple(said)


def warnings_of(
    data: BoardData, judge: str, members: Sequence[str], rows: Sequence[Row]
) -> tuple[str, ...]:
    """What stands below the board of a judge.

    Parameters
    ----------
    judge
        The name shown.
    members
        The id of the judge; of a panel, those of its judges.
    """
    specs = [data.spec_of[member] for member in members]
    said = []
    if data.which.official and any(spec.official_prompt is False for spec in specs):
        said.append("not the official judge prompt: not comparable with published figures")
    said += [
        f"verdicts of several served models are mixed: {few(served)}"
        for served in (data.served([member]) for member in members)
        if len(served) > 1
    ]
    said += [one.line for one in data.replacements if one.concerns(*members)]
    if judge in data.undeclared:
        said.append(undeclared_labels(data.undeclared[judge], data.which))
    shares = {row.model: missing_share(row.judged) for row in rows}
    if shares and max(shares.values()) - min(shares.values()) > UNEVEN:
        least, most = min(shares, key=shares.__getitem__), max(shares, key=shares.__getitem__)
        worst = any(row.leading.missing and row.leading.worst_low is not None for row in rows)
        said.append(
            f"missing verdicts are uneven, from {shares[least]:.0%} ({least}) to "
            f"{shares[most]:.0%} ({most})" + ("; see the worst case" if worst else "")
        )
    shown = [row.model for row in rows]
    if any(PLANS in run.configuration for run in data.runs):
        said += dict.fromkeys(line for member in members for line in cut_short(data, member, shown))
    said += [
        f"{row.model}: its answers were generated in {ways} different ways"
        for row in rows
        if (ways := data.stacks[row.model_id]) > 1
    ]
    said += [
        f"{row.model}: {said_of_constant(one)}"
        for row in rows
        if (one := data.constant.get(row.model_id))
    ]
    apart = {
        word: few([row.model for row in rows if flag in row.flags])
        for flag, word in ((LONGER, "longer"), (SHORTER, "shorter"))
    }
    if named := "; ".join(f"{word}: {models}" for word, models in apart.items() if models):
        said.append(
            f"mean lengths over {LENGTHS_APART:g} times the opponent's, or under a third of it "
            f"({named}): judges favour length, and a length-controlled rate is "
            "an extrapolation"
        )
    marked = [(row.model, data.marks.get((judge, row.model))) for row in rows]
    if marks := {model: its for model, its in marked if its is not None}:
        limits = {spec.options.get("max_answer_chars") for spec in specs}
        limit = limits.pop() if len(limits) == 1 else None
        said += said_of_marks(marks, limit if isinstance(limit, int) else None)
    return tuple(said)


def missing_share(estimate: Estimate) -> float:
    """Of the verdicts that should be there."""
    expected = estimate.n + estimate.missing
    return estimate.missing / expected if expected else 0.0


def cut_short(board: BoardData, judge_id: str | None, models: Collection[str]) -> list[str]:
    """Which of these models a judge judged no further than it took to decide, as they are shown."""
    ids = {board.model_ids[model]: model for model in models}
    found: dict[str, str] = {}
    for ended, _ in plans_behind(board, judge_id, ids):
        for one in ids.keys() & ended.keys():
            told = ended[one]
            if told["items"] < told["of"]:
                open_ = told["decision"] == "undecided"
                found.setdefault(
                    one,
                    f"{ids[one]} was judged until it was decided, {told['items']} of {told['of']} "
                    "items: intervals and tests of a fixed number of items do not know of that"
                    if not open_
                    else f"{ids[one]} is judged by a plan that has not decided, {told['items']} of "
                    f"{told['of']} items: run again to go on",
                )
    return list(found.values())


def plans_behind(
    board: BoardData, judge_id: str | None, models: Collection[str]
) -> Iterator[tuple[Mapping[str, Any], str]]:
    """What became of the plans behind verdicts on these models, the newest first; the baselines."""
    runs = {
        one.run_id
        for one in board.judged_at
        if one.judge_id == judge_id and (one.model_id in models or one.opponent_id in models)
    }
    found = [board.store.run(run_id) for run_id in sorted(runs, reverse=True)[:RUNS]]
    plans = [run and run.configuration.get(PLANS, {}).get(f"{judge_id} {board.which}")
             for run in found]  # fmt: skip
    for told in filter(None, plans):
        ended = told["ended"]
        if not all(plans):  # what a run without one has judged to the end was not cut short
            ended = {
                model: its for model, its in ended.items()
                if its["items"] == its["of"] or _judged(board, judge_id, model) < its["of"]
            }  # fmt: skip
        yield ended, told["baseline"]


def _judged(board: BoardData, judge_id: str | None, model_id: str) -> int:
    """Of how many items the board has a verdict of a judge on a model."""
    judge = "" if judge_id is None else board.judges[judge_id]
    items: set[str] = set()
    for its in board.verdicts.values():
        mine = marked(its["judge"], judge.__eq__) & marked(its["kind"], lambda one: one != FAILED)
        mine &= marked(its["model"], lambda one: board.model_ids.get(one) == model_id)
        items.update(select_rows({"item_id": its["item_id"]}, np.flatnonzero(mine))["item_id"])
    return len(items)
