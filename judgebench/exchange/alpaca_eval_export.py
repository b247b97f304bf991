"""``export alpaca-eval``: answers and judged pairs as files that AlpacaEval reads.

A folder for each model holds its ``model_outputs.json``, and a folder for each judge in it the
``annotations.json`` of the pairs with one baseline. AlpacaEval has one answer and one preference
for each instruction: of several answers the first is written, and repeats and both orders are
averaged. What it needs the texts for (its cache, lengths) is left out where the store lacks them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, TypeAlias

from judgebench.columns import grouped
from judgebench.errors import StoreError, UsageError, refuse_unknown
from judgebench.exchange.alpaca_eval import ANNOTATIONS, OUTPUTS
from judgebench.keys import text_sha
from judgebench.plain_text import holding
from judgebench.records import AFRESH, Preference, Reply, Verdict, VerdictSlot
from judgebench.store.catalog import distinct_names
from judgebench.store.store import Store

Record: TypeAlias = dict[str, Any]
_Said: TypeAlias = tuple[VerdictSlot, bytes, Verdict]

_LONGEST_FOLDER = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class AlpacaEvalExport:
    """The files written, and what of the store they do not say."""

    paths: tuple[Path, ...]
    warnings: tuple[str, ...]


def export_alpaca_eval(
    store: Store,
    folder: Path,
    benchmark: str,
    version: str,
    *,
    models: Collection[str] = (),
    judges: Collection[str] = (),
    baseline: str | None = None,
) -> AlpacaEvalExport:
    """Write the answers to a benchmark, and the comparisons of them, into a folder.

    Parameters
    ----------
    models, judges
        By name; all if empty.
    baseline
        With whom the models were compared; need not be named where there is one alone.

    Raises
    ------
    UsageError
        For names that the store does not have, several baselines, or nothing to write.
    StoreError
        Where a file cannot be written.
    """
    held = _StoredBenchmark(store, benchmark, version)
    files = held.files(models, judges, baseline)
    if not files:
        raise UsageError(f"{benchmark}@{version}: the store has no answers to write")
    paths = []
    try:
        for place, records in files.items():
            path = folder / place
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_name(f".{path.name}.part")
            unfinished.write_text(json.dumps(records, indent=2) + "\n", encoding="ascii")
            unfinished.replace(path)
            paths.append(path)
    except OSError as error:
        raise StoreError(f"the export to {folder} failed: {error.strerror or error}") from error
    return AlpacaEvalExport(paths=tuple(paths), warnings=tuple(held.warnings))


class _StoredBenchmark:
    """What a store has of a benchmark, under names that mean one model or judge."""

    def __init__(self, store: Store, benchmark: str, version: str) -> None:
        self.store = store
        self.warnings: list[str] = []
        answers = store.responses_table(benchmark, version)
        said = store.current(benchmark, version)
        stored_models = {model.key: model for model in store.models()}
        stored_judges = {judge.key: judge for judge in store.judges()}
        id_of = {model.id: key for key, model in stored_models.items()}
        self.texts: dict[tuple[bytes, str], str] = {}
        columns = ("model_id", "item_id", "sample", "turn", "text", "newest")
        rows = [row for row in zip(*(answers[c] for c in columns), strict=True) if row[-1]]
        for model, item, sample, turn, text, _ in rows:
            if sample == 0 and turn == 0:
                self.texts[id_of[model], item] = text
        if further := len(rows) - len(self.texts):
            self.warnings.append(f"{further} further samples and turns are not written")
        here = {key for key, _ in self.texts}
        self.items = {
            item.id: item for item in _in_order(store.items(benchmark, version)) if item.turns
        }
        self.pairs: dict[tuple[bytes, bytes, bytes], dict[str, list[_Said]]] = {}
        for place, (key, verdict) in said.items():
            if place.opponent_key is None or place.sample or place.turn or place.repeat == AFRESH:
                continue
            pair = place.judge_key, place.model_key, place.opponent_key
            self.pairs.setdefault(pair, {}).setdefault(place.item_id, []).append(
                (place, key, verdict)
            )
            here |= {place.model_key, place.opponent_key}
        self.models = _called(stored_models, here)
        self.judges = _called(stored_judges, {judge for judge, _, _ in self.pairs})

    def files(
        self, models: Collection[str], judges: Collection[str], baseline: str | None
    ) -> dict[Path, list[Record]]:
        wanted_models = _chosen("model", self.models, models)
        wanted_judges = _chosen("judge", self.judges, judges)
        pairs = {
            (judge, model, opponent): said
            for (judge, model, opponent), said in self.pairs.items()
            if judge in wanted_judges and model in wanted_models
        }
        against = self._baselines({opponent for _, _, opponent in pairs}, baseline)
        folders = _folders([*self.models.values(), *self.judges.values()])
        found: dict[Path, list[Record]] = {}
        for model in (one for one in self.models if one in wanted_models | against):
            if outputs := self._outputs(model):
                found[Path(folders[self.models[model]], f"{OUTPUTS}.json")] = outputs
        for (judge, model, opponent), said in pairs.items():
            if opponent in against and (
                annotations := self._annotations(judge, model, opponent, said)
            ):
                place = folders[self.models[model]], folders[self.judges[judge]]
                found[Path(*place, f"{ANNOTATIONS}.json")] = annotations
        return found

    def _baselines(self, there: set[bytes], baseline: str | None) -> set[bytes]:
        if baseline is not None:
            return _chosen("baseline", {key: self.models[key] for key in there}, [baseline])
        if len(there) > 1:
            names = ", ".join(sorted(self.models[key] for key in there))
            raise UsageError(
                f"AlpacaEval has one baseline, and the judges here compared with {names}; name one "
                "with --baseline, or the judge with --judge"
            )
        return there

    def _outputs(self, model: bytes) -> list[Record]:
        return [
            {
                **_dataset(item.category),
                "instruction": item.question,
                "output": self.texts[model, item.id],
                "generator": self.models[model],
            }
            for item in self.items.values()
            if (model, item.id) in self.texts
        ]

    def _annotations(
        self, judge: bytes, model: bytes, opponent: bytes, said: Mapping[str, list[_Said]]
    ) -> list[Record]:
        records = []
        averaged = 0
        without = set(said) - set(self.items)
        for item in self.items.values():
            texts = self.texts.get((opponent, item.id)), self.texts.get((model, item.id))
            if None in texts:
                without |= {item.id} & set(said)
                continue
            verdicts = said.get(item.id, [])
            averaged += len(verdicts) > 1
            records.append(
                {
                    "instruction": item.question,
                    "output_1": texts[0],
                    "generator_1": self.models[opponent],
                    **_dataset(item.category),
                    "output_2": texts[1],
                    "generator_2": self.models[model],
                    "annotator": self.judges[judge],
                    "preference": _preference(verdicts),
                    **self._raw(verdicts),
                }
            )
        what = f"{self.models[model]}, judged by {self.judges[judge]}"
        self.warnings += holding({
            f"{what}: {len(without)} pairs are not written, of which the store lacks a text": (
                without
            ),
            f"{what}: orders and repeats of {averaged} pairs are averaged": averaged,
        })  # fmt: skip
        return _same_columns(records)

    def _raw(self, verdicts: Sequence[_Said]) -> Record:
        """The reply, where there is one verdict and it has one."""
        if len(verdicts) != 1:
            return {}
        judgment = self.store.judgment(verdicts[0][1])
        if judgment is None or len(judgment.reply_keys) != 1:
            return {}
        reply = self.store.reply(judgment.reply_keys[0])
        if reply is None:
            return {}
        return {
            "preference_time_per_example": reply.seconds or None,
            "preference_raw_completion": raw_of(reply),
        }


def _in_order(items: Iterable[Any]) -> list[Any]:
    """By number where the ids are numbers, as AlpacaEval's are; else as they came in."""
    found = list(items)
    if all(item.id.isdecimal() for item in found):
        found.sort(key=lambda item: int(item.id))
    return found


def _called(stored: Mapping[bytes, Any], here: Collection[bytes]) -> dict[bytes, str]:
    names = distinct_names({stored[key].id: stored[key].name for key in stored if key in here})
    return {key: names[one.id] for key, one in stored.items() if key in here}


def _chosen(what: str, called: Mapping[bytes, str], wanted: Collection[str]) -> set[bytes]:
    keys = {name: key for key, name in called.items()}
    refuse_unknown(f"{what} with comparisons or answers", wanted, keys, error=UsageError)
    return {keys[name] for name in wanted} if wanted else set(called)


def _dataset(category: str | None) -> Record:
    return {} if category is None else {"dataset": category}


def _preference(said: Sequence[_Said]) -> float | None:
    """1 + the probability that the model wins: the mean of repeats, then of the orders."""
    of_order = grouped(
        (place.order, 1.0 - one.p_first if place.order == "opponent_first" else one.p_first)
        for place, _, one in said
        if isinstance(one, Preference)  # a label or score about a pair is no comparison
    )
    if not of_order:
        return None
    return 1.0 + fmean(fmean(values) for values in of_order.values())


def _same_columns(records: list[Record]) -> list[Record]:
    """Each column in all rows or in none, so that every reader sees one table."""
    columns = dict.fromkeys(name for record in records for name in record)
    return [{name: record.get(name) for name in columns} for record in records]


def _folders(names: Iterable[str]) -> dict[str, str]:
    """Names as names of folders, different ones for different names on any file system."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        if name in found:
            continue
        folder = re.sub(r"[^\w.+=@ -]", "_", name)[:_LONGEST_FOLDER].strip(" .") or "_"
        if folder.casefold() in taken or folder != name:
            folder = f"{folder}-{text_sha(name)[:6]}"
        taken.add(folder.casefold())
        found[name] = folder
    return found


def raw_of(reply: Reply) -> str | dict[str, Any]:
    """What AlpacaEval would have kept of a reply: the inverse of `reply_of`."""
    if reply.logprobs is None:
        return reply.text
    parts = reply.usage.prompt_tokens, reply.usage.completion_tokens
    return {
        "finish_reason": reply.finish_reason,
        "index": 0,
        "logprobs": {
            "content": [
                {
                    "token": one.token,
                    "logprob": one.logprob,
                    "bytes": None,
                    "top_logprobs": [
                        {"token": token, "logprob": logprob, "bytes": None}
                        for token, logprob in one.top
                    ],
                }
                for one in reply.logprobs
            ]
        },
        "message": {"content": reply.text, "role": "assistant"},
        "text": reply.text,
        "total_tokens": None if None in parts else sum(part or 0 for part in parts),
    }
