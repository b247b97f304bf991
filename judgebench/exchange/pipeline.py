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
from typing import Any, NamedTuple, Protocol, TypeAlias

from judgebench import keys
from judgebench.errors import InputError, StoreBusyError
from judgebench.exchange.names import At, by_id, no_judge
from judgebench.execution.manifest import alive, new_manifest
from judgebench.protocols import Meter, NoProgress, Progress, at_once
from judgebench.records import (
    HUMAN,
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
from judgebench.store import Store, StoredModel
from judgebench.store.codec import readable
from judgebench.store.database import chunks
from judgebench.store.read import StoredAnchors

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
    """

    rows: int
    new: int
    known: int
    changed: int = 0
    looks: int = 0
    run_id: str | None = None
    warnings: tuple[str, ...] = ()
    called: str | None = None

    def summary(self, rows: str) -> str:
        """In one line; ``rows`` is what they are called, unless the report says it."""
        changed = f" ({self.changed} changed)" if self.changed else ""
        changed += f" ({self.looks} another look at anchors)" if self.looks else ""
        rows = self.called or rows
        return f"{self.rows} {rows}, {self.new} new{changed}, {self.known} known already"


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
