"""``import alpaca-eval``: answers and judged pairs of AlpacaEval's files and result folders.

All files are gathered and held against each other before any is stored. An item is known by the
text of its instruction, never by its row. *Cross-annotations* (``annotator_index``) are several
labels of each pair: of several people, or of one judge that was asked as often.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from shlex import quote
from typing import Any, NamedTuple

from judgebench.benchmarks.folder import baseline_texts, items_at_hand
from judgebench.columns import grouped
from judgebench.errors import InputError, UsageError, refuse
from judgebench.exchange.pipeline import (
    IMPORT_LEASE,
    NO_VERSION,
    SILENT,
    At,
    Import,
    ImportReport,
    Intake,
    KnownItems,
    NewVerdict,
    OwnItems,
    default_version,
    imported_judge_key,
    name,
    no_judge,
    recorded,
)
from judgebench.exchange.tables import VerdictAt, VerdictRow, same, say
from judgebench.execution.plan import drawn_order
from judgebench.keys import text_sha
from judgebench.protocols import Progress
from judgebench.records import (
    HUMAN,
    MOST_TOKENS,
    Item,
    Message,
    Order,
    Preference,
    Reply,
    TokenLogprob,
    Unreadable,
    Usage,
    Verdict,
    VerdictSlot,
)
from judgebench.rows import CSV, JSON, JSONL, TSV, Row, read_rows
from judgebench.store.store import Store

BENCHMARK = "alpaca_eval"
ANNOTATIONS, OUTPUTS, REFERENCES = "annotations", "model_outputs", "reference_outputs"
SUFFIXES = (*JSON, *JSONL, *CSV, *TSV)
_AS_TEXT = (*CSV, *TSV)
_MOST = 5

SEEDED_JUDGES = frozenset(
    {
        "alpaca_eval_cot_gpt4_turbo_fn",
        "alpaca_eval_gpt4",
        "alpaca_eval_gpt4_turbo_fn",
        "weighted_alpaca_eval_gpt4_turbo",
    }
)
"""Judges of AlpacaEval whose published replies show that they were asked in its seeded order."""

_TWO_MODELS = (
    "Are these two models of one name, or was it judged on other answers? Import one of them apart "
    "with --model NAME"
)
OTHER_BASELINE = (
    "This is a judge file of another baseline that goes by the same name; leave it out, or "
    "give that one a name of its own (generator_1)"
)
_WAY_OUT = {"output_1": OTHER_BASELINE}

INDEX = "annotator_index"
"""The column of cross-annotations that says whose label, or which of a judge's, a row is."""

PEOPLE = (HUMAN, "humans")

NOT_READ = "AlpacaEval read no preference from the reply"
NOT_SAID = "no preference in the file"

UNSAID = Unreadable(reason=NOT_SAID)

RAW = "raw_completion"
_NO_REPLY = ("", "NaN")
"""What stands in published files for an absent one."""

_DIGITS = 12
_ORDER = Path(__file__).with_name("alpaca_eval_instructions.txt")


def read_alpaca_eval(
    paths: Sequence[Path],
    *,
    model_outputs: Sequence[Path] = (),
    reference_outputs: Sequence[Path] = (),
    model: str | None = None,
    judge: str | None = None,
    baseline: str | None = None,
    **said: Any,
) -> list[Import]:
    """Read files and folders; returned is what stores all of them.

    Parameters
    ----------
    model_outputs, reference_outputs
        As for `gather`.
    model, judge, baseline
        As of `AlpacaEvalOptions`.
    said
        As `import_alpaca_eval` takes it.

    Raises
    ------
    InputError, UsageError
        As `gather`.
    """
    gathered = gather(
        paths,
        model_outputs=model_outputs,
        reference_outputs=reference_outputs,
        told=AlpacaEvalOptions(model=model, judge=judge, baseline=baseline),
    )
    n = len(gathered.files)
    take_in = partial(import_alpaca_eval, gathered=gathered, **said)
    return [Import(gathered.files[0] if n == 1 else f"{n} files", take_in)]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlpacaEvalOptions:
    """What the command says about the files, or what folders are called.

    model
        Whose answers the files hold, whatever name they give (``generator``, ``generator_2``).
    judge
        Who judged, whatever name they give (``annotator``).
    baseline
        Whom the models were compared with; files that name another are refused.
    """

    model: str | None = None
    judge: str | None = None
    baseline: str | None = None


class Answer(NamedTuple):
    """A model's answer, and the row that it was first read from."""

    where: str
    file: str
    text: str


@dataclass(slots=True, kw_only=True)
class AlpacaEvalFiles:
    """The content of the files.

    questions
        Instruction -> the row that it first stands in, and its data set where one says.
    answers
        By model and instruction.
    judged
        By what it is about, with the instruction for the item and no benchmark yet.
    reference
        Whose the reference outputs are, where any were given.
    baselines
        By judge, with the row that first names it.
    crossed
        Judges of cross-annotations, which are about the judge: their pairs may have any baseline.
    """

    told: AlpacaEvalOptions
    files: list[Path] = field(default_factory=list)
    questions: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    answers: dict[tuple[str, str], Answer] = field(default_factory=dict)
    judged: dict[VerdictAt, VerdictRow] = field(default_factory=dict)
    reference: str | None = None
    baselines: dict[str, tuple[str, str]] = field(default_factory=dict)
    crossed: set[str] = field(default_factory=set)

    def take(self, path: Path, rows: Sequence[Row], kind: str, names: AlpacaEvalOptions) -> None:
        self.files.append(path)
        for row in rows:
            instruction = row.long_text("instruction")
            if not instruction.strip():
                raise row.wrong("instruction", "is blank")
            if kind == ANNOTATIONS:
                self._pair(path, row, instruction, names)
            else:
                model = self._generator(row, kind, names)
                self._answer(path, row, "output", model, instruction)
            self._question(row, instruction)

    def _question(self, row: Row, instruction: str) -> None:
        said = isinstance(row.values.get("dataset"), str) and row.has("dataset")
        dataset = name(row, "dataset") if said else None
        before = self.questions.get(instruction)
        if before is None or before[1] is None:
            self.questions[instruction] = (before[0] if before else row.where, dataset)

    def _generator(self, row: Row, kind: str, names: AlpacaEvalOptions) -> str:
        if kind == REFERENCES:
            fallback = self.told.baseline
            found = _named(row, "generator", None, fallback, "--baseline NAME says whose these are")
            if self.reference not in (None, found):
                raise row.wrong(
                    "generator", f"{found!r}, but other reference outputs are of {self.reference!r}"
                )
            self.reference = found
            return found
        says = "--model NAME says whose these are"
        return _named(row, "generator", self.told.model, names.model, says)

    def _answer(self, path: Path, row: Row, column: str, model: str, instruction: str) -> None:
        text = row.long_text(column)
        answer = Answer(row.where, path.name, text)
        first = self.answers.setdefault((model, instruction), answer)
        if first.text != text:
            raise row.wrong(
                column,
                f"another answer of {model!r} to this instruction than in {first.where}. "
                + _WAY_OUT.get(column, _TWO_MODELS),
            )

    def _pair(self, path: Path, row: Row, instruction: str, names: AlpacaEvalOptions) -> None:
        told = self.told
        crossed = row.has(INDEX)
        written_by = "generator" if crossed and not row.has("generator_2") else "generator_2"
        model = _named(
            row, written_by, told.model, names.model, "--model NAME says whose output_2 is"
        )
        baseline = _named(
            row, "generator_1", None, told.baseline, "--baseline NAME says whose output_1 is"
        )
        judge, repeat = _annotator(row, told.judge, names.judge)
        if crossed:
            self.crossed.add(judge)
        self._check_baseline(row, judge, baseline)
        self._answer(path, row, "output_1", baseline, instruction)
        self._answer(path, row, "output_2", model, instruction)
        order: Order = "single"
        if judge in SEEDED_JUDGES and row.values["output_1"] != row.values["output_2"]:
            order = drawn_order(instruction)  # equal answers are a tie without asking anybody
        raw = f"preference_{RAW}" if f"preference_{RAW}" in row.values else RAW
        reply = reply_of(row, raw, _seconds(row, path))
        verdict = _verdict(_preference(row, path), order, reply)
        about = VerdictAt(
            benchmark="",
            version="",
            item_id=instruction,
            model=model,
            judge=judge,
            opponent=baseline,
            order=order,
            repeat=repeat,
        )
        one = VerdictRow(row=row, where=about, verdict=verdict, reply=reply)
        first = self.judged.setdefault(about, one)
        if first.verdict != verdict:
            raise row.wrong(
                "preference",
                f"another preference of {judge!r} about this instruction and {model!r} than in "
                f"{first.row.where}; delete one, or import one apart with --judge NAME",
            )

    def _check_baseline(self, row: Row, judge: str, baseline: str) -> None:
        for wanted, says in (
            (self.told.baseline, "--baseline names"),
            (self.reference, "the reference outputs are of"),
        ):
            if wanted not in (None, baseline):
                raise row.wrong(
                    "generator_1",
                    f"judged against {baseline!r}, but {says} {wanted!r}: this is a judge file of "
                    "another baseline",
                )
        first, where = self.baselines.setdefault(judge, (baseline, row.where))
        if first != baseline and judge not in self.crossed:
            raise row.wrong(
                "generator_1",
                f"{judge!r} judged against {baseline!r} here, but against {first!r} in {where}: "
                "this is a judge file of another baseline. Import them apart",
            )


def gather(
    paths: Sequence[Path],
    *,
    model_outputs: Sequence[Path] = (),
    reference_outputs: Sequence[Path] = (),
    told: AlpacaEvalOptions | None = None,
) -> AlpacaEvalFiles:
    """Read all files, or none.

    Parameters
    ----------
    paths
        Files and folders, which say themselves what they hold.
    model_outputs, reference_outputs
        Files of answers: of the models, and of the baseline.

    Raises
    ------
    InputError
        Naming file and row of what cannot be used, and of what contradicts another row.
    UsageError
        For a suffix that says nothing.
    """
    gathered = AlpacaEvalFiles(told=told or AlpacaEvalOptions())
    references = _found_files(reference_outputs)
    for path in dict.fromkeys([*references, *_found_files([*model_outputs, *paths])]):
        rows = read_rows(path, ())
        kind = kind_of(path, rows)
        refuse(
            InputError,
            {
                f"{path}: holds judged pairs, not the baseline's answers": (
                    kind == ANNOTATIONS and path in references
                ),
                f"{path}: holds judged pairs, not a model's answers": (
                    kind == ANNOTATIONS and path in model_outputs
                ),
            },
        )
        kind = REFERENCES if path in references else kind
        gathered.take(path, rows, kind, _folders(path, kind, paths))
    return gathered


def _folders(path: Path, kind: str, given: Sequence[Path]) -> AlpacaEvalOptions:
    """In ``results/<model>/<judge>/`` and ``results/<model>/`` the folders are names.

    They stand where a file in AlpacaEval's own layout gives none.
    """
    depth = 2 if kind == ANNOTATIONS else 1
    if path in given or not any(
        folder in path.parents and len(path.relative_to(folder).parts) >= depth for folder in given
    ):
        return AlpacaEvalOptions()
    parents = [parent.name or None for parent in path.parents]
    judge, model = parents[:2] if kind == ANNOTATIONS else (None, parents[0])
    return AlpacaEvalOptions(model=model, judge=judge)


def _annotator(row: Row, told: str | None, folder: str | None) -> tuple[str, int]:
    """Who judged, and which time; in cross-annotations that name nobody these are people."""
    crossed = row.has(INDEX)
    if crossed and told is None and not row.has("annotator"):
        told = HUMAN
    judge = _named(row, "annotator", told, folder, "--judge NAME says who judged")
    if reason := no_judge(judge):
        raise row.wrong("annotator", reason)
    if not crossed:
        return judge, 0
    index = row.whole(INDEX)
    return (f"{HUMAN}/{index}", 0) if judge in PEOPLE else (judge, index)


def _named(row: Row, field: str, told: str | None, fallback: str | None, help_: str) -> str:
    if told is not None:
        return told
    if row.has(field):
        return name(row, field)
    if fallback is None:
        raise row.wrong(field, f"is missing; {help_}")
    return fallback


def _verdict(p: float | None, order: Order, reply: Reply | None) -> Verdict:
    if p is None:
        return Unreadable(reason=NOT_SAID if reply is None else NOT_READ)
    return Preference.from_probability(1.0 - p if order == "opponent_first" else p)


# files and what stands in their rows --------------------------------------------------------------


def _found_files(paths: Sequence[Path]) -> list[Path]:
    """The files themselves, and of folders what AlpacaEval writes there, each once.

    In a folder, however deep, these are ``annotations``, ``model_outputs`` and
    ``reference_outputs`` with one of the suffixes.

    Raises
    ------
    InputError
        For a folder without any.
    UsageError
        For a file of another suffix.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = sorted(
                one
                for one in path.rglob("*")
                if one.stem in (ANNOTATIONS, OUTPUTS, REFERENCES)
                and one.suffix.lower() in SUFFIXES
                and one.is_file()
            )
            if not inside:
                raise InputError(
                    f"{path}: no {ANNOTATIONS}.json or {OUTPUTS}.json in this folder or below; "
                    "AlpacaEval writes them to results/<model>/<judge>/ and results/<model>/"
                )
            found |= dict.fromkeys(inside)
        elif path.suffix.lower() not in SUFFIXES:
            raise UsageError(
                f"{path}: the suffix says what a file is; known are {', '.join(SUFFIXES)}"
            )
        else:
            found[path] = None
    return list(found)


def kind_of(path: Path, rows: Sequence[Row]) -> str:
    """Whether a file holds judged pairs or answers.

    Raises
    ------
    InputError
        Where it holds neither.
    """
    columns = {name for row in rows for name in row.values}
    if {"preference", "output_1", "output_2"} <= columns:
        return ANNOTATIONS
    if "output" in columns:
        return REFERENCES if path.stem == REFERENCES else OUTPUTS
    lacking = sorted({"preference", "output_1", "output_2"} - columns)
    raise InputError(
        f"{path}: neither judged pairs (instruction, output_1, output_2, preference) nor answers "
        f"(instruction, output); {', '.join(lacking)} and output are missing. Columns here: "
        + (", ".join(sorted(map(str, columns))) or "none")
    )


def _preference(row: Row, path: Path) -> float | None:
    """The probability that the model's answer is better; None where there is no preference.

    AlpacaEval writes 1 where the baseline is better, 2 where the model is, what lies between for
    1 + the probability; 1.5 for a tie, and once wrote 0; null, in its cache -1, for none.

    Raises
    ------
    InputError
        For anything else: upstream leaves such rows out of its numbers without a word.
    """
    value: Any = row.values.get("preference")
    if isinstance(value, str) and path.suffix.lower() in _AS_TEXT:
        if value == "":
            return None
        try:
            value = float(value)
        except ValueError:
            raise row.wrong("preference", f"{value!r} is no number") from None
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise row.wrong("preference", f"a number has to stand here, not {value!r:.60}")
    if isinstance(value, float) and not math.isfinite(value):
        raise row.wrong(
            "preference", f"{value} is no preference; where there is none, null has to stand here"
        )
    if value == -1:
        return None
    if value == 0:
        return 0.5
    if not 1 <= value <= 2:
        raise row.wrong(
            "preference",
            f"{value!r:.60} is outside 1 to 2 (1: the baseline's answer is better, 2: the model's)",
        )
    return float(value) - 1.0


def _seconds(row: Row, path: Path) -> float:
    """What a judgment took, as upstream divides it up; 0 where it does not say."""
    for column in ("preference_time_per_example", "time_per_example"):
        value = row.values.get(column)
        if isinstance(value, str) and value and path.suffix.lower() in _AS_TEXT:
            return row.number(column)
        if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
            return float(value)
    return 0.0


def reply_of(row: Row, field: str, seconds: float) -> Reply | None:
    """The reply in a field of a row; None where there is none.

    Raises
    ------
    InputError
        For what is neither a text nor such a choice.
    """
    raw = row.values.get(field)
    if raw is None or (isinstance(raw, float) and raw != raw):
        return None
    if isinstance(raw, str):
        return None if raw in _NO_REPLY else Reply(text=raw, seconds=seconds)
    if not isinstance(raw, Mapping):
        raise row.wrong(field, f"a text or an object has to stand here, not {raw!r:.60}")
    text, message = raw.get("text"), raw.get("message")
    if text is None and isinstance(message, Mapping):
        text = message.get("content")
    logprobs = raw.get("logprobs")
    content = logprobs.get("content") if isinstance(logprobs, Mapping) else None
    try:
        tokens = None if content is None else tuple(_token(one) for one in content)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        raise row.wrong(
            field, "logprobs.content is no list of tokens with their logprob and top_logprobs"
        ) from None
    finish = raw.get("finish_reason")
    return Reply(
        text=text if isinstance(text, str) else "",
        finish_reason=finish if isinstance(finish, str) else None,
        logprobs=tokens,
        usage=_usage(raw.get("total_tokens"), tokens),
        seconds=seconds,
    )


def _token(said: Mapping[str, Any]) -> TokenLogprob:
    top = tuple((_text(one["token"]), float(one["logprob"])) for one in said["top_logprobs"])
    return TokenLogprob(token=_text(said["token"]), logprob=float(said["logprob"]), top=top)


def _text(said: Any) -> str:
    if not isinstance(said, str):
        raise TypeError(f"a token is a text, not {said!r}")
    return said


def _usage(total: Any, tokens: Sequence[TokenLogprob] | None) -> Usage:
    """The sum alone stands in the file; where every token of the reply does too, both parts."""
    if tokens is None or isinstance(total, bool) or not isinstance(total, int | float):
        return Usage()
    if not len(tokens) <= total <= MOST_TOKENS or not float(total).is_integer():
        return Usage()
    return Usage(prompt_tokens=int(total) - len(tokens), completion_tokens=len(tokens))


# which item an instruction is ---------------------------------------------------------------------


@cache
def published_ids() -> Mapping[str, str]:
    """First digits of the SHA-256 of each of the 805 instructions -> its row upstream, from 0."""
    digests = _ORDER.read_text(encoding="ascii").split()
    return {digest: str(row) for row, digest in enumerate(digests)}


def published_id(instruction: str) -> str | None:
    """The row of an instruction in AlpacaEval's own set; None for one that is not in it."""
    return published_ids().get(text_sha(instruction)[:_DIGITS])


def hashed_id(instruction: str) -> str:
    """The id of an instruction of which nobody knows another."""
    return f"sha:{text_sha(instruction)[:_DIGITS]}"


def ids_by_question(items: Iterable[Item]) -> dict[str, str]:
    """Question -> id; of two items that ask the same the first."""
    found: dict[str, str] = {}
    for item in items:
        if any(turn.role == "user" for turn in item.turns):
            found.setdefault(item.question, item.id)
    return found


# into a store -------------------------------------------------------------------------------------


def import_alpaca_eval(
    store: Store,
    gathered: AlpacaEvalFiles,
    *,
    benchmark: str = BENCHMARK,
    version: str | None = None,
    known_items: KnownItems = items_at_hand,
    allow_unknown_items: bool = False,
    progress: Progress = SILENT,
) -> ImportReport:
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
    answers, judged = gathered.answers, gathered.judged
    with store.lease(IMPORT_LEASE):
        taking = _Taking(store, gathered, (benchmark, version))
        taking.find_items(known, allow_unknown_items)
        taking.find_answers()
        taking.find_verdicts()
        new_verdicts, new_answers = len(taking.verdicts), len(taking.responses)
        run_id = taking.put({"verdicts": new_verdicts, "responses": new_answers}, progress)
    unsaid = Counter(about.model for about, one in judged.items() if one.verdict == UNSAID)
    if unsaid:
        taking.say(
            "pairs with neither preference nor reply, which count as unreadable: "
            + _listed(unsaid.items())
        )
    rows, new = len(judged) + len(answers), new_verdicts + new_answers
    return ImportReport(
        rows=rows,
        new=new,
        known=rows - new,
        run_id=run_id,
        warnings=taking.warnings,
        said=f"{benchmark}@{version}, {len({model for model, _ in answers})} models; "
        f"{len(judged)} verdicts, {new_verdicts} new; {len(answers)} responses, {new_answers} new",
    )


def _listed(counts: Iterable[tuple[str, int]]) -> str:
    named = [f"{model} ({n})" for model, n in counts]
    more = f" and {len(named) - _MOST} more" if len(named) > _MOST else ""
    return ", ".join(named[:_MOST]) + more


class _Taking(Intake):
    """What of the files is new to a store."""

    def __init__(self, store: Store, gathered: AlpacaEvalFiles, at: At) -> None:
        super().__init__(store, "alpaca-eval", gathered.files)
        self.gathered, self.at, self.here = gathered, at, self.board(at)
        self.ids: dict[str, str] = {}
        self.models: dict[str, bytes] = {}

    def say(self, warning: str) -> None:
        self.here.warnings[warning] = None

    def find_items(self, known: Mapping[str, Item] | None, allow_unknown: bool) -> None:
        """The item of every instruction: known to the data, the store, AlpacaEval, or new."""
        of_data = ids_by_question((known or {}).values())
        of_store = ids_by_question(self.here.items.values())
        published = self.at[0] == BENCHMARK
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
                f"{where}: instruction: is no item of {self.at[0]}@{self.at[1]}: "
                f"{unknown[0][:60]!r}; {len(unknown)} of {len(self.ids)} instructions are none. Is "
                "the file of another benchmark (--benchmark NAME)? (--allow-unknown-items takes "
                "them in)"
            )
        if published and len(unknown) == len(self.ids):
            self.say(
                "no instruction is one of AlpacaEval's own; --benchmark NAME keeps these on a "
                "board of their own"
            )
        self._find_new_items(known or {})
        self._say_what_is_short(published and not unknown)

    def _find_new_items(self, known: Mapping[str, Item]) -> None:
        asked = {self.ids[one]: (one, data) for one, (_, data) in self.gathered.questions.items()}
        lacking = {
            item_id: known.get(item_id)
            or Item(
                benchmark=self.at[0],
                version=self.at[1],
                id=item_id,
                turns=(Message(role="user", content=instruction),),
                category=dataset,
            )
            for item_id, (instruction, dataset) in asked.items()
            if item_id not in self.here.items or not self.here.items[item_id].turns
        }
        self.here.add_items(lacking)

    def _say_what_is_short(self, whole_set: bool) -> None:
        wanted = len(published_ids())
        has = Counter(model for model, _ in self.gathered.answers)
        short = [(model, n) for model, n in has.items() if n != wanted]
        if whole_set and short:
            self.say(f"not all of the {wanted} instructions are answered: {_listed(short)}")

    def find_answers(self) -> None:
        given = grouped(
            (model, (self.ids[instruction], answer))
            for (model, instruction), answer in self.gathered.answers.items()
        )
        baselines = {about.opponent for about in self.gathered.judged}
        for model, answers in given.items():
            texts = ((item, 0, answer.text) for item, answer in answers)
            key = self.models[model] = self.here.model_of(model, texts)
            own = baseline_texts(*self.at, model) if model in baselines else {}
            for item, answer in answers:
                if own.get(item, answer.text) != answer.text:
                    raise InputError(
                        f"{answer.where}: this is not what {model!r}, the benchmark's own baseline,"
                        f" answered to item {item!r}. {OTHER_BASELINE}"
                    )
                if self.here.other_answer(key, item, 0, answer.text):
                    way_out = "Give this model another name (--model NAME)"
                    raise InputError(
                        f"{answer.where}: the store has another answer of {model!r} to item "
                        f"{item!r}. {OTHER_BASELINE if model in baselines else way_out}"
                    )
                if (item, key, 0, 0) not in self.here.answers:
                    at, response = recorded(self.at, item, key, answer.text, answer.file)
                    self.responses[at] = response

    def find_verdicts(self) -> None:
        opponents = grouped(
            (place.judge_key, place.opponent_key)
            for place in self.here.current
            if place.opponent_key is not None
        )
        for about, judged in self.gathered.judged.items():
            baseline = self.models[str(about.opponent)]
            place = VerdictSlot(
                benchmark=self.at[0],
                version=self.at[1],
                item_id=self.ids[about.item_id],
                model_key=self.models[about.model],
                judge_key=imported_judge_key(about.judge),
                opponent_key=baseline,
                order=about.order,
                repeat=about.repeat,
            )
            _, said = self.here.current.get(place, (None, None))
            if said is None or (said == UNSAID and judged.verdict != UNSAID):
                self._refuse_other_baseline(
                    judged, {*opponents.get(place.judge_key, ())} - {baseline}
                )
                self.verdicts.append(NewVerdict(place, about.judge, judged.verdict, judged.reply))
            elif judged.verdict != UNSAID and not same(said, judged.verdict):
                raise judged.row.wrong(
                    "preference",
                    f"{say(judged.verdict)}, but the store has {say(said)} of {about.judge!r} "
                    f"about item {place.item_id!r} of {about.model!r}; correct the row, or give "
                    "the other judge another name (--judge NAME)",
                )

    def _refuse_other_baseline(self, judged: VerdictRow, others: set[bytes]) -> None:
        """One judge's files have one baseline, unless the command names it.

        ``others`` are those that the store has the judge compare with.
        """
        told, judge, baseline = self.gathered, judged.where.judge, str(judged.where.opponent)
        if others and told.told.baseline is None and judge not in told.crossed:
            names = {model.key: model.name for model in self.here.known}
            raise judged.row.wrong(
                "generator_1",
                f"judged against {baseline!r}, but the store has verdicts of {judge!r} against "
                f"{names[min(others)]!r}: this is a judge file of another baseline; --baseline "
                f"{quote(baseline)} takes it in, for a board of its own",
            )
