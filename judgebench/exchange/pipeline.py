"""The one way of an import: read, make rows, check, look up ids, store in portions.

A format reads its files into rows and finds whatever is wrong with them before a store is touched.
An `Intake` then holds them against a store and stores what that lacks, under a run of its own: a
file is taken in whole or not at all, the same file again changes nothing, and one that was cut goes
on where it ended.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import cache, lru_cache, partial
from itertools import chain
from pathlib import Path
from sys import intern
from typing import Any, NamedTuple, Protocol, TypeAlias

from judgebench import keys, registry
from judgebench.benchmarks.description import find
from judgebench.benchmarks.folder import items_at_hand
from judgebench.benchmarks.own_prompts import newest_version, own_versions
from judgebench.errors import InputError, StoreBusyError, at_once, unknown_name
from judgebench.execution.manifest import alive, new_manifest
from judgebench.protocols import Meter, NoProgress, Progress
from judgebench.records import (
    BINARY,
    HUMAN,
    PANEL,
    Case,
    ChatRequest,
    DriftCheck,
    Item,
    JsonObject,
    JudgeSpec,
    Judgment,
    ModelSpec,
    Reply,
    Response,
    RunManifest,
    RunVerdict,
    Score,
    Verdict,
    VerdictSlot,
    is_human,
)
from judgebench.rows import Row
from judgebench.store.catalog import StoredJudge, StoredModel
from judgebench.store.codec import readable
from judgebench.store.database import chunks
from judgebench.store.read import StoredAnchors
from judgebench.store.store import Store

At: TypeAlias = tuple[str, str]
"""A benchmark and its version."""

KnownItems: TypeAlias = Callable[[str, str], Mapping[str, Item] | None]
"""Benchmark and version -> its items by id; None where nobody knows them."""


class Told(NamedTuple):
    """Under which benchmark and version the store keeps what files hold, and about which items.

    benchmark, version
        The version is the benchmark's own where none is said.
    items_of
        Whose items they are, by benchmark and version.
    known
        The same; None takes in what no benchmark has.
    """

    benchmark: str
    version: str | None
    items_of: KnownItems
    known: KnownItems | None

    @property
    def at(self) -> At:
        return self.benchmark, self.version or default_version(self.benchmark)


def told(
    usual: str,
    *,
    benchmark: str = "",
    version: str | None = None,
    known_items: KnownItems = items_at_hand,
    allow_unknown_items: bool = False,
) -> Told:
    """What was said, of a format whose files are of the ``usual`` benchmark."""
    known = None if allow_unknown_items else known_items
    return Told(benchmark=benchmark or usual, version=version, items_of=known_items, known=known)


NO_VERSION = "unversioned"
"""The version of a benchmark that neither the file nor a description gives one."""


def name(row: Row, field: str) -> str:
    """A name or id that can be stored as it is; one text, however many rows name it."""
    found = intern(row.text(field))
    if readable(found) != found:
        raise row.wrong(
            field,
            f"{found!r} holds a NUL character or half a surrogate pair, which no name may; "
            "correct it where it comes from",
        )
    return found


def optional_name(row: Row, field: str) -> str | None:
    return name(row, field) if row.has(field) else None


def judge_name(row: Row) -> str:
    """The name of a judge, which is read as neither a panel nor a person without a name."""
    found = name(row, "judge")
    if reason := no_judge(found):
        raise row.wrong("judge", reason)
    return found


def no_judge(called: str) -> str | None:
    """Why no judge has this name; None where it may have.

    A panel is formed of verdicts that are there, so one of that name would stand in for it. A
    person is ``human/<rater>``: without a rater it would be nobody, and in the majority of all.
    """
    if called.strip().startswith(PANEL):
        return f"{called!r} would be taken for a panel; give this judge another name"
    if called.startswith(f"{HUMAN}/") and not called.removeprefix(f"{HUMAN}/").strip():
        return f"{called!r} names no person; write human/<rater>"
    return None


def benchmark_name(row: Row) -> str:
    """The name of a benchmark, which can be written as NAME@VERSION."""
    found = name(row, "benchmark")
    if "@" in found:
        raise row.wrong(
            "benchmark",
            f"{found!r}: no benchmark's name has an '@', which is written before a version; give "
            "the version in a field 'version'",
        )
    return found


def by_id(known: Iterable[StoredJudge | StoredModel], row: Row, field: str) -> bytes | None:
    """The key of the stored model or judge that a row names with its id, as our own export does.

    None where the row gives no id, the store does not have it, or it goes by another name there:
    then the name is all there is to go by.
    """
    given = row.values.get(f"{field}_id")
    if given is None:
        return None
    called = row.text(field)
    for one in known:
        if one.id == given and any(called == n or called.startswith(f"{n}@") for n in one.names):
            return one.key
    return None


def default_version(benchmark: str) -> str:
    """The version meant where none is named."""
    if benchmark not in registry.benchmark_folders():
        return NO_VERSION
    return find(benchmark)[0].default_version


class OwnItems:
    """The own prompts that runs of a store have asked, which nobody else knows."""

    def __init__(self, store: Store) -> None:
        self._store, self._runs = store, store.runs()
        self._held = store.benchmarks()
        self._own = set(own_versions(self._runs)) & set(self._held)
        self.version = cache(self._newest)

    def _newest(self, benchmark: str) -> str | None:
        """The version meant where none is named: that of the run started last."""
        return newest_version(benchmark, self._runs, self._held)

    def __call__(self, benchmark: str, version: str) -> Mapping[str, Item] | None:
        """The items by id; None for what are no own prompts."""
        if (benchmark, version) not in self._own:
            return None
        return {item.id: item for item in self._store.items(benchmark, version)}


def refuse_undeclared(rows: Iterable[tuple[Row, str]], benchmark: str) -> None:
    """Refuse labels that no report could count."""
    described = benchmark in registry.benchmark_folders()
    labels = find(benchmark)[0].labels if described else BINARY
    for row, label in rows:
        if label not in labels:
            raise row.wrong(
                "value" if row.has("value") else "label",
                unknown_name(f"label of {benchmark}", label, labels)
                + ("" if described else ", as for every benchmark without a benchmark.toml"),
            )


def refuse_unknown(rows: Sequence[tuple[Row, str]], at: At, known_items: KnownItems | None) -> None:
    """Refuse ids that a benchmark, as far as it is known, does not have."""
    known = None if known_items is None else known_items(*at)
    unknown = [] if known is None else [(row, item) for row, item in rows if item not in known]
    if unknown:
        row, item = unknown[0]
        raise row.wrong(
            "item_id",
            f"{item!r} is no item of {at[0]}@{at[1]}; {len(unknown)} of {len(rows)} rows name "
            "such items. Is the file of another benchmark or version? (--allow-unknown-items "
            "takes them in)",
        )


def missing_items(stored: Mapping[str, Item], wanted: Iterable[str], at: At) -> dict[str, Item]:
    """The items that the store lacks: with their question where it is at hand, else by id.

    Of a benchmark whose turns count one by one all: what a file lacks is missing on its boards.
    """
    known = None
    if at[0] in registry.benchmark_folders() and find(at[0])[0].report.turns:
        known = items_at_hand(*at)
    lacking = [
        item
        for item in dict.fromkeys((*wanted, *(known or ())))
        if item not in stored or not stored[item].turns
    ]
    known = items_at_hand(*at) if lacking and known is None else known
    return {
        item: (known or {}).get(item, Item(benchmark=at[0], version=at[1], id=item, turns=()))
        for item in lacking
    }


IMPORT_LEASE = "import"
SILENT = NoProgress()

PORTION = 1000
"""Rows of an import in one commit: some tenths of a second."""

BETWEEN_S = 0.02
"""Between two commits of an import: time for all who wait, who look every hundredth of a second."""

Write: TypeAlias = tuple[int, Callable[[], object]]
"""How many rows, and what writes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """Counts of an import.

    rows
        In the file.
    new
        Stored now, of which ``changed`` follow an earlier label of the same rater, and ``looks``
        are what a judge said of anchors again.
    known
        In the store already, or twice in the file.
    run_id
        The run that the new ones stand under; None where nothing was new.
    said
        All of it in one line, where the format has words of its own.
    """

    rows: int
    new: int
    known: int
    changed: int = 0
    looks: int = 0
    run_id: str | None = None
    warnings: tuple[str, ...] = ()
    called: str | None = None
    said: str = ""

    def summary(self, rows: str) -> str:
        """In one line; ``rows`` is what they are called, unless the report says it."""
        changed = f" ({self.changed} changed)" if self.changed else ""
        changed += f" ({self.looks} another look at anchors)" if self.looks else ""
        rows = self.called or rows
        return (
            self.said or f"{self.rows} {rows}, {self.new} new{changed}, {self.known} known already"
        )


class TakeIn(Protocol):
    """Stores what was read of a file, and tells how far it is where that takes several commits."""

    def __call__(self, store: Store, *, progress: Progress = ...) -> ImportReport: ...


class Import(NamedTuple):
    """A file, or what several are called, that was found good; ``take_in`` stores it."""

    path: Path | str
    take_in: TakeIn

    def with_warnings(self, *said: str) -> Import:
        """The same, whose report has these warnings after its own."""

        def take_in(store: Store, *, progress: Progress = SILENT) -> ImportReport:
            report = self.take_in(store, progress=progress)
            return replace(report, warnings=(*report.warnings, *said))

        return Import(self.path, take_in)


def files_in(paths: Sequence[Path], suffixes: Sequence[str]) -> list[Path]:
    """The files, and of folders all with these suffixes in them or below, each once.

    Raises
    ------
    InputError
        For a folder without any.
    """
    found: dict[Path, None] = {}
    for path in paths:
        inside = [path]
        if path.is_dir():
            inside = sorted(one for suffix in suffixes for one in path.rglob(f"*{suffix}"))
        if not inside:
            raise InputError(f"{path}: no {' or '.join(suffixes)} file in this folder or below")
        found |= dict.fromkeys(inside)
    return list(found)


# what a store has, and lacks --------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class Board:
    """What the store has of one version of a benchmark when an import begins.

    A verdict in a file is about a model by name, unless it gives the id of one that the store
    has. By name it is taken to be about the newest model so called that has answers here, else
    about the newest with verdicts here, else about a model of which nothing but the name is known
    (then it stands in ``new_models``, as ``new_items`` has the items that are to be stored).
    """

    benchmark: str
    version: str
    current: Mapping[VerdictSlot, tuple[bytes, Verdict]]
    items: dict[str, Item]
    answers: Mapping[tuple[str, bytes, int, int], tuple[str, str]]
    models: dict[str, bytes]
    known: Sequence[StoredModel]
    versions: Mapping[str, int]
    new_models: dict[str, ModelSpec] = field(default_factory=dict)
    new_items: list[Item] = field(default_factory=list)
    warnings: dict[str, None] = field(default_factory=dict)

    @classmethod
    def of(cls, store: Store, benchmark: str, version: str) -> Board:
        current, known = store.current(benchmark, version), store.models()
        answers = _answers(store, known, benchmark, version)
        answered = {key for _, key, _, _ in answers}
        judged = {p.model_key for p in current} | {p.opponent_key for p in current}
        models: dict[str, bytes] = {}
        versions: dict[str, int] = {}
        for among in (judged - answered, answered):  # the later of the two goes before
            for model in known:  # oldest first
                for name in model.names if model.key in among else ():
                    models[name] = model.key
                    versions[name] = versions.get(name, 0) + 1
        return cls(
            benchmark=benchmark,
            version=version,
            current=current,
            items={item.id: item for item in store.items(benchmark, version)},
            answers=answers,
            models=models,
            known=known,
            versions=versions,
        )

    def add_items(self, items: Mapping[str, Item]) -> None:
        """Items that the store lacks; they are to be put with what is about them."""
        self.items |= items
        self.new_items += items.values()

    def model(self, row: Row, field: str = "model") -> bytes:
        """The key of the model that a row names."""
        name = row.text(field)
        if (found := by_id(self.known, row, field)) is not None:
            return found
        if name not in self.models:
            self.models[name] = self.by_name(name)
        elif self.versions.get(name, 1) > 1:
            self.warnings[
                f"{name!r} is the name of {self.versions[name]} models on {self.benchmark}@"
                f"{self.version}; the file is taken to be about {self.models[name].hex()[:6]}, the "
                "newest that has answers"
            ] = None
        return self.models[name]

    def by_name(self, name: str) -> bytes:
        """The key of the model of which nothing but the name is known, which is to be put."""
        self.new_models[name] = named_model(name)
        return keys.model_key(self.new_models[name])

    def model_of(self, name: str, answers: Iterable[tuple[str, int, str]]) -> bytes:
        """The stored model of that name where it gave these answers, else one known by its name.

        ``answers`` are item, sample and text.
        """
        key = self.models.get(name)
        if key is None or any(self.other_answer(key, *answer) for answer in answers):
            return self.by_name(name)
        return key

    def other_answer(self, model: bytes, item: str, sample: int, text: str, turn: int = 0) -> bool:
        """Whether the store has another answer of a model at this place."""
        stored = self.answers.get((item, model, sample, turn))
        return stored is not None and not same_text(stored[0], text)

    def case_key(self, place: VerdictSlot) -> bytes:
        """The key of the answer as a judge sees it, where it is in the store."""
        answer = self.answers.get((place.item_id, place.model_key, place.sample, place.turn))
        return case_key(place, self.items.get(place.item_id), answer)


def _answers(
    store: Store, models: Sequence[StoredModel], benchmark: str, version: str
) -> dict[tuple[str, bytes, int, int], tuple[str, str]]:
    """Item, model, sample and turn -> text and status of the newest answer."""
    table = store.responses_table(benchmark, version)
    key_of = {model.id: model.key for model in models}
    columns = ("item_id", "model_id", "sample", "turn", "text", "status", "newest")
    return {
        (item, key_of[model], sample, turn): (text, status)
        for item, model, sample, turn, text, status, newest in zip(
            *(table[name] for name in columns), strict=True
        )
        if newest
    }


class NewVerdict(NamedTuple):
    """A verdict to be stored.

    before
        The key of the judgment that it follows.
    anchors
        Those that it is another look at; then it stands on no board.
    names
        Whether it is the one that it follows, named by the judge's label.
    """

    place: VerdictSlot
    judge: str
    verdict: Verdict
    reply: Reply | None = None
    before: bytes | None = None
    anchors: StoredAnchors | None = None
    names: bool = False


class Intake:
    """What of some files a store lacks: found, and stored, while the lease of imports is held."""

    def __init__(self, store: Store, what: str, paths: Sequence[Path]) -> None:
        self.store, self.what, self.paths = store, what, paths
        self.boards: dict[At, Board] = {}
        self.responses: dict[bytes, Response] = {}
        self.verdicts: list[NewVerdict] = []

    def board(self, at: At) -> Board:
        if at not in self.boards:
            self.boards[at] = Board.of(self.store, *at)
        return self.boards[at]

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(warning for board in self.boards.values() for warning in board.warnings)

    def put(self, counts: Mapping[str, int], progress: Progress = SILENT) -> str | None:
        """Store what is new, if anything is, under a run of its own; the id of that.

        An import of the same files that was cut goes on, and ends if nothing is lacking. Questions
        of items that were known by id alone are new.
        """
        cut = cut_import(self.store, self.what, self.paths)
        items = [item for board in self.boards.values() for item in board.new_items]
        if not (self.responses or self.verdicts or cut or any(item.turns for item in items)):
            return None
        manifest = import_manifest(self.what, self.paths, counts, cut)
        total = len(items) + len(self.responses) + len(self.verdicts)
        writes = self._writes(manifest.id)
        put_in_portions(self.store, manifest, cut, writes, total, progress)
        return manifest.id

    def _writes(self, run_id: str) -> Iterator[Write]:
        store, now = self.store, time.time()
        for board in self.boards.values():
            for items in chunks(board.new_items):
                yield len(items), partial(store.put_items, items)
            for name, spec in board.new_models.items():
                yield 0, partial(store.put_model, name, spec)
        for some in chunks(self.responses.items()):
            yield len(some), partial(store.put_responses, dict(some))
        there = {judge.key for judge in store.judges()}
        for name in sorted(
            {one.judge for one in self.verdicts if one.place.judge_key not in there}
        ):
            yield 0, partial(store.put_judge, name, imported_judge(name))
        for verdicts in chunks(self.verdicts):
            yield len(verdicts), partial(self._put_verdicts, verdicts, run_id, now)

    def _put_verdicts(self, verdicts: Sequence[NewVerdict], run_id: str, now: float) -> None:
        """The run is the occasion of a look at anchors."""
        judgments: list[tuple[Judgment, RunVerdict]] = []
        looks: list[tuple[Judgment, DriftCheck]] = []
        for one in verdicts:
            place = one.place
            judgment = Judgment(
                key=judgment_key(place, one.verdict, one.before)
                if one.anchors is None
                else keys.content_key(
                    "imported look", [place_key(place), _finite(one.verdict), run_id]
                ),
                judge_key=place.judge_key,
                case_key=self.boards[place.benchmark, place.version].case_key(place),
                verdict=one.verdict,
                reply_keys=_put_reply(self.store, place, one.judge, one.reply),
                at=now,
            )
            if one.anchors is None:
                use = RunVerdict(run_id=run_id, place=place, judgment_key=judgment.key)
                judgments.append((judgment, use))
            else:
                look = DriftCheck(anchors=one.anchors.id, occasion=run_id, place=place)
                looks.append((judgment, look))
        self.store.put_judgments(judgments)
        if looks:
            self.store.put_looks(looks)


def _put_reply(
    store: Store, place: VerdictSlot, judge: str, reply: Reply | None
) -> tuple[bytes, ...]:
    """Keep the reply that a verdict was read from, where there is one; the keys it has then.

    What was asked is not in the files: the reply is known by what it is about.
    """
    if reply is None:
        return ()
    about = {"about": place_key(place).hex()}
    asked = ChatRequest(provider="imported", model=judge, messages=(), extra=about)
    key = keys.request_key(asked)
    store.put_reply(key, asked, reply)
    return (key,)


# what imported things are known by --------------------------------------------------------------


def named_model(model: str) -> ModelSpec:
    """A model of which nothing but the name is known."""
    return ModelSpec(weights=f"name:{model}")


def imported_judge(name: str) -> JudgeSpec:
    """A judge of which nothing but the name is known, or a person.

    Raises
    ------
    InputError
        For a name that is no judge's.
    """
    if reason := no_judge(name):
        raise InputError(f"judge: {reason}")
    return JudgeSpec(kind=HUMAN if is_human(name) else "imported", model=name)


@cache
def imported_judge_key(name: str) -> bytes:
    return keys.judge_key(imported_judge(name))


def recorded(
    at: At, item_id: str, model: bytes, text: str, file: str, **more: Any
) -> tuple[bytes, Response]:
    """An answer in a file, and its key: by place, since what the model was asked is not known."""
    said: dict[str, Any] = {"raw": text, "status": "ok" if text.strip() else "empty", **more}
    response = Response(
        benchmark=at[0],
        version=at[1],
        item_id=item_id,
        model_key=model,
        text=text,
        source=f"file:{file}",
        **said,
    )
    return recorded_key(response), response


def recorded_key(response: Response) -> bytes:
    """The key of an answer in a file."""
    asked = f"recorded:{response.benchmark}@{response.version}/{response.item_id}"
    return keys.response_key(
        response.model_key, (), asked, sample=response.sample, turn=response.turn
    )


def same_text(stored: str, text: str) -> bool:
    """Whether a text is the stored one, or what a file of ours has in its place."""
    return text in (stored, readable(stored))


@lru_cache(maxsize=1)
def place_key(place: VerdictSlot) -> bytes:
    """The key of where a verdict stands; what is about one place comes in a row."""
    return keys.content_key("place", place)


def judgment_key(place: VerdictSlot, verdict: object, before: bytes | None = None) -> bytes:
    """The key of a verdict of somebody else, which may follow another one at its place.

    Two equal answers may be judged differently by a person: the place is in the key.
    """
    return keys.content_key("imported judgment", [place_key(place), _finite(verdict), before])


def _finite(verdict: object) -> object:
    """A score on a scale without ends by its value alone: infinity can be in no key."""
    if isinstance(verdict, Score) and math.isinf(verdict.high - verdict.low):
        return [verdict.value]
    return verdict


def case_key(place: VerdictSlot, item: Item | None, answer: tuple[str, str] | None) -> bytes:
    """The key of an answer, its text and status, as a judge sees it.

    That of the place where one of them is not known, and of a pair.
    """
    if place.opponent_key is not None or answer is None or item is None or not item.turns:
        return place_key(place)
    text, status = answer
    response = Response(
        benchmark=place.benchmark,
        version=place.version,
        item_id=place.item_id,
        model_key=place.model_key,
        text=text,
        raw=text,
        status=status,  # type: ignore[arg-type]  # a status was stored
        sample=place.sample,
        turn=place.turn,
    )
    return keys.case_key(Case(item=item, responses=(response,)))


# the run of an import ---------------------------------------------------------------------------


def import_manifest(
    what: str, paths: Sequence[Path], counts: Mapping[str, int], cut: RunManifest | None = None
) -> RunManifest:
    """A run that ends as it begins; the files, known by their content, are its configuration.

    Where an import of them was ``cut``, it is that run, which goes on; its counts are those of the
    files as they were then.
    """
    named = paths[0].name if len(paths) == 1 else f"{len(paths)} files"
    comma = "" if len(paths) == 1 else ","
    begun = new_manifest(
        f"import {what}{comma} {named}", _configuration(what, paths), data_sha={}, seed=0
    )
    manifest = replace(begun, seeds={}, ended=time.time(), state="done", counts=dict(counts))
    if cut is None:
        return manifest
    return replace(
        manifest,
        id=cut.id,
        name=cut.name,
        configuration=cut.configuration,
        started=cut.started,
        counts=cut.progress["counts"],
    )


def cut_import(store: Store, what: str, paths: Sequence[Path]) -> RunManifest | None:
    """The import of these very files that was cut, if one was: the lease of imports is held."""
    cut = [
        run
        for run in store.runs()
        if run.configuration.get("import") == what and run.state != "done"
    ]
    said = _configuration(what, paths) if cut else {}
    return next((run for run in cut if said.items() <= run.configuration.items()), None)


def taken_in_before(store: Store, what: str, path: Path) -> bool:
    """Whether an import of this very content is in the store."""
    sha = _sha(path)
    whole = (manifest.configuration for manifest in store.runs() if manifest.state == "done")
    return any(c.get("import") == what and c.get("sha256") == sha for c in whole)


def _configuration(what: str, paths: Sequence[Path]) -> JsonObject:
    if len(paths) == 1:
        return {"import": what, "file": paths[0].name, "sha256": _sha(paths[0])}
    return {
        "import": what,
        "files": [{"file": str(path), "sha256": _sha(path)} for path in paths],
    }


def _sha(path: Path) -> str:
    with path.open("rb") as file:  # may be larger than what there is of memory
        return hashlib.file_digest(file, "sha256").hexdigest()


# portions ---------------------------------------------------------------------------------------


def put_in_portions(
    store: Store,
    manifest: RunManifest,
    cut: RunManifest | None,
    writes: Iterable[Write],
    total: int,
    progress: Progress,
) -> None:
    """Write an import under a run of its own, some rows at a time, so that others get between.

    All of it was found good before: what is wrong with a file is in nobody's store. What is one
    portion is one commit. What is more is under way in the meantime, as other runs are, and if it
    is cut its run says so; importing the same files again stores the rest under the same run.

    Parameters
    ----------
    cut
        The run that goes on, which ``manifest`` is of; None for a new one.
    writes
        How many rows, and what writes them, in the order in which they need each other. They are
        called inside a transaction, and taken from the iterator outside of any.
    total
        All of their rows.

    Raises
    ------
    KeyboardInterrupt
        Saying so where a part is stored.
    """
    portions = _portions(writes)
    first, second = next(portions, []), next(portions, None)
    if second is None and cut is None:
        _commit(store, first, manifest, store.start_run)
        return
    began, done = time.time(), sum(rows for rows, _ in first)
    under_way = _under_way(manifest, done, total, began)
    progress.stage(manifest.name, total)
    with store.lease(alive(manifest)):
        _commit(store, first, under_way, store.start_run if cut is None else store.update_run)
        progress.advance(done)
        try:
            for portion in chain([second] if second else [], portions):
                _pause(BETWEEN_S)
                done += sum(rows for rows, _ in portion)
                under_way = _under_way(manifest, done, total, began)
                _commit(store, portion, under_way, store.update_run)
                progress.advance(sum(rows for rows, _ in portion))
                progress.meter(Meter())
            store.update_run(replace(manifest, ended=time.time()))
        except KeyboardInterrupt:
            with suppress(StoreBusyError), at_once():
                store.update_run(replace(under_way, state="interrupted", ended=time.time()))
            raise KeyboardInterrupt(
                "interrupted; a part of the import is stored, and shown: import the same again, "
                "which stores the rest"
            ) from None


_pause = time.sleep


def _portions(writes: Iterable[Write]) -> Iterator[list[Write]]:
    """At least `PORTION` rows each, but for the last one."""
    portion: list[Write] = []
    rows = 0
    for write in writes:
        portion.append(write)
        rows += write[0]
        if rows >= PORTION:
            yield portion
            portion, rows = [], 0
    if portion:
        yield portion


def _commit(
    store: Store,
    portion: Sequence[Write],
    manifest: RunManifest,
    tell: Callable[[RunManifest], None],
) -> None:
    """The run is told first: what is written names it."""
    with store.transaction():
        tell(manifest)
        for _, write in portion:
            write()


def _under_way(manifest: RunManifest, done: int, total: int, began: float) -> RunManifest:
    """The run of an import of which so many rows are stored, or about to be."""
    progress = {
        "stage": manifest.name,
        "total": total,
        "done": done,
        "waiting": 0,
        "failed": {},
        "began": began,
        "at": time.time(),
        **asdict(Meter()),
        "counts": dict(manifest.counts),
    }
    return replace(manifest, state="running", ended=None, counts={}, progress=progress)
