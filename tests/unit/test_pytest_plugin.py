"""A gate in a test file: what fails, what it says, and that loading it costs nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from judgebench import Inconclusive, assert_no_regression
from judgebench.errors import ConfigError, StoreError, UsageError
from judgebench.reports.gate_policy import GateTest, Policy
from judgebench.store.opening import open_store
from tests.unit.exchanged import coded, import_verdicts, rows_file

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def url(tmp_path: Path) -> str:
    good = "+" * 180 + "-" * 20
    rows = [
        *coded("old", "J", good),
        *coded("new", "J", good),
        *coded("bad", "J", "-" * 40 + good[40:]),
        *coded("few", "J", good[:9]),
    ]
    path = tmp_path / "s.db"
    with open_store(str(path)) as store:
        import_verdicts(store, rows_file(tmp_path / "v.jsonl", rows))
    return f"sqlite:///{path}"


def test_as_good_passes_and_worse_fails_with_the_items(url: str) -> None:
    assert_no_regression(candidate="new", baseline="old", store=url)
    with pytest.raises(AssertionError) as raised:
        assert_no_regression(candidate="bad", baseline="old", store=url)
    assert not isinstance(raised.value, Inconclusive)
    first, test, *flips, chance, meaning = str(raised.value).splitlines()
    assert first == "REGRESSION: bad against old"
    assert test.startswith("made_up@unversioned, J: REGRESSION: accuracy fell from 0.900")
    assert [line.split()[0] for line in flips][:2] == ["0:", "1:"]
    assert len(flips) == 10
    assert chance.startswith("an unchanged model passes this gate with ")
    assert meaning.startswith("unchanged: the two models' verdicts exchanged at random")


def test_an_open_question_is_told_apart_and_may_pass(url: str) -> None:
    with pytest.raises(Inconclusive, match="INCONCLUSIVE: few against old"):
        assert_no_regression(candidate="few", baseline="old", store=url)
    assert_no_regression(candidate="few", baseline="old", store=url, inconclusive="pass")
    with pytest.raises(AssertionError, match="REGRESSION"):
        assert_no_regression(candidate="bad", baseline="old", store=url, inconclusive="pass")
    with pytest.raises(UsageError, match="inconclusive is 'fail' or 'pass', not 'skip'"):
        assert_no_regression(
            candidate="few", baseline="old", store=url, inconclusive="skip",  # type: ignore[arg-type]
        )  # fmt: skip


def test_allowed_drops_and_policies(url: str, tmp_path: Path) -> None:
    assert_no_regression(candidate="bad", baseline="old", store=url, max_drop=0.5)
    loose = Policy(tests=[GateTest(benchmark="made_up", max_drop=0.5)])
    assert_no_regression(candidate="bad", baseline="old", store=url, policy=loose)
    file = tmp_path / "gate.yaml"
    file.write_text("tests: [{benchmark: made_up, max_drop: 0.01}]\n")
    with pytest.raises(AssertionError, match=r"allowed drop 0\.010"):
        assert_no_regression(candidate="bad", baseline="old", store=url, policy=str(file))


def test_a_gate_that_cannot_be_carried_out_is_an_error_and_no_regression(
    url: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError):
        assert_no_regression(candidate="nobody", baseline="old", store=url)
    with pytest.raises(StoreError):
        assert_no_regression(candidate="new", baseline="old", store=tmp_path / "none.db")
    with pytest.raises(ConfigError):
        assert_no_regression(candidate="new", baseline="old", store=url, policy=tmp_path / "no")


def test_the_environment_names_the_store(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGEBENCH_STORE", url)
    assert_no_regression(candidate="new", baseline="old")


@pytest.fixture
def run(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, url: str
) -> Callable[..., pytest.RunResult]:
    """Run a test file in a process of its own, with the plugin and nothing else of ours."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("JUDGEBENCH_STORE", url)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)

    def run(*options: str, **tests: str) -> pytest.RunResult:
        bodies = [
            f"def test_{name}():\n    assert_no_regression({a})\n" for name, a in tests.items()
        ]
        pytester.makepyfile("from judgebench import assert_no_regression\n" + "\n".join(bodies))
        plugin = ("-p", "judgebench.pytest_plugin", "-p", "no:cacheprovider")
        return pytester.runpytest_subprocess(*plugin, *options)

    return run


def test_a_test_file_fails_in_the_gates_words(
    run: Callable[..., pytest.RunResult], pytester: pytest.Pytester
) -> None:
    result = run(
        "--junit-xml=out.xml",
        same='candidate="new", baseline="old"',
        worse='candidate="bad", baseline="old"',
        too_few='candidate="few", baseline="old"',
        accepted='candidate="few", baseline="old", inconclusive="pass"',
    )
    result.assert_outcomes(passed=2, failed=2)
    out = result.stdout.str()
    assert "AssertionError: REGRESSION: bad against old" in out
    assert "Inconclusive: INCONCLUSIVE: few against old" in out
    assert "raise AssertionError" not in out  # the code of the gate is none of the reader's concern
    section = out[out.index("judgebench gates") :]
    assert (
        "test_same  made_up@unversioned, J: PASS: accuracy stayed at 0.900 (new, as old)" in section
    )
    assert "test_worse  made_up@unversioned, J: REGRESSION" in section
    assert section.count("INCONCLUSIVE") >= 2
    text = (pytester.path / "out.xml").read_text()
    assert 'name="judgebench_gate" value="made_up@unversioned, J: PASS' in text


def test_without_gates_nothing_is_said(run: Callable[..., pytest.RunResult]) -> None:
    result = run()
    assert "judgebench gates" not in result.stdout.str()


def test_loading_the_plugin_loads_nothing_heavy() -> None:
    code = (
        "import sys, judgebench.pytest_plugin, judgebench.assertions\n"
        "print(*sorted({m.split('.')[0] for m in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"numpy", "pandas", "scipy", "pydantic", "sqlalchemy", "alembic", "click", "yaml"}
    assert not set(done.stdout.split()) & heavy


def test_pytest_finds_it_where_the_package_is_installed(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, url: str, tmp_path: Path
) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (line,) = (f"{name} = {of}" for name, of in project["entry-points"]["pytest11"].items())
    metadata = tmp_path / "tried_out-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: tried-out\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text(f"[pytest11]\n{line}\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(tmp_path)]))
    monkeypatch.setenv("JUDGEBENCH_STORE", url)
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", raising=False)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    pytester.makepyfile(
        "from judgebench import assert_no_regression\n"
        'def test_it():\n    assert_no_regression(candidate="new", baseline="old")\n'
    )
    result = pytester.runpytest_subprocess("-W", "error", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)
    assert "judgebench gates" in result.stdout.str()
