"""``benchmark.toml``: what a benchmark is, where its data comes from, how it is judged.

Presets: named manners of asking models, as descriptions say them, and what they come down to.

A preset goes over what a task says, and a suite goes over the preset. What it changes is in a
model's key by its content; its name is not, so that equal asking has an equal key.
"""

from __future__ import annotations

import re
import string
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, PositiveInt, model_validator

from judgebench import registry
from judgebench.config import Section, check, fault
from judgebench.errors import ConfigError, UsageError, refuse, refuse_unknown, unknown_name
from judgebench.records import BINARY

Split = Literal["free-form", "multiple-choice"]

_ENDS: Mapping[Split, str] = {"free-form": "\n\n\nQuestion", "multiple-choice": "\n\n"}

#: Digits and the letters that upstream knows: Latin, Greek, Cyrillic, Glagolitic, Hangul and Han.
_SAYS_SOMETHING = re.compile(
    "[0-9A-Za-z\u00c0-\u024f\u0370-\u052f\u2c00-\u2c5f\ua640-\ua69f\uac00-\ud7af\u4e00-\u9fff]"
)


def judged_part(reply: str, *, split: Split) -> str:
    """The reply up to the next question of its split's examples."""
    part = reply.partition(_ENDS[split])[0]
    return part if _SAYS_SOMETHING.search(part) else reply


Cut: TypeAlias = Callable[[str], str]

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_DROP_PUNCTUATION = str.maketrans("", "", string.punctuation)


def _up_to(mark: str, text: str) -> str:
    return text.partition(mark)[0].strip()


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0].strip()


def _lm_eval(text: str) -> str:
    """As lm-eval's TriviaQA: up to a newline, full stop or comma; bare lower-case words of it."""
    first = re.split(r"[\n.,]", text.strip(), maxsplit=1)[0].lower()
    return " ".join(_ARTICLES.sub(" ", first.translate(_DROP_PUNCTUATION)).split())


MODES: dict[str, Cut] = {
    "at_next_example": partial(judged_part, split="free-form"),
    "at_next_question": partial(_up_to, "\nQ:"),
    "at_question_word": partial(_up_to, "\nQuestion:"),
    "first_line": _first_line,
    "lm_eval": _lm_eval,
    "none": lambda text: text,
}

OF_CHOICES: dict[str, Cut] = {
    **MODES,
    "at_next_example": partial(judged_part, split="multiple-choice"),
}
"""Where an answer ends that chooses among options."""


def truncate(text: str, mode: str, *, chooses: bool = False) -> str:
    """The part of an answer that is judged; ``chooses`` if the question has options.

    Raises
    ------
    ConfigError
        For a mode that does not exist.
    """
    if mode not in MODES:
        raise ConfigError(unknown_name("truncation", mode, MODES))
    return (OF_CHOICES if chooses else MODES)[mode](text)


CLEAN = "clean"
"""The preset that adds nothing to what a description says besides; the default."""

DRAWING = frozenset({"do_sample", "temperature", "generation_config"})
"""Settings of which one says how answers are drawn, so that it takes the place of the others."""

_SAID_OTHERWISE = {"until", "max_gen_toks", "do_sample", "temperature"}
"""What models behind an API are told of every task, in their own words."""

_IN_CHAT_WORDS = ("top_p", "presence_penalty", "frequency_penalty")
"""Settings that lm-eval's backends and chat completions call alike."""


class PromptTokens(Section):
    """How the text of a prompt becomes tokens, where that is not lm-eval's way.

    ``special_tokens`` are added ``once`` (none to a text that begins with BOS, as many chat
    templates make them), or ``always``, so that such a text has BOS twice. Prompt and answer
    together take no more than ``max_length`` tokens, or what the model takes if that is less: the
    prompt is cut to that on its ``truncation_side``.
    """

    special_tokens: Literal["once", "always"] = "once"
    max_length: PositiveInt | None = None
    truncation_side: Literal["left", "right"] = "left"


class OverApi(Section):
    """What models behind an API are asked with, under the names of chat completions.

    ``unsent`` is left to the provider.
    """

    sampling: dict[str, Any] = Field(default_factory=dict)
    unsent: list[str] = Field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """What a preset comes down to for the models of a run; the defaults are those of ``clean``.

    ``local`` holds fields of a local model that a suite's own take the place of. ``api`` goes under
    a suite's ``sampling`` (None is not sent), ``system`` under its own; ``untold`` is what no chat
    completion can be told, with its values.
    """

    name: str = CLEAN
    note: str = ""
    local: Mapping[str, Any] = field(default_factory=dict)
    api: Mapping[str, Any] = field(default_factory=dict)
    system: str | None = None
    untold: Mapping[str, Any] = field(default_factory=dict)


class PresetConfig(Section):
    """A manner of asking; what it does not say is as without it.

    ``generation`` is under lm-eval's names, as in a task's file; ``generation_config = "model"``
    there leaves sampling to what a checkpoint says of itself. ``further`` goes over that for
    samples of an item after the first. ``api`` takes the place of ``generation`` for models behind
    an API. ``note`` says what of the manner cannot be said here.
    """

    prompt: str | None = None
    num_fewshot: int | None = Field(None, ge=0)
    chat_template: bool | None = None
    system: str | None = None
    generation: dict[str, Any] = Field(default_factory=dict)
    further: dict[str, Any] = Field(default_factory=dict)
    tokens: PromptTokens | None = None
    api: OverApi | None = None
    note: str = ""

    def resolved(self, name: str, *, own_temperature: bool = False) -> Preset:
        """What it says to models, apart from prompt and generation, which are its task's.

        With ``own_temperature`` the suite's option says the temperature, whatever this does.
        """
        tokens = self.tokens and self.tokens.model_dump(exclude_unset=True)
        said = {
            "apply_chat_template": self.chat_template,
            "system_instruction": self.system,
            "prompt_tokens": tokens,
        }
        api = {n: self.generation[n] for n in _IN_CHAT_WORDS if n in self.generation}
        others = self.generation.keys() - api.keys() - _SAID_OTHERWISE
        untold: dict[str, Any] = {n: v for n, v in self.generation.items() if n in others}
        if tokens is not None:
            untold["tokens"] = tokens
        if self.api is not None:
            api, untold = {**dict.fromkeys(self.api.unsent), **self.api.sampling}, {}
        if own_temperature:
            api.pop("temperature", None)
        return Preset(
            name=name,
            note=self.note,
            local={field: value for field, value in said.items() if value is not None},
            api=api,
            system=self.system,
            untold=untold,
        )


NAME = r"^[a-z0-9_]+$"
"""What a benchmark may be called."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class RemoteFile(Section):
    """A file to fetch. Without ``sha256`` it is pinned on the first pull, and the hash printed."""

    url: str
    sha256: Sha256 | None = None
    bytes: PositiveInt | None = None
    save_as: str | None = Field(
        None, pattern=r"^\w[\w.-]*$", description="its name here, where addresses end alike"
    )

    @property
    def name(self) -> str:
        return self.save_as or self.url.rsplit("/", 1)[-1]


class FilesSource(Section):
    """Files fetched by URL, read by the folder's ``source.py``."""

    kind: Literal["files"]
    files: list[RemoteFile] = Field(min_length=1)


class HubSource(Section):
    """A dataset of the Hugging Face Hub at a fixed revision, read by the folder's ``source.py``."""

    kind: Literal["hub"]
    dataset: str
    revision: str
    config: str | None = None
    split: str = "test"
    files: list[RemoteFile] = Field(
        default_factory=list, description="fetched besides, for the official prompts in them"
    )


class FolderSource(Section):
    """A folder; relative to the benchmark's own."""

    kind: Literal["folder"]
    path: str = "."


class Weighted(Section):
    """How comparisons are weighed whose labels tell clear wins (``A>>B``) from others.

    ``clear`` is what a clear win or loss counts, beside 1. ``rule`` says what becomes of an item of
    which one game alone could be read. ``level`` is that of upstream's own intervals.
    """

    clear: float = Field(gt=0, allow_inf_nan=False)
    rule: Literal["each_game", "both_games"]
    level: float = Field(0.95, gt=0, lt=1)


class Version(Section):
    """One version of a benchmark's questions; ``sha256`` is theirs, wherever they came from.

    ``items`` is how many there are: a part of them is not the version, also where the hash of the
    whole is not known. ``baselines`` are whom its models are compared with by category, where it is
    not the benchmark's one.
    """

    sha256: Sha256 | None = None
    items: PositiveInt | None = None
    source: FilesSource | HubSource | FolderSource = Field(discriminator="kind")
    note: str = ""
    baselines: dict[str, str] = Field(default_factory=dict)
    judging: dict[str, Any] = Field(default_factory=dict, description="options of its judges")
    weighted: Weighted | None = None


class Prompt(Section):
    """A way of asking models, and the lm-eval task that asks so."""

    task: str
    truncate: str | None = Field(None, description="where answers to it end, if elsewhere")


class Asking(Section):
    """How models are asked, and where answers end; a suite's ``options`` may say otherwise.

    ``temperatures`` are by category, ``default`` for all others. ``further`` is what samples after
    the first are drawn with, under lm-eval's names, where that is another way than the first's:
    then a first answer is the model's answer, and the others say how sure of it the model is.
    ``presets`` are manners of asking by name, besides ``clean``; ``presets_from`` adds those of
    another benchmark.
    """

    prompts: dict[str, Prompt] = Field(min_length=1)
    prompt: str
    num_fewshot: int = Field(ge=0)
    truncate: str
    temperatures: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = Field(
        default_factory=dict
    )
    further: dict[str, Any] = Field(default_factory=dict)
    logprobs: bool = Field(False, description="ask APIs for those of first answers")
    presets: dict[str, PresetConfig] = Field(default_factory=dict)
    presets_from: str | None = None


class OfficialPrompt(Section):
    """An official judge prompt: known by its hash, found by file and name.

    ``options`` and ``sampling`` are what it is asked and read with, where a suite does not say.
    ``kind`` is the way of judging that it is taken for unasked, if not that of the benchmark.
    """

    sha256: Sha256
    source: str
    kind: str | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    sampling: dict[str, Any] = Field(default_factory=dict)


class Judging(Section):
    """How answers are judged where a suite does not say.

    ``content`` is what judges are told about judging: a rubric, dimensions and the like.
    """

    kind: str
    prompt: str | None = Field(None, description="official prompt, where the data home has it")
    options: dict[str, Any] = Field(default_factory=dict, description="with our own wording")
    official: dict[str, OfficialPrompt] = Field(default_factory=dict)
    content: dict[str, Any] = Field(default_factory=dict)
    official_from: str | None = Field(
        None, description="take them, and the content, from this benchmark"
    )
    official_for: dict[str, str] = Field(
        default_factory=dict,
        description="other ways of judging, and the benchmark whose official prompts they have",
    )
    package: str | None = Field(None, description="installed package that has the files too")


class PublishedBoard(Section):
    """A published board: of which version, in whose eyes.

    ``judge`` is the name under which its verdicts are published, ``models`` are what it asks of the
    ``provider``, with the official ``prompt``; without these no judge of ours is the published one,
    and verdicts that are imported under its name are. ``calibration`` are the files of its
    length-controlled win rates.
    """

    version: str
    judge: str
    models: list[str] = Field(default_factory=list)
    provider: str | None = None
    prompt: str | None = None
    baseline: str | None = Field(None, description="whom it compares with, if anybody")
    items: PositiveInt | None = Field(None, description="of what, where the version does not say")
    note: str = Field("", description="what has to be known of the published numbers")
    calibration: list[RemoteFile] = Field(default_factory=list)


class Published(Section):
    """The boards that were published of a benchmark, as figures in a file.

    ``file`` has a line for each model, and columns ``version`` and ``judge`` if it holds several
    boards. ``columns`` say which of its columns is which metric of ours, the one that ranks first;
    ``by`` the same for groups of items, by way of grouping; ``also`` names what is shown besides
    and is no metric (``n``: of how many items).
    """

    file: str = Field(description="relative to the folder of the benchmark")
    source: str = Field(description="where the figures come from, with the date or the commit")
    percent: bool = Field(False, description="what is a fraction here stands there in per cent")
    columns: dict[str, str] = Field(min_length=1)
    by: dict[str, dict[str, str]] = Field(default_factory=dict)
    also: dict[str, str] = Field(default_factory=dict)
    boards: list[PublishedBoard] = Field(min_length=1)


class Right(Section):
    """Of a benchmark of judges: when a judge is right about an item, and what makes up the whole.

    ``rule`` is ``pairs``: the verdicts of both orders together are for the answer that people (or
    whoever knows) prefer; or ``best``: the right answer has the highest score. Items of the
    category ``ties`` have several right answers, with one reference prompt each. Categories make up
    ``sections`` by their ``weights`` (1 unless said), and sections alike make up the whole; without
    any, items do.
    """

    rule: Literal["pairs", "best"]
    sections: dict[str, list[str]] = Field(default_factory=dict)
    weights: dict[str, PositiveInt] = Field(default_factory=dict)
    ties: str | None = None


class Report(Section):
    """What boards show besides, where nobody asks otherwise.

    ``by`` are ways of grouping items: ``category``, ``language``, or a field of their metadata.
    ``sides`` say how scores of categories make up the whole. ``headline`` is the number that users
    of the benchmark expect first. ``block`` is in how many consecutive
    answers upstream correlates a judge's scores with people's.
    """

    by: list[str] = Field(default_factory=list)
    sides: dict[str, list[str]] = Field(
        default_factory=dict,
        description="categories that count equally, and sides of them that do; else items do. "
        "Sides that are all called as parts of scores are measured by those",
    )
    unparsed: float | None = Field(None, description="official score of what cannot be read")
    not_applicable: float | None = Field(
        None, description="official score of a part that a judge says does not apply"
    )
    grouped: list[str] = Field(
        default_factory=list, description="parts of scores that groups are measured by besides"
    )
    words: list[str] = Field(
        default_factory=list, description="categories whose answers' words are counted"
    )
    rounded: str | None = Field(
        None, description="way of grouping whose means the official score rounds and averages"
    )
    headline: Literal["win_rate", "length_controlled_win_rate"] | None = Field(
        None, description="what ranks comparisons and comes first, where it can be computed"
    )
    sparse: bool = Field(
        False, description="items have answers of some models only; others are not missing"
    )
    block: int | None = Field(None, ge=2, description="answers that upstream correlates together")
    guessed: bool = Field(False, description="also with what cannot be read at its chance value")
    turns: bool = Field(False, description="each turn counts by itself, and has its own figures")
    right: Right | None = Field(None, description="of a benchmark of judges: when one is right")
    rates: dict[str, list[str]] = Field(
        default_factory=dict,
        description="labels whose shares are figures, by name, where no single one says how good",
    )
    apart: str | None = Field(
        None, description="way of grouping items whose groups such figures never put together"
    )


class Description(Section):
    """A benchmark's folder in words that can be checked."""

    name: str = Field(pattern=NAME)
    title: str
    licence: str
    homepage: str | None = None
    paper: str | None = None
    default_version: str
    labels: list[str] = Field(default=list(BINARY), min_length=2)
    positive: str = BINARY[-1]
    metric: str = "accuracy"
    baseline: str | None = Field(None, description="whose answers come with the questions")
    unit: str = Field("item", description="what is drawn again in a bootstrap")
    coverage_floor: float = Field(0.95, ge=0, le=1)
    versions: dict[str, Version] = Field(min_length=1)
    asking: Asking
    judging: Judging
    published: Published | None = None
    report: Report = Field(default_factory=Report)

    @model_validator(mode="after")
    def _sound(self) -> Description:
        """That names are known where they are named, and what is said goes together."""
        asking, judging, report = self.asking, self.judging, self.report
        at_asking = partial(fault, at=("asking",))
        asked = [asking.prompt, *(one.prompt for one in asking.presets.values())]
        cut = [asking.truncate, *(one.truncate for one in asking.prompts.values())]
        refuse_unknown("prompt", asked, asking.prompts, error=at_asking)
        refuse_unknown("truncation", cut, MODES, error=at_asking)
        refuse(
            at_asking,
            {
                "temperatures: say the 'default', for a category that is not listed": (
                    asking.temperatures and "default" not in asking.temperatures
                ),
                "further: samples are drawn, so they need a temperature above 0": (
                    asking.further and not asking.further.get("temperature")
                ),
                f"presets: {CLEAN!r} is what stands outside of presets": CLEAN in asking.presets,
            },
        )
        at_judging = partial(fault, at=("judging",))
        refuse_unknown("official prompt", [judging.prompt], judging.official, error=at_judging)
        boards = [] if self.published is None else self.published.boards
        versions = [self.default_version, *(board.version for board in boards)]
        labels = [self.positive, *(label for of in report.rates.values() for label in of)]
        refuse_unknown("version", versions, self.versions, error=ValueError)
        refuse_unknown("apart", [report.apart], report.by, error=ValueError)
        refuse_unknown("label", labels, self.labels, error=ValueError)
        for number, board in enumerate(boards):
            who = {bool(board.models), board.provider is not None, board.prompt is not None}
            refuse(
                partial(fault, at=("published", "boards", number)),
                {"'models', 'provider' and 'prompt' say together who judged": len(who) > 1},
            )
            if judging.official_from is None:  # else they are that one's
                named = [board.prompt]
                refuse_unknown("official prompt", named, judging.official, error=ValueError)
        return self


def find(name: str) -> tuple[Description, Path]:
    """A benchmark's description and folder.

    Raises
    ------
    ConfigError
        For an unknown benchmark, or a description with a fault, naming the file and the field.
    """
    folders = registry.benchmark_folders()
    if name not in folders:
        raise ConfigError(unknown_name("benchmark", name, folders))
    return read(folders[name]), folders[name]


def read(folder: Path) -> Description:
    """The description in a folder."""
    file = folder / registry.BENCHMARK_FILE
    try:
        description = _parsed(file, file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: cannot be read: {error}") from None
    if description.name != folder.name:
        raise ConfigError(
            f"{file}: name: {description.name!r} stands in the folder {folder.name!r}; "
            "they have to be equal"
        )
    return description


@lru_cache(maxsize=64)
def _parsed(file: Path, text: str) -> Description:
    return check(Description, tomllib.loads(text), file)


def split_version(name_at_version: str) -> tuple[str, str | None]:
    """``NAME`` or ``NAME@VERSION`` in its two parts."""
    name, at, version = name_at_version.partition("@")
    if not name or (at and not version):
        raise ConfigError(f"a benchmark is written NAME or NAME@VERSION, not {name_at_version!r}")
    return name, version or None


def check_typed(names: Iterable[str]) -> None:
    """Refuse a benchmark or version that somebody has typed and nobody knows.

    Raises
    ------
    UsageError
        Naming the nearest.
    """
    folders = registry.benchmark_folders()
    for written in names:
        name, version = split_version(written)
        refuse_unknown("benchmark", [name], folders, error=UsageError)
        if version is not None:
            known = read(folders[name]).versions
            refuse_unknown(f"version of {name}", [version], known, error=UsageError)


def chosen_version(description: Description, version: str | None) -> str:
    """The version asked for, or the default one."""
    if version is None:
        return description.default_version
    if version not in description.versions:
        known = description.versions
        raise ConfigError(unknown_name(f"version of {description.name}", version, known))
    return version


def chosen_preset(description: Description, name: str) -> PresetConfig:
    """The preset asked for, if not `CLEAN`; a small benchmark may have those of one it is like.

    Raises
    ------
    ConfigError
        For an unknown name.
    """
    asking = description.asking
    known = dict(asking.presets)
    if asking.presets_from is not None:
        known |= find(asking.presets_from)[0].asking.presets
    if name not in known:
        what = f"preset of {description.name}"
        raise ConfigError(unknown_name(what, name, [CLEAN, *known]))
    return known[name]
