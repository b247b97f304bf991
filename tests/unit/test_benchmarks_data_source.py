"""The data home: pulled from a stand-in of upstream, imported, checked; whole or not at all."""

import csv
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

import pytest

from judgebench import registry
from judgebench.benchmarks.data import (
    data_home,
    import_data,
    list_data,
    verify,
)
from judgebench.benchmarks.description import FilesSource, RemoteFile, find
from judgebench.benchmarks.folder import load_benchmark
from judgebench.benchmarks.pull import pull
from judgebench.errors import ConfigError, InputError, ProviderUnavailableError
from judgebench.keys import text_sha
from tests.unit.pulled import Noted

QUESTIONS = [
    ("Which river flows through Vienna?", ["Danube", "Donau", "Danube"]),
    ('"Who said ""veni, vidi, vici""?"', ["Caesar", "Julius Caesar, the general"]),
    ("How do you write ½ in words?", ["one half"]),
]
EXAMPLES = [("What is the capital of Canada?", "Ottawa"), ("2 + 2?", "4")]
PROMPT = "Grade {response} to {question} by {references}."
PROMPTS_PY = f"""from textwrap import dedent

class D:
    PROMPT: str = dedent('''
    {PROMPT}
    ''').strip()
"""


def table(path: Path) -> None:
    """A small file of upstream's shape: rows by exam taker; ``response`` holds the prompt."""
    shots = "".join(f"Q: {q}\nA: {a}\n\n" for q, a in EXAMPLES)
    with path.open("w", newline="", encoding="utf-8") as out:
        rows = csv.writer(out)
        rows.writerow(["model", "response", "question", "references", "benchmark", "EM"])
        for model in ("first", "second"):
            for question, references in QUESTIONS:
                prompt = f"{shots}Q: {question}\nA:"
                rows.writerow([model, prompt, question, "\n".join(references), "b-3", True])


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "upstream"
    folder.mkdir()
    table(folder / "V1.csv")
    (folder / "llm_evaluator.py").write_text(PROMPTS_PY)
    return folder


@pytest.fixture
def server(files: Path) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            file = files / self.path.lstrip("/")
            if not file.is_file():
                self.send_error(404)
                return
            body = file.read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=httpd.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    httpd.server_close()
    thread.join(5)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "home"))
    return tmp_path / "home"


Benchmark = Callable[..., list[Path]]


@pytest.fixture
def benchmark(tmp_path: Path, server: str) -> Benchmark:
    """trivia_judging in another folder, pointed at the stand-in."""

    def make(*, table_sha: str | None = None, content_sha: str | None = None) -> list[Path]:
        folder = tmp_path / "tasks" / "trivia_judging"
        if not folder.exists():
            shutil.copytree(
                registry.tasks_root() / "trivia_judging",
                folder,
                ignore=shutil.ignore_patterns("__pycache__", "figures"),
            )
        head, _, rest = (folder / "benchmark.toml").read_text().partition("[versions.v1]")
        pin = f'sha256 = "{content_sha}"\n' if content_sha else ""
        file_pin = f', sha256 = "{table_sha}"' if table_sha else ""
        version = (
            f"[versions.v1]\n{pin}[versions.v1.source]\nkind = 'files'\nfiles = ["
            f"{{ url = '{server}/V1.csv'{file_pin} }}, {{ url = '{server}/llm_evaluator.py' }}]\n"
        )
        asking = rest[rest.index("[asking]") : rest.index("[judging.official]")]
        asking = asking.replace("num_fewshot = 5", "num_fewshot = 2")
        official = (
            f'[judging.official]\nplain = {{ sha256 = "{text_sha(PROMPT)}", source = "x" }}\n'
            f'other = {{ sha256 = "{text_sha("other")}", source = "x" }}\n'
        )
        (folder / "benchmark.toml").write_text(head + version + asking + official)
        registry.include([folder.parent])
        return [folder.parent]

    return make


def test_pull_reads_questions_examples_and_prompts(home: Path, benchmark: Benchmark) -> None:
    benchmark()
    progress = Noted()
    state = pull("trivia_judging", progress)
    assert (state.state, state.items, state.prompts) == ("ready", 3, ("plain",))
    assert state.prompts_missing == ("other",)
    assert progress.bytes > 0
    loaded = load_benchmark("trivia_judging")
    items = loaded.data.items
    assert [(i.id, i.question, list(i.references)) for i in items] == [
        (str(n), q, r) for n, (q, r) in enumerate(QUESTIONS)
    ]
    assert items[2].prompt is not None
    assert "Q: 2 + 2?\nA: 4\n\nQ: How do you write ½ in words?\nA:" in items[2].prompt
    assert list(home.rglob(".new-*")) == []


def test_what_was_not_pinned_is_said_and_then_holds(
    home: Path, benchmark: Benchmark, files: Path
) -> None:
    benchmark()
    progress = Noted()
    pull("trivia_judging", progress)
    sha = hashlib.sha256((files / "V1.csv").read_bytes()).hexdigest()
    assert any(sha in line for line in progress.said)
    again = Noted()
    pull("trivia_judging", again)
    assert not any("sha256" in line and "V1.csv" in line for line in again.said)
    with (files / "V1.csv").open("a") as out:
        out.write("third,Q: x\n")
    with pytest.raises(InputError, match="not the file that was expected"):
        pull("trivia_judging", Noted())
    assert verify("trivia_judging").state == "ready"


def test_a_wrong_hash_keeps_nothing(home: Path, benchmark: Benchmark) -> None:
    benchmark(table_sha="0" * 64)
    with pytest.raises(InputError, match="nothing was kept"):
        pull("trivia_judging", Noted())
    assert verify("trivia_judging").state == "missing"
    assert [p for p in home.rglob("*") if p.is_file()] == []


def test_other_questions_than_the_pinned_ones(home: Path, benchmark: Benchmark) -> None:
    benchmark(content_sha="0" * 64)
    with pytest.raises(InputError, match="are not the questions of trivia_judging@v1"):
        pull("trivia_judging", Noted())


def test_a_file_that_is_not_there(home: Path, benchmark: Benchmark, files: Path) -> None:
    benchmark()
    (files / "V1.csv").unlink()
    with pytest.raises(ProviderUnavailableError, match=r"V1\.csv: cannot be fetched: .*Not Found"):
        pull("trivia_judging", Noted())


def test_import_takes_files_that_somebody_has(
    home: Path, benchmark: Benchmark, files: Path
) -> None:
    benchmark()
    state = import_data("trivia_judging", files / "V1.csv")
    assert (state.state, state.items, state.prompts) == ("ready", 3, ())
    state = import_data("trivia_judging", files / "llm_evaluator.py")
    assert (state.items, state.prompts) == (3, ("plain",))
    prompt = load_benchmark("trivia_judging").prompts["plain"]
    assert (prompt.text, prompt.official) == (PROMPT, True)


@pytest.mark.parametrize("given", [".", "results", "results/V1.csv"])
def test_import_takes_a_checkout_as_well_as_a_folder_of_it(
    home: Path, benchmark: Benchmark, files: Path, tmp_path: Path, given: str
) -> None:
    (paths,) = benchmark()
    described = paths / "trivia_judging" / "benchmark.toml"
    at = {"V1.csv": "results/V1.csv", "llm_evaluator.py": "src/templates/llm_evaluator.py"}
    text = described.read_text()
    for name, place in at.items():
        text = text.replace(f"/{name}'", f"/owner/repository/7c0bf28/{place}'")
    described.write_text(text)
    checkout = tmp_path / "checkout"
    for name, place in at.items():
        (checkout / place).parent.mkdir(parents=True)
        shutil.copy(files / name, checkout / place)
    (checkout / "setup.csv").write_text("something,else\n1,2\n")  # nobody's questions
    state = import_data("trivia_judging", checkout / given)
    prompts = ("plain",) if given == "." else ()
    assert (state.state, state.items, state.prompts) == ("ready", 3, prompts)


VERSIONS = [
    (f"{name}@{version}", source.files)
    for name in registry.benchmark_folders()
    for version, one in find(name)[0].versions.items()
    if isinstance(source := one.source, FilesSource)
]


@pytest.mark.parametrize(("name", "remote"), VERSIONS, ids=[name for name, _ in VERSIONS])
def test_a_checkout_has_a_versions_files_where_upstream_has_them(
    home: Path, tmp_path: Path, name: str, remote: Sequence[RemoteFile]
) -> None:
    """What is found in it is read, and refused, since it holds nothing of upstream's."""
    places = []
    # https://raw.githubusercontent.com/OWNER/REPOSITORY/COMMIT/PATH, or the Hub
    for file in remote:
        parts = unquote(urlsplit(file.url).path).split("/")
        inside = parts[parts.index("resolve") + 2 :] if "resolve" in parts else parts[4:]
        places.append(place := tmp_path.joinpath("checkout", *inside))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("[1]\n", encoding="utf-8")
    with pytest.raises(InputError) as refused:
        import_data(name, tmp_path / "checkout")
    assert str(refused.value).startswith(str(places[0]))


def test_a_changed_prompt_is_not_official(home: Path, benchmark: Benchmark, files: Path) -> None:
    benchmark()
    import_data("trivia_judging", files)
    (kept,) = home.rglob("plain.txt")
    kept.write_text(PROMPT + " ")
    assert load_benchmark("trivia_judging").prompts == {}


def test_damaged_data_is_found(home: Path, benchmark: Benchmark, files: Path) -> None:
    benchmark()
    sha = import_data("trivia_judging", files).sha
    benchmark(content_sha=sha)
    items = home / "trivia_judging" / "v1" / "items.jsonl"
    items.write_text(items.read_text().replace("Danube", "Rhine"))
    state = verify("trivia_judging")
    assert state.state == "damaged"
    assert "fetch them again" in state.note
    assert not state.usable


def test_import_of_something_else(home: Path, tmp_path: Path, benchmark: Benchmark) -> None:
    benchmark()
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="nothing in it belongs to trivia_judging"):
        import_data("trivia_judging", empty)
    with pytest.raises(InputError, match="no such file or folder"):
        import_data("trivia_judging", tmp_path / "nowhere")
    (empty / "x.csv").write_text("model,question\na,b\n")
    with pytest.raises(InputError, match="the column 'response' is missing"):
        import_data("trivia_judging", empty)
    (empty / "x.csv").write_text("model,response,question,references\na,b\n")
    with pytest.raises(InputError, match=r"x\.csv:2: the row ends too early"):
        import_data("trivia_judging", empty)
    (empty / "x.csv").write_bytes(b"model,response,question,references\n\xff,b,c,d\n")
    with pytest.raises(InputError, match="cannot be read as CSV"):
        import_data("trivia_judging", empty)


def test_a_home_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, benchmark: Benchmark, files: Path
) -> None:
    benchmark()
    (tmp_path / "file").touch()
    monkeypatch.setenv("JUDGEBENCH_DATA", str(tmp_path / "file" / "home"))
    with pytest.raises(ConfigError, match="set JUDGEBENCH_DATA"):
        import_data("trivia_judging", files)


def test_the_list_says_what_is_there(home: Path) -> None:
    states = {state.benchmark: state for state in list_data()}
    assert states["trivia_judging_mini"].state == "bundled"
    assert states["trivia_judging_mini"].items == 48
    missing = states["trivia_judging"]
    assert (missing.state, missing.where) == ("missing", None)
    assert missing.note.startswith("judgebench data pull trivia_judging@v1")


def test_what_comes_with_the_folder_needs_no_pull(home: Path) -> None:
    progress = Noted()
    assert pull("trivia_judging_mini", progress).state == "bundled"
    assert "nothing to pull" in progress.said[0]


def test_the_home_is_configured_or_the_users_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGEBENCH_DATA", "~/data")
    assert data_home() == Path.home() / "data"
    monkeypatch.delenv("JUDGEBENCH_DATA")
    assert data_home().parts[-2:] == ("judgebench", "data")


def test_a_hub_dataset_comes_through_datasets(
    home: Path, tmp_path: Path, benchmark: Benchmark, monkeypatch: pytest.MonkeyPatch
) -> None:
    (paths,) = benchmark()
    hub = tmp_path / "hub"
    hub.mkdir()
    rows = [{"id": str(n), "question": q, "references": r} for n, (q, r) in enumerate(QUESTIONS)]
    (hub / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    folder = paths / "trivia_judging"
    (folder / "source.py").write_text(
        "import json\n"
        "from judgebench.benchmarks.data import Content\n"
        "def read(path):\n"
        "    lines = (path / 'rows.jsonl').read_text().splitlines()\n"
        "    return Content(items=tuple(json.loads(line) for line in lines))\n"
    )
    text = (folder / "benchmark.toml").read_text()
    start, end = text.index("[versions.v1.source]"), text.index("[asking]")
    source = f"[versions.v1.source]\nkind = 'hub'\ndataset = '{hub}'\nrevision = 'main'\n"
    (folder / "benchmark.toml").write_text(text[:start] + source + text[end:])
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    state = pull("trivia_judging", Noted())
    assert (state.state, state.items) == ("ready", 3)


GOLD = Path(__file__).resolve().parents[3] / "shared" / "gold" / "trivia_judging"


@pytest.mark.skipif(
    not (GOLD / "questions.parquet").exists(),
    reason="the gold data (../shared/gold/trivia_judging beside the repository) is not here",
)
def test_the_published_questions_and_prompts(home: Path) -> None:
    state = import_data("trivia_judging", GOLD)
    assert (state.state, state.items, state.prompts_missing) == ("ready", 400, ())
    expected = json.loads((GOLD / "official_prompts.json").read_text())
    for name, prompt in load_benchmark("trivia_judging").prompts.items():
        assert prompt.text in expected["prompts"].values(), name
        assert {"question", "references", "response"} == prompt.placeholders
