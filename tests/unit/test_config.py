"""Suites: what is accepted, and what a person is told about what is not."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from judgebench import yaml_file
from judgebench.config import Narrowing, Suite, load_suite
from judgebench.errors import ConfigError, UsageError
from judgebench.secret import masked
from tests.table import over_rows

GOOD = """\
name: nightly
models:
  - name: taker
    responses: answers.jsonl
    tags: {algorithm: apo, step: 1200}
  - name: local
    lm_eval: {model: hf, model_args: {pretrained: checkpoints/apo}, batch_size: 4}
judges:
  - name: small
    provider: openai_compatible
    model: small
    base_url: http://127.0.0.1:{port}/v1
    api_key: ${JUDGE_KEY}
    server: {command: [python, serve.py, --port, "{port}"]}
benchmarks:
  - {name: trivia_judging_mini, judges: [exact_match, small], limit: 8}
"""


def _suite(folder: Path, text: str) -> Path:
    path = folder / "suite.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def _refusal(folder: Path, text: str, **environment: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_suite(_suite(folder, text), environment=environment)
    return str(caught.value)


def test_a_suite_is_read(tmp_path: Path) -> None:
    suite = load_suite(_suite(tmp_path, GOOD), environment={"JUDGE_KEY": "s3cret"})
    assert suite.models[0].tags == {"algorithm": "apo", "step": 1200}
    key = suite.judges[0].api_key
    assert key is not None
    assert key.reveal() == "s3cret"
    assert "s3cret" not in repr(suite)
    assert "s3cret" not in suite.model_dump_json()


def test_what_a_manifest_keeps_has_no_key(tmp_path: Path) -> None:
    suite = load_suite(_suite(tmp_path, GOOD), environment={"JUDGE_KEY": "s3cret"})
    assert suite.source.written["judges"][0]["api_key"] == "${JUDGE_KEY}"


@over_rows(
    ("old", "new", "says"),
    [
        ("    model: small", "    modle: small", "no key called 'modle'; did you mean 'model'?"),
        ("limit: 8", "limits: 8", "benchmarks[0].limits: no key called 'limits'"),
        ("server: {command: [python", "server: {comand: [python", "did you mean 'command'?"),
        ("limit: 8", "limit: 0", "greater than 0 (found 0)"),
        ("limit: 8", "limit: 8, panel: []", "a panel is of two judges or more"),
        ("limit: 8", "limit: many", "found 'many'"),
        ("limit: 8", "samples: 1000000000", "less than or equal to 100000 (found 1000000000)"),
        ("limit: 8", "<<: {limit: 8}", "'<<' is not understood: write the fields out, or"),
        ("name: nightly", "name: nightly\nname: weekly", "the key 'name' stands here twice"),
        ("name: nightly", "name: n\n1: 2\n1: 3", "suite.yaml:3: the key '1' stands here twice"),
        ("name: nightly", "name: n\n? [a]\n: 1\n? [a]\n: 2", "found unhashable key"),
        ("    responses: answers.jsonl\n", "", "exactly one of 'lm_eval', 'api' and 'responses'"),
        ("  - name: local", "  - name: taker", "models named twice: taker"),
        ("limit: 8", "models: [takr]", "did you mean 'taker'?"),
        ("    base_url: http://127.0.0.1:{port}/v1\n", "", "needs the server's 'base_url'"),
        ("{pretrained: checkpoints/apo}", "{}", "name the checkpoint"),
        ("[exact_match, small]", "[small, exact_match, small]", "judges: named twice: small"),
        ("  - name: small", "  - name: human/bot", "the name of a person"),
        ("  - name: small", "  - name: human", "the name of a person"),
        (
            "  - name: small",
            "  - {name: rule, kind: exact_match, batch: true}\n  - name: small",
            "who has no provider takes no batches (anthropic, openai do)",
        ),
        ("http://127.0.0.1:{port}/v1", "ftp://here/v1", "must be a full address"),
        ("limit: 8", "limit: [8]", "limit: Input should be a valid integer (found a list)"),
        ("name: nightly", "name: 2024-06-01", "a valid string (found the date 2024-06-01)"),
        ("name: nightly", "name: 2024-13-01", "a value cannot be read: month must be in 1..12"),
        ("name: nightly", 'name: "\\0"', "name: holds a character that cannot be stored"),
        ("name: nightly", 'name: "\\ud800"', "name: holds a character that cannot be stored"),
        ("name: nightly", "name: nightly\nseed: -1", "seed: Input should be greater than or equal"),
        ("name: nightly", "name: [", "suite.yaml:"),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in GOOD
    message = _refusal(tmp_path, GOOD.replace(old, new, 1), JUDGE_KEY="k")
    assert says in message
    assert "suite.yaml" in message


FAULTY = GOOD.replace(
    "    responses: answers.jsonl", "    responses: answers.jsonl\n    api: {}"
).replace(
    "limit: 8}",
    "models: [takr], panel: [small, nobody]}\n"
    "  - {name: own, judges: [small, small], models: [local, local], scale: [5, 1], "
    "dimensions: [a], limit: 1, limit_by_category: 2}",
)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    """Those of fields with those of other sections, and all of a section, each with its place."""
    told = [
        line.partition("suite.yaml:")[2]
        for line in _refusal(tmp_path, FAULTY, JUDGE_KEY="k").splitlines()
    ]
    assert told == [
        "5: models[0].api: a model behind an API names its 'provider' and 'model'",
        "17: benchmarks[0]: panel: no judge called 'nobody'. Known: exact_match, small",
        "18: benchmarks[1].judges: named twice: small",
        "18: benchmarks[1].models: named twice: local",
    ]
    named_once = FAULTY.replace("[small, small], models: [local, local]", "[small]")
    told = _refusal(tmp_path, named_once.replace("\n    api: {}", ""), JUDGE_KEY="k").splitlines()
    assert [line.partition("benchmarks[1]: ")[2] for line in told[1:]] == [
        "'scale' is for own prompts: name their file as 'items'",
        "'dimensions' is for own prompts: name their file as 'items'",
        "give 'limit' or 'limit_by_category', not both",
        "a scale goes upwards, not from 5.0 to 1.0",
    ]
    twice = GOOD.replace("  - name: local", "  - name: taker").replace("limit: 8", "models: [x, y]")
    told = _refusal(tmp_path, twice, JUDGE_KEY="k").splitlines()
    assert [line.rpartition("yaml: ")[2] for line in told] == [
        "models named twice: taker",
        "no model called 'x'. Known: taker",
        "no model called 'y'. Known: taker",
    ]


def test_the_line_is_said(tmp_path: Path) -> None:
    message = _refusal(
        tmp_path, GOOD.replace("    model: small", "    modle: small"), JUDGE_KEY="k"
    )
    assert "suite.yaml:11: judges[0].modle" in message


def test_a_missing_variable_is_named(tmp_path: Path) -> None:
    message = _refusal(tmp_path, GOOD)
    assert "JUDGE_KEY is not set" in message
    assert "suite.yaml:13" in message


def _with(written: str) -> str:
    """The suite with this in place of the judge's key."""
    return GOOD.replace("api_key: ${JUDGE_KEY}", written)


KEYS = {
    "JUDGE_KEY": "expanded-secret",
    "HF_TOKEN": "expanded-secret",
    "SK": "expanded-secret",
}
HIDDEN = ("hunter2", "sk-0123456789", "expanded-secret")


@over_rows(
    "written",
    [
        "api_key: hunter2",
        "api_key: 123456",
        f"api_key: 0x{'f' * 5000}",
        "api_key: ${NOPE:-hunter2}",
        "api_key: x${JUDGE_KEY}",
        "api_key: sk-0123456789abcdefghij",
        "extra: {headers: {x: sk-0123456789abcdefghij}}",
    ],
)
def test_a_literal_key_is_refused_and_not_repeated(tmp_path: Path, written: str) -> None:
    message = _refusal(tmp_path, _with(written), **KEYS)
    assert "plain text" in message
    assert "${NAME}" in message
    assert "suite.yaml:13: judges[0]." in message
    assert not any(secret in message for secret in HIDDEN)


@over_rows(
    "server",
    [
        "command: [x, --api-key, hunter2]",
        "command: [x, --api-key=hunter2]",
        "command: [x, --hf-token, '${NOPE:-hunter2}']",
        "command: [env, OPENAI_API_KEY=hunter2, x]",
        "command: [bash, -c, 'vllm serve --token hunter2']",
        "command: [x], env: {OPENAI_API_KEY: hunter2}",
        "command: [x], env: {HF_TOKEN: '${NOPE:-hunter2}'}",
        "command: [x], env: {AZURE_KEY: hunter2}",
    ],
)
def test_a_server_is_given_no_key_in_plain_text(tmp_path: Path, server: str) -> None:
    text = GOOD.replace('{command: [python, serve.py, --port, "{port}"]}', f"{{{server}}}")
    message = _refusal(tmp_path, text, **KEYS)
    assert "judges[0].server" in message
    assert "plain text" in message
    assert "hunter2" not in message


def test_a_server_is_given_a_key_by_name(tmp_path: Path) -> None:
    server = "command: [x, --api-key, '${SK}', --max-tokens, '5'], env: {HF_TOKEN: '${HF_TOKEN}'}"
    text = GOOD.replace('{command: [python, serve.py, --port, "{port}"]}', f"{{{server}}}")
    suite = load_suite(_suite(tmp_path, text), environment=KEYS)
    made = suite.judges[0].server
    assert made is not None
    assert made.command[2] == made.env["HF_TOKEN"] == "expanded-secret"
    assert "expanded-secret" not in str(suite.source.written)


@over_rows(
    "written",
    [
        "extra: {authorization: Bearer hunter2}",
        "extra: {key: '${SK}'}",
        "extra: {headers: {x-api-key: '${SK}'}}",
        "extra: {user: '${HF_TOKEN}'}",
        "sampling: {api_key: '${JUDGE_KEY}'}",
        "options: {password: hunter2}",
    ],
)
def test_what_is_stored_holds_no_key_not_even_by_name(tmp_path: Path, written: str) -> None:
    message = _refusal(tmp_path, _with(written), **KEYS)
    assert "is stored with what is asked" in message
    assert not any(secret in message for secret in HIDDEN)


def test_names_of_tokens_that_are_no_keys(tmp_path: Path) -> None:
    arguments = "think_end_token: </think>, add_bos_token: true, token: '${HF_TOKEN}'"
    text = _with("sampling: {max_tokens: 8}\n    extra: {prompt_cache_key: a}")
    text = text.replace("pretrained: checkpoints/apo", f"pretrained: checkpoints/apo, {arguments}")
    suite = load_suite(_suite(tmp_path, text), environment=KEYS)
    assert suite.judges[0].sampling == {"max_tokens": 8}
    assert suite.models[1].lm_eval is not None
    assert suite.models[1].lm_eval.model_args["think_end_token"] == "</think>"


def test_a_models_token_is_written_by_name(tmp_path: Path) -> None:
    text = GOOD.replace("pretrained: checkpoints/apo", "pretrained: x, token: hunter2")
    message = _refusal(tmp_path, text, **KEYS)
    assert "models[1].lm_eval.model_args.token: a key stands here in plain text" in message


@over_rows("url", ["http://user:hunter2@127.0.0.1/v1", "http://h/v1?key=hunter2"])
def test_an_address_holds_no_password(tmp_path: Path, url: str) -> None:
    message = _refusal(tmp_path, GOOD.replace("http://127.0.0.1:{port}/v1", url), **KEYS)
    assert "suite.yaml:12: judges[0].base_url: " in message or "judges[0]: base_url for" in message
    assert "hunter2" not in message
    by_name = GOOD.replace("http://127.0.0.1:{port}/v1", url.replace("hunter2", "${SK}"))
    message = _refusal(tmp_path, by_name, **KEYS)
    assert "suite.yaml:9: judges[0]: base_url for" in message
    assert "expanded-secret" not in message


@over_rows(
    ("written", "says"),
    [
        ("sampling: {temperature: .nan}", "sampling.temperature: a number is finite, not nan"),
        ("sampling: {temperature: .inf}", "sampling.temperature: a number is finite, not inf"),
        ("sampling: {seed: 2024-01-01}", "sampling.seed: the date 2024-01-01 cannot be sent"),
        ("extra: {a: [1, {d: 2024-01-01}]}", "extra.a[1].d: the date 2024-01-01 cannot be sent"),
        ("extra: {a: !!binary aGk=}", "extra.a: a bytes cannot be sent"),
        ("extra: {a: {1: 2}}", "extra.a: the name 1 is no text"),
        (f"extra: {{a: 0x{'f' * 5000}}}", "extra.a: a whole number has 63 bits at most"),
        ("timeout_s: .inf", "timeout_s: Input should be a finite number (found inf)"),
    ],
)
def test_settings_are_json(tmp_path: Path, written: str, says: str) -> None:
    assert f"suite.yaml:13: judges[0].{says}" in _refusal(tmp_path, _with(written), **KEYS)


def test_one_fault_for_a_field_that_may_be_one_of_several_things(tmp_path: Path) -> None:
    message = _refusal(tmp_path, GOOD.replace("algorithm: apo", "algorithm: [1]"), **KEYS)
    assert len(message.splitlines()) == 1
    assert "suite.yaml:5: models[0].tags.algorithm: Input should be a valid string or" in message
    assert "a valid boolean (found a list)" in message
    message = _refusal(tmp_path, GOOD.replace("batch_size: 4", "batch_size: 0"), **KEYS)
    assert "batch_size: Input should be greater than 0 or 'auto' (found 0)" in message


def test_faults_of_two_fields_are_two_lines(tmp_path: Path) -> None:
    text = GOOD.replace("limit: 8", "limit: 0, samples: 0")
    assert len(_refusal(tmp_path, text, **KEYS).splitlines()) == 2


@over_rows(
    ("text", "says"),
    [
        ("name: x\nmodels: &m [*m]", ":2: what stands here holds an alias of itself"),
        ("name: &n {a: {b: *n}}", ":1: what stands here holds an alias of itself"),
        ("[" * 5000 + "]" * 5000, ": nested too deeply to be read"),
        (
            "a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9]\n"
            + "\n".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)),
            ": more than 100000 fields and values",
        ),
        ("", ": a suite is a mapping"),
        ("- a", ": a suite is a mapping"),
    ],
)
def test_yaml_that_would_bind_its_reader(tmp_path: Path, text: str, says: str) -> None:
    assert f"suite.yaml{says}" in _refusal(tmp_path, text)


def test_aliases_are_written_out(tmp_path: Path) -> None:
    text = GOOD.replace("tags: {", "tags: &tags {").replace(
        "  - name: local", "  - name: local\n    tags: *tags"
    )
    suite = load_suite(_suite(tmp_path, text), environment=KEYS)
    assert suite.models[0].tags == suite.models[1].tags


@over_rows("tail", ["", "}", "}" * 20_000])
def test_variables_within_variables_are_refused_in_no_time(tmp_path: Path, tail: str) -> None:
    """100 KB of them took 46 s: each was read to the end of the text."""
    text = GOOD.replace("answers.jsonl", '"' + "${A:-" * 20_000 + tail + '"')
    before = time.process_time()
    said = _refusal(tmp_path, text, JUDGE_KEY="k")
    assert "suite.yaml:4: models[0].responses: the default of A holds another variable" in said
    assert time.process_time() - before < 2


def test_what_may_stand_in_a_default(tmp_path: Path) -> None:
    for written, read in [("$5{", "$5{"), ("a-b:-c", "a-b:-c"), ("", ""), ("$", "$")]:
        data = yaml_file.Written(tmp_path, {"a": f"x${{A:-{written}}}y"}, {})
        assert yaml_file.expanded(data, {}) == {"a": f"x{read}y"}
        assert yaml_file.expanded(data, {"A": "b"}) == {"a": "xby"}
    for literal in ("${A:-no end", "${1}", "$A", "${A", "${A:}"):
        data = yaml_file.Written(tmp_path, {"a": literal}, {})
        assert yaml_file.expanded(data, {"A": "b"}) == {"a": literal}


def test_what_a_store_has_kept_of_a_run_is_not_looked_through_for_keys(tmp_path: Path) -> None:
    """What is filled into it is masked all the same."""
    data = {"labels": {"token": "correct"}, "extra": {"key": "${KEPT_KEY}"}}
    given = {"KEPT_KEY": "planted-in-what-was-kept"}
    with pytest.raises(ConfigError, match="a key stands here in plain text"):
        yaml_file.expanded(yaml_file.Written(tmp_path, data, {}), given)
    kept = yaml_file.Written(tmp_path, data, {}, kept=True)
    filled = {"labels": {"token": "correct"}, "extra": {"key": given["KEPT_KEY"]}}
    assert yaml_file.expanded(kept, given) == filled
    assert masked(f"said {given['KEPT_KEY']}") == "said ***"


def test_a_default_stands_in(tmp_path: Path) -> None:
    text = GOOD.replace("answers.jsonl", "${ANSWERS:-other.jsonl}")
    suite = load_suite(_suite(tmp_path, text), environment={"JUDGE_KEY": "k"})
    assert suite.models[0].responses == tmp_path / "other.jsonl"


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        load_suite(tmp_path / "nothing.yaml", environment={})


def test_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "suite.yaml"
    path.write_bytes(b"name: \xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_suite(path, environment={})


PATHS = """
name: paths
models:
  - {name: recorded, responses: answers.jsonl}
  - {name: local, lm_eval: {model_args: {pretrained: checkpoints/a, tokenizer: org/tokenizer}}}
  - {name: typed, responses: "${ANSWERS}"}
  - {name: served, api: {provider: scripted, model: m, identity_file: model.gguf}}
judges:
  - {name: own, kind: rubric, provider: local, lm_eval: {model_args: {pretrained: checkpoints/b}}}
  - {name: reward, provider: reward_model, reward_model: {pretrained: checkpoints/c}}
  - {name: sure, kind: stated_confidence, provider: scripted, model: m,
     options: {examples: examples.jsonl}}
benchmarks:
  - {name: b, items: prompts.jsonl, rubric: rubric.txt, labels: [ann.jsonl, bob.jsonl],
     judges: [own]}
"""


def named(suite: Suite) -> dict[str, str]:
    """Every path of a suite of `PATHS`, as it was found."""
    recorded, local, typed, served = suite.models
    own, reward, sure = suite.judges
    (benchmark,) = suite.benchmarks
    assert local.lm_eval is not None
    assert served.api is not None
    assert own.lm_eval is not None
    assert reward.reward_model is not None
    found = {
        "answers.jsonl": recorded.responses,
        "checkpoints/a": local.lm_eval.model_args["pretrained"],
        "org/tokenizer": local.lm_eval.model_args["tokenizer"],
        "typed.jsonl": typed.responses,
        "model.gguf": served.api.identity_file,
        "checkpoints/b": own.lm_eval.model_args["pretrained"],
        "checkpoints/c": reward.reward_model.pretrained,
        "examples.jsonl": sure.options["examples"],
        "prompts.jsonl": benchmark.items,
        "rubric.txt": benchmark.rubric,
        "ann.jsonl": benchmark.labels[0],
        "bob.jsonl": benchmark.labels[1],
    }
    return {name: str(path) for name, path in found.items()}


def laid_out(folder: Path) -> None:
    for name in named_paths():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir() if name.startswith("checkpoints/") else path.write_text("")


def named_paths() -> list[str]:
    files = ("answers", "typed", "examples", "prompts", "ann", "bob")
    return [
        *(f"{name}.jsonl" for name in files),
        *("model.gguf", "rubric.txt", "checkpoints/a", "checkpoints/b", "checkpoints/c"),
    ]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a suite in a folder below it."""
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "s.yaml").write_text(PATHS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def of_project() -> Suite:
    return load_suite(Path("suites/s.yaml"), environment={"ANSWERS": "typed.jsonl"})


def test_paths_are_those_beside_the_suite(project: Path) -> None:
    laid_out(project)  # what stands in the working directory comes after
    laid_out(project / "suites")
    suite = of_project()
    beside = {name: f"suites/{name}" for name in named_paths()}
    assert named(suite) == beside | {
        "org/tokenizer": "org/tokenizer",
        "typed.jsonl": "typed.jsonl",  # in the environment, as on a command line
    }
    assert suite.source.notes == ()


def test_what_is_only_found_from_the_working_directory_is_used_and_said(project: Path) -> None:
    laid_out(project)
    suite = of_project()
    assert named(suite) == {name: name for name in (*named_paths(), "org/tokenizer")}
    assert suite.source.notes == (
        "suites/s.yaml: answers.jsonl and 9 more found from the working directory: paths are those "
        "beside the suite, so write ../answers.jsonl; the next release looks there only",
    )
    assert suite.in_batches().source.notes == suite.source.notes


def test_what_is_nowhere_is_missed_beside_the_suite(project: Path) -> None:
    suite = of_project()
    assert named(suite) == {name: f"suites/{name}" for name in named_paths()} | {
        "org/tokenizer": "org/tokenizer",
        "typed.jsonl": "typed.jsonl",
        **{f"checkpoints/{name}": f"checkpoints/{name}" for name in "abc"},  # of the Hub, perhaps
    }
    assert suite.source.notes == ()


def test_a_task_that_is_judged_by_its_metrics_stays_so_in_a_part_of_a_suite() -> None:
    suite = Suite.model_validate(
        {
            "name": "s",
            "models": [{"name": "a", "responses": "a.jsonl"}],
            "benchmarks": [
                {"name": "sums", "lm_eval_task": "sums"},
                {"name": "mine", "items": "i.jsonl", "judges": ["contains"]},
            ],
        }
    )
    (task, mine) = suite.narrowed(Narrowing(limit=2)).benchmarks
    assert task.judged_by_metrics
    assert (task.limit, mine.judges) == (2, ["contains"])
    (task,) = suite.narrowed(Narrowing(judges=("lm_eval/bleu",))).benchmarks
    assert (task.judges, task.judged_by_metrics) == (["lm_eval/bleu"], False)
    (mine,) = suite.narrowed(Narrowing(judges=("contains",))).benchmarks
    assert mine.name == "mine"
    assert not any(one.judged_by_metrics for one in suite.unjudged().benchmarks)
    with pytest.raises(UsageError, match="no judge called 'contain'"):
        suite.narrowed(Narrowing(judges=("contain",)))


def test_what_is_wrong_within_one_of_several_forms_is_said_alone(tmp_path: Path) -> None:
    said = _refusal(tmp_path, GOOD.replace("limit: 8", "panel: {judgs: [a, b]}"), JUDGE_KEY="x")
    here = f"{tmp_path / 'suite.yaml'}:16: benchmarks[0].panel"
    assert said.splitlines() == [
        f"{here}.judges: is missing",
        f"{here}.judgs: no key called 'judgs'; did you mean 'judges'? "
        "Known: judges, min_valid, rule",
    ]


@over_rows(
    ("wrong", "says"),
    [
        ("limit: 8, panel: 3", "panel: Input should be a valid list or a valid dictionary"),
        ("limit: 8, items: 3", "items: Input is not a valid path"),
    ],
)
def test_no_name_of_a_class_is_in_what_is_said(tmp_path: Path, wrong: str, says: str) -> None:
    said = _refusal(tmp_path, GOOD.replace("limit: 8", wrong), JUDGE_KEY="x")
    assert said.endswith(f"benchmarks[0].{says} (found 3)")


def test_a_suite_says_where_it_is_worked_on(tmp_path: Path) -> None:
    path = tmp_path / "suite.yaml"
    section = "executor: {ray: {address: '10.0.0.1:6379', gpus_per_model: 2}}\n"
    path.write_text("name: s\nbenchmarks: [{name: trivia}]\n" + section, encoding="utf-8")
    suite = load_suite(path)
    assert suite.executor is not None and suite.executor.ray is not None
    assert suite.executor.ray.gpus_per_model == 2
    assert suite.on("ray") is suite  # what it says of that one itself
    assert suite.on("local").executor is None
    slurm = suite.on("slurm").executor
    assert slurm is not None and slurm.ray is None and slurm.slurm is not None
    with pytest.raises(UsageError, match="no executor called 'rey'; did you mean 'ray'"):
        suite.on("rey")
    path.write_text("name: s\nbenchmarks: [{name: trivia}]\nexecutor: {}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"executor: give exactly one of ray, slurm"):
        load_suite(path)
