"""``judgebench``: finds the command, turns errors into a sentence and an exit code.

Standard streams may be closed, full, or read by somebody who has seen enough. What a command prints
is its result: where that cannot be written, the command says so. What it says meanwhile is not: a
run goes on when nobody reads its progress any more.
"""

from __future__ import annotations

import gc
import importlib
import io
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, TextIO

import click
from click.exceptions import NoArgsIsHelpError

from judgebench import __version__
from judgebench.cli.options import (
    Commands,
    in_github,
    say,
    summarise,
    with_include_path,
)
from judgebench.errors import JudgebenchError

INTERNAL_ERROR = 70
USAGE_ERROR = 64
AGAIN = 75
INTERRUPTED = 130

#: Command -> what its line in ``--help`` says. `MODULE_OF` says which module holds it.
COMMANDS = {
    "run": "Answer, judge and report what a suite asks for; again: only what is missing.",
    "plan": "Say what a run would do, before it does it. Sends nothing.",
    "respond": "Have models answer a benchmark. Nobody judges.",
    "judge": "Have models judge answers that exist, without a suite; try, replace: see --help.",
    "leaderboard": "Rank the models of a benchmark, each number with its interval.",
    "ranking": "Rank models from pairs, and say who is above whom.",
    "compare": "Which of two models is better, on each benchmark, and what decided it.",
    "confidence": "Whether models are sure of what is correct: AUROC, ECE, alignment.",
    "calibrate-length": "Fit what length-controlled win rates need, from the store's judgments.",
    "report": "The table of a paper: models by benchmarks, published rows beside, methods.",
    "verify": "Compute every cell of a bundle of leaderboards again.",
    "gate": "The regression gate for CI: is the candidate worse than the baseline?",
    "baseline": "Baselines of the gate by name: set, list.",
    "nights": "How a model went night by night: what a gate says of each, and a slow slide.",
    "training": "The checkpoints of a training run by step: a band, the best one, the last one.",
    "judge-card": "Whether a judge can be believed: for what, on which models, and why.",
    "agreement": "Judges against people and against each other: kappa and its family.",
    "evaluators": "Judges that compare beside people: agreement, biases: length, lists, position.",
    "judge-sweep": "Which judge to use: kappa with people against cost, with few verdicts.",
    "probe": "What a judge makes of dummy answers and attacks, and whether it says the same again.",
    "rejudge": "What would change with another judge: a pilot, the bridge, the price of the whole.",
    "anchors": "Whether a judge changed under its name: pin answers, ask again, list.",
    "import": "Take in verdicts, responses, labels or others' results from files.",
    "export": "Write verdicts or responses to a file, or AlpacaEval's files.",
    "labels": "People's labels: draw answers for them, take labels in, report on a judge.",
    "data": "List, pull, import and verify benchmark data.",
    "runs": "What ran, and what changed.",
    "replies": "What a judge was asked, replied, and what was read from it.",
    "items": "One question with its answers, verdicts, prompts and replies.",
    "forget": "Remove verdicts and replies, so that they can be asked for anew.",
    "store": "Stores: copy, merge, check, vacuum.",
    "cost": "What runs took: calls, tokens and money, by judge and model.",
    "batches": "Questions in batches: list, collect, cancel.",
    "dashboard": "Open the dashboard on a store.",
    "reproduce": "Recompute published tables and say where they agree.",
    "doctor": "What is installed, reachable and configured.",
}

#: Command -> the heading that stands before it there.
HEADINGS = {
    "run": "Ask and judge",
    "leaderboard": "Which model is better",
    "judge-card": "Whether a judge is right",
    "import": "Files, labels and data",
    "runs": "What ran, and what is stored",
    "dashboard": "Besides",
}

#: They read and compute. What they make stays until they end, some millions of objects at most.
SHOW = frozenset(
    {
        *("leaderboard", "report", "verify", "ranking", "compare", "gate", "nights", "training"),
        *("agreement", "evaluators", "judge-card", "confidence", "calibrate-length"),
    }
)

MODULE_OF = {
    **dict.fromkeys(("leaderboard", "compare", "ranking", "reproduce", "verify"), "boards"),
    **dict.fromkeys(("agreement", "evaluators", "confidence", "calibrate-length"), "judges"),
    "judge-card": "judges",
    "judge-sweep": "labels",
    **dict.fromkeys(("anchors", "replies", "items", "forget"), "judges"),
    **dict.fromkeys(("cost", "batches"), "runs"),
    "doctor": "plan",
    **dict.fromkeys(("probe", "rejudge", "respond"), "judge"),
    **dict.fromkeys(("nights", "training"), "gate"),
    "baseline": "gate",
    "import": "import_",
}
"""Modules that are not called as their command."""

ABOUT_BENCHMARKS = COMMANDS.keys() - {"batches", "cost", "reproduce", "store"}
"""Commands that take a benchmark, or a suite or store that has some."""

EPILOG = """\b
Start here, in a checkout; `make demo` does as much with a real model:
  judgebench plan suites/ways_of_judging.yaml
  judgebench run suites/ways_of_judging.yaml
  judgebench leaderboard support --store sqlite:///results/ways_of_judging.db

\b
Exit codes: 0 done (gate: passed), 1 gate: regression, 2 gate: inconclusive,
64 usage, 65 bad input data, 69 a provider or server is unavailable, 70 internal
error, 73 store cannot be used, 75 finished with failures left to retry,
or with a judge that cannot be read, 78 configuration, 130 interrupted (nothing lost).
"""


class NobodyReadsError(Exception):
    """Whoever read stdout is gone, as in ``judgebench … | head``."""


class OutputError(JudgebenchError):
    """Stdout cannot be written."""


class _Commands(Commands):
    """Loads the module of a command when it is asked for, so that ``--help`` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module = importlib.import_module(f"judgebench.cli.{MODULE_OF.get(cmd_name, cmd_name)}")
        command = getattr(module, cmd_name.replace("-", "_"), None) or module.command
        assert isinstance(command, click.Command)
        return with_include_path(command) if cmd_name in ABOUT_BENCHMARKS else command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        begins = [*map([*COMMANDS].index, HEADINGS), len(COMMANDS)]
        with formatter.section("Commands"):
            for heading, start, end in zip(HEADINGS.values(), begins, begins[1:], strict=False):
                with formatter.section(heading):
                    formatter.write_dl([*COMMANDS.items()][start:end], col_max=18)


app = _Commands(
    "judgebench",
    help="""Alignment evaluation and judging.

    Is this checkpoint better than the last, on which benchmark, and can the judge that says so
    be believed?
    """,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
click.version_option(__version__, "--version", prog_name="judgebench")(app)


def main(arguments: list[str] | None = None) -> None:
    """The console script. Never returns: exits with a code of the contract."""
    # What ends jobs by the clock sends SIGTERM: a run ends as after Ctrl-C, and says so.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Hundreds of questions under way are long-lived garbage to a collector that looks at every 700
    # objects: a fifth of the time of a judgment. A board is all there until it is shown.
    said = sys.argv[1:] if arguments is None else arguments
    shows = not SHOW.isdisjoint(said[:1])
    gc.set_threshold(1_000_000 if shows else 20_000, 10, 10)
    if shows:  # many small products, in threads of ours: its own only wait for each other
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _prepare_streams()
    code = run(said)
    gc.freeze()  # what is left ends with the process: to look all of it through takes long
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Carry out a command line; the exit code it ends with.

    Long options may be written with ``-`` or ``_``; what stands after ``--`` is left.
    """
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options = [one.partition("=") for one in arguments[:end]]
    spelled = [
        f"{name.replace('_', '-') if name.startswith('--') else name}{equals}{value}"
        for name, equals, value in options
    ]
    arguments = spelled + arguments[end:]
    try:
        result: Any = app.main(arguments, prog_name="judgebench", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as stop:
        return int(stop.exit_code)
    except (click.Abort, KeyboardInterrupt) as stop:
        said, interrupt = "", stop.__cause__ if isinstance(stop, click.Abort) else stop
        while interrupt is not None and not said:  # one more may have come on the way out
            said = str(interrupt) if isinstance(interrupt, KeyboardInterrupt) else ""
            interrupt = interrupt.__context__
        return _say(said or "interrupted; nothing is lost, run again to go on", INTERRUPTED)
    except NoArgsIsHelpError as error:  # a group without a command
        click.echo(error.format_message(), err=True)
        return USAGE_ERROR
    except click.ClickException as error:
        usage = getattr(error, "ctx", None)
        hint = f"\nSee: {usage.command_path} --help" if usage is not None else ""
        said = error.format_message().replace("\n\t", " ")  # click has a line for each choice
        return _say(f"{said}{hint}", USAGE_ERROR)
    except JudgebenchError as error:
        return _stopped(arguments, str(error), error.exit_code)
    except SystemExit as stop:
        if isinstance(stop.__context__, OSError):  # click's 1 for a broken pipe, which is not ours
            return _unforeseen()
        raise
    except NobodyReadsError:  # `judgebench … | head`: whoever read has seen enough
        return 0
    except Exception:  # noqa: BLE001 - the one place where the unforeseen becomes exit code 70
        return _unforeseen()
    return result if isinstance(result, int) else 0


def _say(message: str, code: int) -> int:
    say(f"error: {message}")
    return code


def _stopped(arguments: list[str], message: str, code: int) -> int:
    """An error for whoever reads the terminal, and for the pages on which CI shows a job.

    What is worth another try is no error to CI: a workflow that asks again stays green.
    """
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if code != AGAIN and (in_github() or summary):
        from judgebench.reports.gate_result import stopped

        annotation, said = stopped(next(iter(arguments), ""), code, message)
        if in_github():
            say(annotation)
        summarise(said)
    return _say(message, code)


def _unforeseen() -> int:
    """A fault of ours. The traceback is shown without local values, so that no key is in it."""
    import traceback

    say(traceback.format_exc().rstrip("\n"))
    return _say(
        "this is a fault in judgebench itself; what was stored is safe. Please report the lines "
        "above with what you ran.",
        INTERNAL_ERROR,
    )


def _prepare_streams() -> None:
    """Make the standard streams of this process such that printing is safe.

    For the start of a process: file descriptors 0 to 2 are filled where they were closed, so that
    no store is opened as one of them.
    """
    while (hole := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(hole, True)
    os.close(hole)
    sys.stdout = _text(1, _Result, sys.stdout)
    sys.stderr = _text(2, _Aside, sys.stderr)


def _text(number: int, kind: Callable[..., io.FileIO], old: TextIO | None) -> TextIO:
    raw = kind(number, "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=old.encoding if old is not None else "utf-8",
        errors="backslashreplace" if number == 2 else old.errors if old is not None else "strict",
        line_buffering=number == 2 or raw.isatty(),
    )


class _Result(io.FileIO):
    """A stdout whose faults are told from those of other files."""

    def write(self, data: bytes, /) -> int:  # type: ignore[override]
        try:
            return super().write(data)
        except OSError as error:
            _to_nowhere(self.fileno())  # what is still buffered is not tried again at exit
            if isinstance(error, BrokenPipeError):
                raise NobodyReadsError from None
            raise OutputError(f"stdout cannot be written: {error.strerror or error}") from None


class _Aside(io.FileIO):
    """A stderr that takes everything."""

    def write(self, data: bytes, /) -> int:  # type: ignore[override]
        try:
            return super().write(data)
        except OSError:  # there is nowhere left to say it; results are in the store and on stdout
            _to_nowhere(self.fileno())
            return len(data)


def _to_nowhere(number: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)


if __name__ == "__main__":
    main()
