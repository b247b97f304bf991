"""``import alpaca-eval``: answers and judged pairs of AlpacaEval's files and result folders."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from shlex import quote

from judgebench import keys
from judgebench.benchmarks.folder import baseline_texts, items_at_hand
from judgebench.errors import InputError
from judgebench.exchange.alpaca_eval_ids import (
    BENCHMARK,
    hashed_id,
    ids_by_question,
    published_id,
    published_ids,
)
from judgebench.exchange.alpaca_eval_rows import (
    NOT_SAID,
    OTHER_BASELINE,
    About,
    Gathered,
    Judged,
)
from judgebench.exchange.attach import Board, place_key
from judgebench.exchange.known_items import (
    NO_VERSION,
    KnownItems,
    OwnItems,
    default_version,
)
from judgebench.exchange.outcome import (
    IMPORT_LEASE,
    Write,
    cut_import,
    import_manifest,
    put_in_portions,
)
from judgebench.exchange.responses import named_model, recorded_key, same_text
from judgebench.exchange.verdict_rows import same, say
from judgebench.exchange.verdicts import imported_judge, put_reply
from judgebench.records import (
    Item,
    Judgment,
    Message,
    ModelSpec,
    Response,
    RunVerdict,
    Unreadable,
    VerdictSlot,
)
from judgebench.store import Store
from judgebench.store.database import chunks

_MOST = 5
UNSAID = Unreadable(reason=NOT_SAID)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlpacaEvalImport:
    """Counts of an import; ``unsaid`` are judged pairs without a preference and without a reply,
    by model: they are unreadable.

    run_id
        The run that the new ones stand under; None where nothing was new.
    """

    benchmark: str
    version: str
    files: int
    models: int
    verdicts: int
    new_verdicts: int
    unsaid: Mapping[str, int]
    answers: int
    new_answers: int
    run_id: str | None
    warnings: tuple[str, ...]


def import_alpaca_eval(
    store: Store,
    gathered: Gathered,
    *,
    benchmark: str = BENCHMARK,
    version: str | None = None,
    known_items: KnownItems = items_at_hand,
    allow_unknown_items: bool = False,
) -> AlpacaEvalImport:
    """Take in what was gathered, all of it or nothing. The same again changes nothing.

    A preference becomes the probability that the model beats the baseline, asked in AlpacaEval's
    seeded order where the judge is known to have been; the reply is kept with it. Where there is
    no preference the verdict is unreadable, until a file has one.

    Raises
    ------
    InputError
        Naming file and row, for what contradicts the store, and for instructions that the
        benchmark does not have.
    """
    own = OwnItems(store)
    version = version or default_version(benchmark)
    if version == NO_VERSION:
        version = own.version(benchmark) or version
    known = known_items(benchmark, version) or own(benchmark, version)
    with store.lease(IMPORT_LEASE):
        taking = _Taking(store, gathered, benchmark, version)
        taking.find_items(known, allow_unknown_items)
        taking.find_models()
        taking.find_answers()
        taking.find_verdicts()
        run_id = taking.put()
    return AlpacaEvalImport(
        benchmark=benchmark,
        version=version,
        files=len(gathered.files),
        models=len({model for model, _ in gathered.answers}),
        verdicts=len(gathered.judged),
        new_verdicts=len(taking.judgments),
        unsaid=Counter(
            about.model for about, one in gathered.judged.items() if one.verdict == UNSAID
        ),
        answers=len(gathered.answers),
        new_answers=len(taking.responses),
        run_id=run_id,
        warnings=tuple(taking.warnings),
    )


class _Taking:
    """What of the files is new to a store."""

    def __init__(self, store: Store, gathered: Gathered, benchmark: str, version: str) -> None:
        self.store, self.gathered = store, gathered
        self.benchmark, self.version = benchmark, version
        self.board = Board.of(store, benchmark, version)
        self.ids: dict[str, str] = {}
        self.models: dict[str, bytes] = {}
        self.new_models: dict[str, ModelSpec] = {}
        self.responses: dict[bytes, Response] = {}
        self.judgments: list[tuple[About, VerdictSlot, Judged]] = []
        self.warnings: list[str] = []

    def find_items(self, known: Mapping[str, Item] | None, allow_unknown: bool) -> None:
        """The item of every instruction: known to the data, the store, AlpacaEval, or new."""
        of_data = ids_by_question((known or {}).values())
        of_store = ids_by_question(self.board.items.values())
        published = self.benchmark == BENCHMARK
        unknown = []
        for instruction in self.gathered.questions:
            found = of_data.get(instruction)
            if found is None and published and known is None:
                found = published_id(instruction)
            if found is None:
                unknown.append(instruction)
                found = of_store.get(instruction) or hashed_id(instruction)
            self.ids[instruction] = found
        # Where no data is at hand, a set of which nothing is AlpacaEval's is a set of its own.
        if unknown and not allow_unknown and (known or len(unknown) < len(self.ids)):
            where = self.gathered.questions[unknown[0]][0]
            raise InputError(
                f"{where}: instruction: is no item of {self.benchmark}@{self.version}: "
                f"{unknown[0][:60]!r}; {len(unknown)} of {len(self.ids)} instructions are none. Is "
                "the file of another benchmark (--benchmark NAME)? (--allow-unknown-items takes "
                "them in)"
            )
        if published and len(unknown) == len(self.ids):
            self.warnings.append(
                "no instruction is one of AlpacaEval's own; --benchmark NAME keeps these on a "
                "board of their own"
            )
        self._find_new_items(known or {})
        self._say_what_is_short(published and not unknown)

    def _find_new_items(self, known: Mapping[str, Item]) -> None:
        lacking: dict[str, Item] = {}
        for instruction, (_, dataset) in self.gathered.questions.items():
            item_id = self.ids[instruction]
            if item_id in self.board.items and self.board.items[item_id].turns:
                continue
            lacking[item_id] = known.get(item_id) or Item(
                benchmark=self.benchmark,
                version=self.version,
                id=item_id,
                turns=(Message(role="user", content=instruction),),
                category=dataset,
            )
        self.board.add_items(lacking)

    def _say_what_is_short(self, whole_set: bool) -> None:
        wanted = len(published_ids())
        has = Counter(model for model, _ in self.gathered.answers)
        short = [f"{model} ({n})" for model, n in has.items() if n != wanted]
        if whole_set and short:
            more = f" and {len(short) - _MOST} more" if len(short) > _MOST else ""
            self.warnings.append(
                f"not all of the {wanted} instructions are answered: "
                + ", ".join(short[:_MOST])
                + more
            )

    def find_models(self) -> None:
        """The stored model of a name where it gave these answers, else one known by its name."""
        other = {
            model
            for (model, instruction), answer in self.gathered.answers.items()
            if model in self.board.models
            and (stored := self._stored(model, self.board.models[model], instruction)) is not None
            and not same_text(stored, answer.text)
        }
        for model in dict.fromkeys(model for model, _ in self.gathered.answers):
            spec = named_model(model)
            key = self.board.models.get(model)
            if key is None or model in other:
                key = keys.model_key(spec)
                self.new_models[model] = spec
            self.models[model] = key

    def _stored(self, model: str, key: bytes, instruction: str) -> str | None:
        found = self.board.answers.get((self.ids[instruction], key, 0, 0))
        return None if found is None else found[0]

    def find_answers(self) -> None:
        baselines = {about.baseline for about in self.gathered.judged}
        own = {m: baseline_texts(self.benchmark, self.version, m) for m in baselines}
        for (model, instruction), answer in self.gathered.answers.items():
            key = self.models[model]
            stored = self._stored(model, key, instruction)
            known = own.get(model, {}).get(self.ids[instruction])
            if known is not None and known != answer.text:
                raise InputError(
                    f"{answer.where}: this is not what {model!r}, the benchmark's own baseline, "
                    f"answered to item {self.ids[instruction]!r}. {OTHER_BASELINE}"
                )
            if stored is None:
                response = Response(
                    benchmark=self.benchmark,
                    version=self.version,
                    item_id=self.ids[instruction],
                    model_key=key,
                    text=answer.text,
                    raw=answer.text,
                    status="ok" if answer.text.strip() else "empty",
                    source=f"file:{answer.file}",
                )
                self.responses[recorded_key(response)] = response
            elif not same_text(stored, answer.text):
                way_out = "Give this model another name (--model NAME)"
                raise InputError(
                    f"{answer.where}: the store has another answer of {model!r} to item "
                    f"{self.ids[instruction]!r}. "
                    + (OTHER_BASELINE if model in baselines else way_out)
                )

    def find_verdicts(self) -> None:
        for about, judged in self.gathered.judged.items():
            place = VerdictSlot(
                benchmark=self.benchmark,
                version=self.version,
                item_id=self.ids[about.instruction],
                model_key=self.models[about.model],
                judge_key=keys.judge_key(imported_judge(about.judge)),
                opponent_key=self.models[about.baseline],
                order=judged.order,
                repeat=about.repeat,
            )
            _, said = self.board.current.get(place, (None, None))
            if said is None or (said == UNSAID and judged.verdict != UNSAID):
                self._refuse_other_baseline(about, judged)
                self.judgments.append((about, place, judged))
            elif judged.verdict != UNSAID and not same(said, judged.verdict):
                raise judged.row.wrong(
                    "preference",
                    f"{say(judged.verdict)}, but the store has {say(said)} of {about.judge!r} "
                    f"about item {place.item_id!r} of {about.model!r}; correct the row, or give "
                    "the other judge another name (--judge NAME)",
                )

    def _refuse_other_baseline(self, about: About, judged: Judged) -> None:
        """One judge's files have one baseline, unless the command names it."""
        if self.gathered.told.baseline is not None or about.judge in self.gathered.crossed:
            return
        others = self._opponents.get(about.judge, set()) - {self.models[about.baseline]}
        if others:
            names = {model.key: model.name for model in self.board.known}
            raise judged.row.wrong(
                "generator_1",
                f"judged against {about.baseline!r}, but the store has verdicts of "
                f"{about.judge!r} against {names[min(others)]!r}: this is a judge file of another "
                f"baseline; --baseline {quote(about.baseline)} takes it in, for a board of its own",
            )

    @cached_property
    def _opponents(self) -> dict[str, set[bytes]]:
        """Of each judge in the files, whom the store has it compare with."""
        judges = {keys.judge_key(imported_judge(judge)): judge for judge in self.gathered.baselines}
        found: dict[str, set[bytes]] = {}
        for place in self.board.current:
            if place.judge_key in judges and place.opponent_key is not None:
                found.setdefault(judges[place.judge_key], set()).add(place.opponent_key)
        return found

    def put(self) -> str | None:
        """All of it under a run of its own."""
        cut = cut_import(self.store, "alpaca-eval", self.gathered.files)
        if not (self.judgments or self.responses or cut):
            return None
        counts = {"verdicts": len(self.judgments), "responses": len(self.responses)}
        manifest = import_manifest("alpaca-eval", self.gathered.files, counts, cut)
        put_in_portions(self.store, manifest, cut, self._writes(manifest.id))
        return manifest.id

    def _writes(self, run_id: str) -> Iterator[Write]:
        store, now = self.store, time.time()
        for items in chunks(self.board.new_items):
            yield len(items), partial(store.put_items, items)
        for model, spec in self.new_models.items():
            yield 1, partial(store.put_model, model, spec)
        for some in chunks(self.responses.items()):
            yield len(some), partial(store.put_responses, dict(some))
        there = {judge.key for judge in store.judges()}
        for judge in self.gathered.baselines:
            if keys.judge_key(imported_judge(judge)) not in there:
                yield 1, partial(store.put_judge, judge, imported_judge(judge))
        for judgments in chunks(self.judgments):
            yield len(judgments), partial(self._put_judgments, run_id, judgments, now)

    def _put_judgments(
        self, run_id: str, judgments: Sequence[tuple[About, VerdictSlot, Judged]], now: float
    ) -> None:
        for about, place, judged in judgments:
            self._put_judgment(run_id, about, place, judged, now)

    def _put_judgment(
        self, run_id: str, about: About, place: VerdictSlot, judged: Judged, now: float
    ) -> None:
        at = place_key(place)
        replies = put_reply(self.store, place, about.judge, judged.reply)
        judgment = Judgment(
            key=keys.content_key("imported judgment", [at, judged.verdict, None]),
            judge_key=place.judge_key,
            case_key=at,
            verdict=judged.verdict,
            reply_keys=replies,
            at=now,
        )
        use = RunVerdict(run_id=run_id, place=place, judgment_key=judgment.key)
        self.store.put_judgment(judgment, [use])
