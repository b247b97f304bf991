"""What the golden stores say, by the command line: taken, split in two, and compared.

    python tests/changes/stores/keep.py --shown      writes shown/ anew, to be read as a diff
    python tests/changes/stores/keep.py --values     once, by the release that made the stores

`values` are what was measured: point values, n, units, missing, counts, reasons why a number is
undefined, who answered and who judged. They are facts with an address of names and no place in a
list, so that another order, further numbers or another shape around them change nothing. `shown`
is all the rest as it was printed: intervals, ranks, p values, methods, notes, decisions. README.md
says which of them may change, and how.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import lzma
import math
import re
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT)]

from judgebench.cli.main import run  # noqa: E402  (the root is on the path now)

SHOWN = HERE / "shown"
SUPERSEDED = HERE / "superseded.toml"

COMMANDS: dict[str, tuple[str, ...]] = {
    "demo": (
        "leaderboard trivia_judging_mini alpaca_eval_mini mixeval_mini alignbench_mini",
        "leaderboard honestybench_mini",
        "agreement trivia_judging_mini --by-model",
        "compare taker-careful taker-weak",
        "compare guesser-steady guesser-bluffer --metric auroc --metric ece --metric brier",
        "gate --baseline taker-careful --candidate taker-weak",
        "ranking alpaca_eval_mini",
        "confidence honestybench_mini --correct contains --confidence N-Prob --bins",
        "cost",
        "runs list",
        "export verdicts",
        "export responses",
    ),
    "published": (
        "leaderboard alpaca_eval trivia_judging",
        "agreement trivia_judging --between",
        "compare claude-2 FuseChat-Llama-3.1-8B-Instruct alpaca_eval",
        "compare llama2-70b-chat llama2-13b-chat trivia_judging",
        "gate --baseline llama2-70b-chat --candidate llama2-13b-chat",
        "gate --baseline alpaca-7b_concise --candidate text_davinci_001",
        "ranking alpaca_eval",
        "runs list",
        "export verdicts",
    ),
    "kinds": (
        "leaderboard support support_once support_rewards",
        "leaderboard trivia_judging_mini --by category",
        "leaderboard alpaca_eval_mini --length-control both",
        "leaderboard mixeval_mini alignbench_mini",
        "leaderboard honestybench_mini",
        "leaderboard support --panel mean(grader,other-grader)",
        "agreement trivia_judging_mini --judge checker --judge yes-sayer",
        "agreement alpaca_eval_mini --judge soft-comparer",
        "agreement alignbench_mini --between",
        "compare taker-careful taker-weak",
        "compare this-week last-week",
        "compare writer-brief writer-lengthy --metric length_controlled_win_rate",
        "compare remote remote-brief --metric auroc --metric ece --metric alignment",
        "gate --baseline taker-careful --candidate taker-weak",
        "gate --baseline main --candidate nightly",
        "gate --baseline last-week --candidate this-week --head-to-head",
        "ranking alpaca_eval_mini --judge soft-comparer",
        "ranking alpaca_eval_mini --judge word-comparer --control style",
        "evaluators alpaca_eval_mini --upstream",
        "confidence honestybench_mini --correct contains --confidence Verbal-0 --confidence head",
        "confidence honestybench_mini --correct equal --confidence Consis-Sem",
        "cost",
        "runs list",
        "runs diff latest~2 latest~1",
        "anchors list --looks",
        "baseline list",
        "export verdicts",
        "export responses",
    ),
}
"""What is asked of each store; what it answers is kept under the words."""


Fact: TypeAlias = dict[str, Any]
Facts: TypeAlias = dict[str, list[Fact]]
"""What stands under an address; several where names alone do not tell them apart."""

NAMES = (
    *("benchmark", "judge", "judge_id", "model", "model_id", "opponent", "opponent_id"),
    *("baseline", "baseline_id", "candidate", "candidate_id", "reference", "confidence"),
    *("scope", "over", "kind", "metric", "asker", "role", "run_id", "id", "name", "category"),
)
"""Fields that say what a number is about. A version stands at every level and adds nothing."""

CONTAINERS = {"boards", "rows", "metrics", "rankings", "tests", "kinds", "between", "runs", "json"}
"""Steps of a path that say nothing about what a number is."""

ESTIMATE = ("value", "n", "units", "missing", "undefined")
FACTS = {
    *("baseline_value", "candidate_value", "labels", "pairs", "prompts", "official_prompt"),
    *("usd_per_1000", "reliability", "risk_coverage", "served_models", "raters"),
}
FOLDERS = {"counts", "outcomes", "coverage", "sizes", "answers", "items", "flips"}
"""Where every number is a count."""

WHOLE = ("cost", "runs list", "baseline list")
"""Commands whose every field is a fact."""


# taking -------------------------------------------------------------------------------------------


def unpacked(store: str, folder: Path) -> Path:
    """A copy of a golden store that may be written to."""
    path = folder / f"{store}.db"
    path.write_bytes(lzma.decompress((HERE / f"{store}.db.xz").read_bytes()))
    return path


def answer(words: str, store: Path) -> Any:
    """What a command says of a store, as JSON; `exit_code` beside it where that is a decision."""
    out, err = io.StringIO(), io.StringIO()
    export = words.startswith("export")
    form = () if export else ("--format", "json")
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run([*words.split(), *form, "--store", f"sqlite:///{store}"])
    gate = words.startswith("gate")
    if code and not (gate and code in (1, 2)):
        raise AssertionError(f"judgebench {words}: ended with {code}: {err.getvalue()}")
    if export:
        return digests([json.loads(line) for line in out.getvalue().splitlines()])
    said = json.loads(out.getvalue())
    return said | {"exit_code": code} if gate else said


def digests(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Of exported rows: how many each judge gave each model, and a hash of what they say."""
    about = ("benchmark", "judge", "judge_id", "model", "model_id", "opponent", "opponent_id")
    left_out = {*about, "run_id", "at", "source", "newest", "stack"}
    groups: dict[tuple[Any, ...], list[str]] = {}
    for row in rows:
        kept = {name: plain(row[name]) for name in sorted(row) if name not in left_out}
        line = json.dumps(kept, ensure_ascii=False)
        groups.setdefault(tuple(row.get(name) for name in about), []).append(line)
    return [
        dict(zip(about, names, strict=True))
        | {"counts": {"rows": len(lines)}, "rows_sha": sha_of(sorted(lines))}
        for names, lines in groups.items()
    ]


def plain(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in ("{", "["):
        with contextlib.suppress(ValueError):
            return json.loads(value)
    return float(f"{value:.9g}") if isinstance(value, float) else value


def sha_of(lines: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:24]


# splitting ----------------------------------------------------------------------------------------


def facts_of(said: Any, *, whole: bool = False) -> Facts:
    """The facts in an answer, by address."""
    found: Facts = {}
    for address, fact in each_fact(said, {}, (), whole=whole):
        found.setdefault(address, []).append(fact)
    return found


def each_fact(
    node: Any, about: Mapping[str, str], at: tuple[str, ...], *, whole: bool
) -> Iterator[tuple[str, Fact]]:
    if isinstance(node, list):
        for one in node:
            yield from each_fact(one, about, at, whole=whole)
    elif isinstance(node, dict):
        if {"value", "n"} <= node.keys():
            yield address_of(about, at), {name: node[name] for name in ESTIMATE if name in node}
            return
        about = {**about, **names_in(node)}
        for key, value in node.items():
            here = (*at, key)
            counted = FOLDERS & set(here) and is_number(value)
            if key in FACTS or key == "rows_sha" or counted or (whole and not inner(value)):
                yield address_of(about, here), {"value": value}
            elif isinstance(value, dict | list):
                yield from each_fact(value, about, here, whole=whole)


def names_in(node: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in NAMES:
        value = node.get(name)
        if isinstance(value, dict):
            value = " ".join(str(value[part]) for part in ("name", "id_a", "id_b") if part in value)
        if isinstance(value, str):
            found[name] = value
    return found


def address_of(about: Mapping[str, str], at: Sequence[str]) -> str:
    named = " ".join(f"{name}={about[name]}" for name in NAMES if name in about)
    return f"{named} | {'.'.join(step for step in at if step not in CONTAINERS)}"


def is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def inner(value: Any) -> bool:
    return isinstance(value, dict | list)


def shown_of(node: Any, at: tuple[str, ...] = ()) -> Any:
    """An answer without its facts, in numbers of seven digits; of items that decided, the first."""
    if isinstance(node, list):
        some = node[:3] if at[-1:] == ("flips",) else node
        return [shown_of(one, at) for one in some]
    if isinstance(node, dict):
        estimate = {"value", "n"} <= node.keys()
        kept = {}
        for key, value in node.items():
            fact = (estimate and key in ESTIMATE) or key in FACTS or key == "rows_sha"
            fact = fact or bool(FOLDERS - {"flips"} & {*at, key} and is_number(value))
            if not fact and not (estimate and value is None):
                kept[key] = shown_of(value, (*at, key))
        return kept
    return float(f"{node:.7g}") if isinstance(node, float) else node


# keeping ------------------------------------------------------------------------------------------


def values_path(store: str) -> Path:
    return HERE / f"{store}.values.json.xz"


def kept_values(store: str) -> dict[str, Facts]:
    """By command, as the first release said them."""
    kept: dict[str, Facts] = json.loads(lzma.decompress(values_path(store).read_bytes()))
    return kept


def shown_path(store: str, words: str) -> Path:
    return SHOWN / store / f"{re.sub(r'[^0-9A-Za-z.-]+', '_', words).strip('_')}.json"


def written(shown: Any, depth: int = 0) -> str:
    """JSON in which what is short stands on one line, so that a diff can be read."""
    line = json.dumps(shown, ensure_ascii=False)
    if len(line) + depth <= 200 or not inner(shown) or not shown:
        return line
    pad = " " * (depth + 1)
    if isinstance(shown, list):
        parts = [written(one, depth + 1) for one in shown]
        return "[\n" + ",\n".join(f"{pad}{part}" for part in parts) + f"\n{' ' * depth}]"
    parts = [f"{json.dumps(key)}: {written(value, depth + 1)}" for key, value in shown.items()]
    return "{\n" + ",\n".join(f"{pad}{part}" for part in parts) + f"\n{' ' * depth}}}"


def main(words: Sequence[str]) -> None:
    if not words or not {*words} <= {"--shown", "--values"}:
        sys.exit((__doc__ or "").partition("\n\n")[2].partition("\n\n")[0])
    with tempfile.TemporaryDirectory() as folder:
        for store, commands in COMMANDS.items():
            path = unpacked(store, Path(folder))
            said = {command: answer(command, path) for command in commands}
            if "--values" in words:
                facts = {
                    command: facts_of(one, whole=command in WHOLE) for command, one in said.items()
                }
                text = json.dumps(facts, ensure_ascii=False, sort_keys=True)
                values_path(store).write_bytes(lzma.compress(text.encode(), preset=9))
            if "--shown" in words:
                for old in (SHOWN / store).glob("*.json"):
                    old.unlink()
                (SHOWN / store).mkdir(parents=True, exist_ok=True)
                for command, one in said.items():
                    if command not in WHOLE and not command.startswith("export"):
                        text = written(shown_of(one)) + "\n"
                        shown_path(store, command).write_text(text, encoding="utf-8")


# comparing ----------------------------------------------------------------------------------------


@dataclass(slots=True)
class Rules:
    """What later releases say otherwise on purpose; ``used`` are the rules that were needed."""

    values: Sequence[Mapping[str, str]]
    words: Sequence[Mapping[str, str]]
    used: set[str] = field(default_factory=set)

    @classmethod
    def read(cls) -> Rules:
        told = tomllib.loads(SUPERSEDED.read_text(encoding="utf-8"))
        rules = cls(told.get("value", []), told.get("words", []))
        for rule in (*rules.values, *rules.words):
            assert rule.get("reason", "").strip(), f"{SUPERSEDED.name}: a reason is missing: {rule}"
        return rules

    def excuse(self, store: str, address: str, fact: Fact, now: Facts) -> bool:
        """Whether a fact that is not found as it was is meant to be another, or elsewhere."""
        if (said := fact.get("undefined")) is not None:
            for rule in self.words:
                reworded = {**fact, "undefined": rule["now"]}
                if rule["was"] == said and found(reworded, now.get(address, [])):
                    self.used.add(str(rule))
                    return True
        for rule in self.values:
            if re.search(rule["address"], f"{store}: {address}"):
                moved = re.sub(r"[^.| ]+$", rule["now"], address) if "now" in rule else None
                if moved is None or found(fact, now.get(moved, [])):
                    self.used.add(str(rule))
                    return True
        return False


def found(fact: Fact, facts: Sequence[Fact]) -> bool:
    return any(same(fact, one, relative=1e-9) for one in facts)


def lost(store: str, kept: Facts, now: Facts, rules: Rules) -> list[str]:
    """The kept facts that do not hold any more, each with what stands there now."""
    wrong = []
    for address, facts in kept.items():
        left = list(now.get(address, []))
        for fact in facts:
            match = next((one for one in left if same(fact, one, relative=1e-9)), None)
            if match is not None:
                left.remove(match)
            elif not rules.excuse(store, address, fact, now):
                wrong.append(f"{address}\n    was {fact}\n    now {left or 'nothing'}")
    return wrong


def same(first: Any, second: Any, *, relative: float) -> bool:
    """Equal, but for the last digits of numbers."""
    return next(differences(first, second, relative=relative), None) is None


def differences(first: Any, second: Any, *, relative: float, at: str = "") -> Iterator[str]:
    """Where two answers differ by more than the last digits of numbers."""
    if isinstance(first, dict) and isinstance(second, dict):
        for key in [*first, *(key for key in second if key not in first)]:
            if key not in first or key not in second:
                yield f"{at}.{key}: {'new' if key not in first else 'gone'}"
            else:
                yield from differences(first[key], second[key], relative=relative, at=f"{at}.{key}")
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        for n, (a, b) in enumerate(zip(first, second, strict=True)):
            yield from differences(a, b, relative=relative, at=f"{at}[{n}]")
    elif all(isinstance(a, int | float) and not isinstance(a, bool) for a in (first, second)):
        if not math.isclose(first, second, rel_tol=relative, abs_tol=1e-12):
            yield f"{at}: {first} is {second}"
    elif type(first) is not type(second) or first != second:
        yield f"{at}: {first!r} is {second!r}"


if __name__ == "__main__":
    main(sys.argv[1:])
