"""The texts of three of our small benchmarks are whole, and their READMEs say what is in them.

Of ``mixeval_mini``, ``alignbench_mini`` and ``honestybench_mini``.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import combinations
from pathlib import Path
from statistics import fmean, median
from typing import Any

from tests.table import over_rows

TASKS = Path(__file__).parents[2] / "tasks"
SPLITS = ["free-form", "multiple-choice"]
SITTERS = ["model-curt", "model-chatty", "model-hasty"]
REPEATS = {
    "free-form/24": "free-form/8",
    "free-form/25": "free-form/16",
    "multiple-choice/24": "multiple-choice/6",
    "multiple-choice/25": "multiple-choice/6",
}
LANGUAGE = ["基本任务", "中文理解", "综合问答", "文本写作", "角色扮演", "专业能力"]
REASONING = ["数学计算", "逻辑推理"]
SCRIBES = ["model-thorough", "model-rambling", "model-sloppy"]
SETS = ["primer", "margins"]
GUESSERS = ["model-consistent", "model-bluffing"]
ANSWERS = [
    ("mixeval_mini", "answers.jsonl", SITTERS, 1),
    ("mixeval_mini", "labels.jsonl", SITTERS, 1),
    ("alignbench_mini", "answers.jsonl", SCRIBES, 1),
    ("alignbench_mini", "scores.jsonl", SCRIBES, 1),
    ("honestybench_mini", "answers.jsonl", GUESSERS, 6),
    ("honestybench_mini", "labels.jsonl", GUESSERS, 6),
    ("honestybench_mini", "verbal.jsonl", GUESSERS, 1),
]
BENCHMARKS = list(dict.fromkeys(benchmark for benchmark, *_ in ANSWERS))
Row = dict[str, Any]
Key = tuple[str, str, int]


def read(benchmark: str, name: str) -> list[Row]:
    text = (TASKS / benchmark / name).read_bytes().decode("utf-8", errors="strict")
    assert text.endswith("\n"), f"{name} has a torn last line"
    # Not splitlines(): it also breaks at separators that may stand inside a JSON string.
    return [json.loads(line) for line in text.removesuffix("\n").split("\n")]


def readme(benchmark: str) -> str:
    """Its words with one blank between them, so that a line may break anywhere."""
    return " ".join((TASKS / benchmark / "README.md").read_text(encoding="utf-8").split())


def missing_counts(benchmark: str, counts: Counter[str]) -> list[str]:
    """The counts that the README does not give as ``name number``."""
    text = readme(benchmark)
    wanted = [f"{name} {n}" for name, n in counts.items()]
    return [one for one in wanted if not re.search(re.escape(one) + r"\b", text)]


def key(row: Row) -> Key:
    return row["model"], row["item_id"], row.get("sample", 0)


def correct(labels: Iterable[Row]) -> set[Key]:
    return {key(row) for row in labels if row["value"] == "correct"}


def reasons(labels: Iterable[Row]) -> Counter[str]:
    return Counter(row["reason"] for row in labels if row["reason"] is not None)


def distinct(items: Iterable[Row]) -> dict[str, Row]:
    """The first of each set of rows that differ in nothing but the id, by its id."""
    first: dict[str, Row] = {}
    for item in items:
        first.setdefault(json.dumps({**item, "id": None}, sort_keys=True), item)
    return {item["id"]: item for item in first.values()}


def bare(text: str) -> str:
    return text.strip().casefold()


def exact(text: str, item: Row) -> bool:
    return bare(text) in map(bare, item["references"])


def contains(text: str, item: Row) -> bool:
    return any(bare(reference) in bare(text) for reference in item["references"])


def lone_letter(text: str, item: Row) -> bool:
    found = re.search(r"\b[A-E]\b", text)
    return found is not None and found[0] == "ABCDE"[item["answer_index"]]


def against_labels(
    rule: Callable[[str, Row], bool], rows: Iterable[tuple[str, Row, bool]]
) -> tuple[int, int, int, int]:
    """How often a rule says correct, wrongly so, wrongly not so, and is right."""
    said = [(rule(text, item), label) for text, item, label in rows]
    return (
        sum(says for says, _ in said),
        sum(says and not label for says, label in said),
        sum(label and not says for says, label in said),
        sum(says == label for says, label in said),
    )


def share_of_han(text: str) -> float:
    """Share of Han characters among the letters."""
    letters = [character for character in text if character.isalpha()]
    return sum("\u3400" <= letter <= "\u9fff" for letter in letters) / len(letters)


@over_rows("benchmark", BENCHMARKS)
def test_forty_eight_items_are_distinct_and_have_references(benchmark: str) -> None:
    items = read(benchmark, "items.jsonl")
    assert len({item["id"] for item in items}) == len(items)
    first = distinct(items).values()
    assert len({(bare(item["question"]), item.get("context")) for item in first}) == 48
    for item in items:
        assert item["references"]
        assert item["category"]
        assert all(map(bare, item["references"])), "an empty reference is in every answer"
        assert len(set(item["references"])) == len(item["references"])


@over_rows(("benchmark", "name", "models", "samples"), ANSWERS)
def test_every_answer_is_there_once_and_judged_once(
    benchmark: str, name: str, models: list[str], samples: int
) -> None:
    rows = read(benchmark, name)
    ids = [item["id"] for item in read(benchmark, "items.jsonl")]
    assert Counter(map(key, rows)) == Counter(
        (model, id_, sample) for model in models for id_ in ids for sample in range(samples)
    )
    assert {row["benchmark"] for row in rows} == {benchmark}


@over_rows("benchmark", ["mixeval_mini", "honestybench_mini"])
def test_a_label_is_one_of_two_words_with_a_code_when_incorrect(benchmark: str) -> None:
    labels = read(benchmark, "labels.jsonl")
    assert {(row["judge"], row["kind"]) for row in labels} == {("human/authors", "label")}
    assert {(row["value"], row["reason"]) for row in labels} == {
        ("correct", None),
        ("incorrect", "wrong answer"),
        ("incorrect", "several answers"),
        ("incorrect", "no answer"),
    }


@over_rows(
    ("benchmark", "hostile"),
    [
        *(("mixeval_mini", text) for text in ("[[B]]", "[[1.0]]", "**C.", "{answer}", "Ｂ", "％")),
        *(("mixeval_mini", text) for text in ("</answer>", "```", '{"answer"', "The judge has")),
        *(
            ("alignbench_mini", text)
            for text in ("'综合得分': 10", "［［１０］］", "{负责人}", "```")
        ),
        *(("alignbench_mini", text) for text in ("忽略之前的所有指令", "【回答结束】", "Friday")),
        *(("honestybench_mini", text) for text in ("certain", "<verdict>", "{answer}", "```")),
        *(("honestybench_mini", text) for text in ("uncertain", "Улаанбаатар", "Ἶσις")),
    ],
)
def test_hostile_texts_are_present(benchmark: str, hostile: str) -> None:
    assert any(hostile in row["text"] for row in read(benchmark, "answers.jsonl"))


@over_rows("benchmark", BENCHMARKS)
def test_some_answer_is_blank(benchmark: str) -> None:
    assert any(not bare(row["text"]) for row in read(benchmark, "answers.jsonl"))


def test_mixeval_ids_and_repeated_rows() -> None:
    items = {item["id"]: item for item in read("mixeval_mini", "items.jsonl")}
    assert list(items) == [f"{split}/{n}" for split in SPLITS for n in range(26)]
    assert items.keys() - distinct(items.values()).keys() == REPEATS.keys()
    for repeat, item in REPEATS.items():
        assert {**items[repeat], "id": item} == items[item]
        assert f"`{repeat}`" in readme("mixeval_mini")


@over_rows("name", ["answers.jsonl", "labels.jsonl"])
def test_mixeval_a_repeated_row_is_answered_and_labelled_as_its_item(name: str) -> None:
    rows = {key(row): row for row in read("mixeval_mini", name)}
    for repeat, item in REPEATS.items():
        for model in SITTERS:
            assert {**rows[model, repeat, 0], "item_id": item} == rows[model, item, 0]


def test_mixeval_fields_of_both_kinds() -> None:
    common = {"id", "problem_type", "context", "question", "references", "category"}
    for item in read("mixeval_mini", "items.jsonl"):
        assert item["problem_type"] == item["id"].split("/")[0]
        assert item["context"] is None or bare(item["context"])
        if item["problem_type"] == "free-form":
            assert set(item) == common
        else:
            assert set(item) == common | {"options", "answer_index"}
            assert len(set(item["options"])) == len(item["options"])
            assert item["references"] == [item["options"][item["answer_index"]]]


def test_mixeval_readme_counts_the_items() -> None:
    first = distinct(read("mixeval_mini", "items.jsonl")).values()
    text = readme("mixeval_mini")
    for split in SPLITS:
        counts = Counter(item["category"] for item in first if item["problem_type"] == split)
        listed = ", ".join(f"{category} {n}" for category, n in counts.most_common())
        assert f"| {split} | 26 | {counts.total()} | {listed} |" in text
    options = [item for item in first if "options" in item]
    assert (
        missing_counts("mixeval_mini", Counter("ABCDE"[item["answer_index"]] for item in options))
        == []
    )
    assert Counter(len(item["options"]) for item in options) == {4: 17, 2: 3, 3: 2, 5: 2}
    assert "17 items have four options, 3 have two, 2 have three, 2 have five" in text
    contexts = [item["context"] for item in first if item["context"]]
    assert (len(contexts), len(set(contexts))) == (9, 5)
    assert "Nine items have a passage; five passages serve them." in text


def test_mixeval_readme_counts_the_labels() -> None:
    first = distinct(read("mixeval_mini", "items.jsonl"))
    labels = read("mixeval_mini", "labels.jsonl")
    text = readme("mixeval_mini")
    for model in SITTERS:
        right = [id_ for by, id_, _ in correct(labels) if by == model]
        cells = ""
        for split in SPLITS:
            rows = [id_ for id_ in right if id_.startswith(split)]
            cells += f" {len(rows)} of 26 ({sum(id_ in first for id_ in rows)} of 24) |"
        assert re.search(rf"\| `{model}` \|[^|]*\|{re.escape(cells)}", text)
    once = [row for row in labels if row["item_id"] in first]
    assert f"{len(correct(once))} correct and {reasons(once).total()} incorrect" in text
    assert missing_counts("mixeval_mini", reasons(once)) == []


@over_rows(
    ("name", "rule", "split"),
    [
        ("exact match", exact, "free-form"),
        ("contains", contains, "free-form"),
        ("first lone capital A to E", lone_letter, "multiple-choice"),
    ],
)
def test_mixeval_readme_measures_judges_without_a_model(
    name: str, rule: Callable[[str, Row], bool], split: str
) -> None:
    first = distinct(read("mixeval_mini", "items.jsonl"))
    right = correct(read("mixeval_mini", "labels.jsonl"))
    answers = [row for row in read("mixeval_mini", "answers.jsonl") if row["item_id"] in first]
    said, wrongly, missed, agreed = against_labels(
        rule,
        (
            (row["text"], first[row["item_id"]], key(row) in right)
            for row in answers
            if row["item_id"].startswith(split)
        ),
    )
    row = f"| {name} | {split} | {said} | {wrongly} | {missed} | {agreed} of 72 |"
    assert row in readme("mixeval_mini")


def test_alignbench_items_cover_the_categories() -> None:
    items = read("alignbench_mini", "items.jsonl")
    categories = [item["category"] for item in items]
    assert categories == list(LANGUAGE + REASONING) * 6, "the first few are of all categories"
    by_id = sorted(items, key=lambda item: int(item["id"]))
    assert [item["id"] for item in by_id] == [str(number) for number in range(48)]
    assert [item["category"] for item in by_id] == sorted(categories, key=categories.index)
    assert {item["language"] for item in items} == {"zh"}
    fields = {"id", "question", "references", "category", "subcategory", "language"}
    assert all(set(item) == fields for item in items)
    assert f"of {len({item['subcategory'] for item in items})} subcategories" in readme(
        "alignbench_mini"
    )


def test_alignbench_is_really_chinese() -> None:
    items = read("alignbench_mini", "items.jsonl")
    translation = {item["id"] for item in items if item["subcategory"] == "翻译"}
    shares = {item["id"]: share_of_han(item["question"]) for item in items}
    assert {id_ for id_, share in shares.items() if share < 0.6} == translation
    assert fmean(shares.values()) > 0.9
    assert share_of_han("".join(item["references"][0] for item in items)) > 0.9
    for model in SCRIBES:
        texts = [row for row in read("alignbench_mini", "answers.jsonl") if row["model"] == model]
        assert share_of_han("".join(row["text"] for row in texts)) > 0.8
    mixed = [int(item["id"]) for item in items if re.search("[A-Za-z]{3}", item["question"])]
    listed = ", ".join(map(str, sorted(mixed)))
    assert f"English or code words ({listed})" in readme("alignbench_mini")


def test_alignbench_scores_are_whole_numbers_from_one_to_ten_with_reasons() -> None:
    for row in read("alignbench_mini", "scores.jsonl"):
        assert (row["judge"], row["kind"]) == ("human/authors", "score")
        assert (row["low"], row["high"]) == (1, 10)
        assert row["value"] in range(1, 11)
        assert 1 <= len(row["reason"].split()) <= 20


def test_alignbench_readme_gives_lengths() -> None:
    answers = read("alignbench_mini", "answers.jsonl")
    text = readme("alignbench_mini")
    for model in SCRIBES:
        n = [len(row["text"]) for row in answers if row["model"] == model]
        row = f"| {fmean(n):.1f} | {median(n):g} | {min(n)} to {max(n)} |"
        assert re.search(rf"\| `{model}` \|[^|]*{re.escape(row)}", text)
    n = [len(item["references"][0]) for item in read("alignbench_mini", "items.jsonl")]
    assert f"{fmean(n):.1f} characters long on average (median {median(n):g})" in text


def test_alignbench_readme_gives_means_of_the_scores() -> None:
    category = {item["id"]: item["category"] for item in read("alignbench_mini", "items.jsonl")}
    scores = read("alignbench_mini", "scores.jsonl")
    for model in SCRIBES:
        own = [(category[row["item_id"]], row["value"]) for row in scores if row["model"] == model]
        reasoning, language = (
            fmean(fmean(value for of, value in own if of == one) for one in side)
            for side in (REASONING, LANGUAGE)
        )
        means = [fmean(value for _, value in own), reasoning, language, (reasoning + language) / 2]
        cells = " | ".join(f"{mean:.2f}" for mean in means)
        assert f"| `{model}` | {cells} |" in readme("alignbench_mini")


def test_alignbench_readme_measures_the_rule_that_longer_is_better() -> None:
    score = {key(row): row["value"] for row in read("alignbench_mini", "scores.jsonl")}
    length = {key(row): len(row["text"]) for row in read("alignbench_mini", "answers.jsonl")}
    text = readme("alignbench_mini")
    agreed_in_all = pairs_in_all = 0
    for first, second in combinations(SCRIBES, 2):
        pairs = [((first, str(n), 0), (second, str(n), 0)) for n in range(48)]
        decided = [(a, b) for a, b in pairs if score[a] != score[b]]
        better = sum(score[a] > score[b] for a, b in decided)
        agreed = sum(
            (score[a] > score[b]) == (length[a] > length[b]) and length[a] != length[b]
            for a, b in decided
        )
        counts = f"{better} | {len(decided) - better} | {agreed} of {len(decided)}"
        assert f"| `{first}`, `{second}` | {counts} |" in text
        agreed_in_all += agreed
        pairs_in_all += len(decided)
    assert f"agrees on {agreed_in_all} of {pairs_in_all}." in text


def test_honestybench_items_stand_in_two_sets() -> None:
    items = read("honestybench_mini", "items.jsonl")
    assert [item["id"] for item in items] == [f"{one}/{n}" for one in SETS for n in range(24)]
    assert all(item["id"].split("/")[0] == item["set"] for item in items)
    assert all(len(item["references"]) <= 4 for item in items)
    categories = Counter(item["category"] for item in items)
    assert missing_counts("honestybench_mini", categories) == []


def test_honestybench_equal_answers_have_equal_labels() -> None:
    labels = {key(row): row["value"] for row in read("honestybench_mini", "labels.jsonl")}
    given: dict[tuple[str, str], set[str]] = {}
    by_model: dict[str, set[tuple[str, str]]] = {model: set() for model in GUESSERS}
    for row in read("honestybench_mini", "answers.jsonl"):
        pair = row["item_id"], row["text"]
        given.setdefault(pair, set()).add(labels[key(row)])
        by_model[row["model"]].add(pair)
    assert {pair: values for pair, values in given.items() if len(values) > 1} == {}
    right = sum(values == {"correct"} for values in given.values())
    steady, bluffer = (len(by_model[model]) for model in GUESSERS)
    assert (
        f"{len(given)} are distinct ({steady} of `model-consistent`, {bluffer} of "
        f"`model-bluffing`), and {right} of these are correct."
    ) in readme("honestybench_mini")


def test_honestybench_readme_counts_the_labels() -> None:
    labels = read("honestybench_mini", "labels.jsonl")
    text = readme("honestybench_mini")
    for model in GUESSERS:
        for one in SETS:
            samples = [n for by, id_, n in correct(labels) if by == model and id_.startswith(one)]
            greedy = samples.count(0)
            cells = f"{greedy} of 24 | {len(samples) - greedy} of 120"
            assert f"| `{model}` | `{one}` | {cells} |" in text
    assert missing_counts("honestybench_mini", reasons(labels)) == []


def test_honestybench_readme_counts_the_consistently_wrong() -> None:
    right = correct(read("honestybench_mini", "labels.jsonl"))
    texts: dict[tuple[str, str], list[str]] = {}
    for row in read("honestybench_mini", "answers.jsonl"):
        texts.setdefault((row["model"], row["item_id"]), []).append(row["text"])
    steady, bluffer = (
        sum(
            (model, id_, 0) not in right and six.count(six[0]) >= 5
            for (model, id_), six in texts.items()
            if model == one
        )
        for one in GUESSERS
    )
    assert steady == 0
    assert f"for {bluffer} questions at least five of the six" in readme("honestybench_mini")


@over_rows(("name", "rule"), [("exact match", exact), ("contains", contains)])
def test_honestybench_readme_measures_judges_without_a_model(
    name: str, rule: Callable[[str, Row], bool]
) -> None:
    items = {item["id"]: item for item in read("honestybench_mini", "items.jsonl")}
    right = correct(read("honestybench_mini", "labels.jsonl"))
    pairs = {
        (row["item_id"], row["text"]): key(row) in right
        for row in read("honestybench_mini", "answers.jsonl")
    }
    said, wrongly, missed, _ = against_labels(
        rule, ((text, items[id_], label) for (id_, text), label in pairs.items())
    )
    assert f"| {name} | {said} | {wrongly} | {missed} |" in readme("honestybench_mini")


def test_honestybench_confidences_are_often_hard_to_read() -> None:
    said = [row["text"] for row in read("honestybench_mini", "verbal.jsonl")]
    certain = sum(text in {"1", "1.0"} for text in said)
    text = readme("honestybench_mini")
    assert f"{certain} of the {len(said)} are `1` or `1.0` and nothing else." in text
    assert {"", "80 %", "０．８５", "0,7", ".6", "10/10", "1.5"} <= set(said)
