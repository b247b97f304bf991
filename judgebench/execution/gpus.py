"""Where models and judges of a suite go on GPUs, and whether they fit, before any is loaded.

What a model takes of a card is counted. Weights are those in the headers of its safetensors files,
all experts of a mixture among them, in the dtype in which it is loaded. Its KV cache follows from
its ``config.json``: layers, heads of keys and values, and the window of layers that slide, for as
many tokens as it is run with. A tenth of each card stays free, and of the rest `BESIDES_GIB` for
each process: for its context on the card and for what it computes in a step.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from judgebench.config import GpuConfig, JudgeConfig, ServerConfig
from judgebench.errors import ConfigError, refuse_unknown
from judgebench.execution.resolve import ResolvedSuite
from judgebench.plain_text import counted
from judgebench.providers.server import ENGINE_WORDS, engine_words
from judgebench.workers.hub import hub_cache

GIB = 2**30
FREE = 0.9
"""The share of a card that a model may take, as vLLM has it, where nobody says otherwise."""
BESIDES_GIB = 1.0
USUAL_TOKENS = 4096
"""A prompt with its answer, for a backend whose cache grows as it goes and that says no length."""
MOST_CARDS = 64
"""So many are tried for saying how many a model would take."""

ENGINES = ("vllm", "sglang")
"""They take all the room that they may at once, and need that of one whole context."""

_BYTES = dict.fromkeys(("float16", "half", "bfloat16"), 2.0) | {
    "float32": 4.0,
    "float": 4.0,
    "float64": 8.0,
}
_LOADED = frozenset({"F64", "F32", "F16", "BF16"})
_BILLIONS = re.compile(r"(?:(\d+)x)?(\d+(?:\.\d+)?)b(?![a-z0-9])", re.IGNORECASE)
_BITS = re.compile(
    r"(?<!\d)([48])[-_ ]?bits?|(?<![a-z])(?:int|w|fp|q)([48])(?!\d)|(awq|gptq)", re.IGNORECASE
)
_HEADER_BYTES = 100_000_000


class Gpu(NamedTuple):
    """A GPU of this machine, with its memory in GiB."""

    name: str
    memory_gib: float


def gpus() -> list[Gpu] | None:
    """The GPUs that ``nvidia-smi`` knows, by number; None where there is no such program.

    Raises
    ------
    OSError, subprocess.SubprocessError
        Where it does not answer.
    """
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    query = [tool, "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    done = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True)
    rows = (line.rpartition(",") for line in done.stdout.splitlines() if "," in line)
    return [Gpu(name.strip(), float(mib) / 1024) for name, _, mib in rows]


# What a model takes -----------------------------------------------------------------------------


class Footprint(NamedTuple):
    """What one copy takes of each of its cards, in GiB; the cache for so many tokens at a time."""

    weights_gib: float
    cache_gib: float = 0.0
    tokens: int = 0
    sequences: int = 0

    @property
    def gib(self) -> float:
        return self.weights_gib + self.cache_gib

    def __str__(self) -> str:
        cache = f" and {self.cache_gib:.1f} GiB of KV cache" if self.cache_gib else ""
        each = f" for {self.sequences} x {self.tokens:,} tokens" if cache else ""
        return f"{self.weights_gib:.1f} GiB of weights{cache}{each}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A model by its files: the weights in bytes as loaded, and its ``config.json``.

    ``config`` is empty, and the weights those that its name says (70B, 8x7B), where it is not here.
    """

    name: str
    weights: float
    config: Mapping[str, Any] = field(default_factory=dict)
    cache_bytes: float = 2.0

    def number(self, *names: str) -> int:
        """A field of the configuration, by the first of its names that is there.

        Raises
        ------
        ConfigError
            Where it is not there, or no number above 0.
        """
        value = next((self.config[n] for n in names if self.config.get(n) is not None), None)
        if not isinstance(value, int) or value < 1:
            raise ConfigError(
                f"{self.name}: its config.json does not say {names[0]}, so that what it takes of a "
                "GPU cannot be counted"
            )
        return value

    @property
    def heads(self) -> tuple[int, int]:
        """Of queries, and of keys and values, which several of the former may share."""
        told, heads = self.config, self.number("num_attention_heads", "n_head")
        if told.get("multi_query") and not told.get("new_decoder_architecture"):
            return heads, 1  # as GPT-BigCode and the first Falcons say it
        names = ("num_key_value_heads", "num_kv_heads", "n_head_kv", "multi_query_group_num")
        return heads, int(next((told[name] for name in names if told.get(name)), heads))

    def splits(self, n: int) -> bool:
        """Whether its heads can be dealt over ``n`` cards."""
        heads, shared = self.heads if self.config and n > 1 else (n, n)
        return heads % n == 0 and (shared % n == 0 or n % shared == 0)

    def cache_gib(self, tokens: int, *, tensor: int = 1) -> float:
        """The KV cache of one sequence, on one of the ``tensor`` cards that share its heads."""
        if not self.config:
            return 0.0
        if latent := self.config.get("kv_lora_rank"):  # one latent vector, whole on every card
            numbers = latent + (self.config.get("qk_rope_head_dim") or 0)
        else:
            heads, shared = self.heads
            size = self.config.get("head_dim") or self.number("hidden_size", "n_embd") // heads
            numbers = 2 * max(1, shared // tensor) * size
        kept = sum(tokens if w is None else min(tokens, w) for w in self._windows())
        return float(kept * numbers * self.cache_bytes / GIB)

    def _windows(self) -> list[int | None]:
        """How many tokens each layer keeps: None for all of them, 0 where it has no such cache."""
        told, n = self.config, self.number("num_hidden_layers", "n_layer")
        window = told.get("sliding_window")
        if kinds := told.get("layer_types"):
            sizes = {"full": None, "sliding": window, "chunked": told.get("attention_chunk_size")}
            return [sizes.get(str(kind).partition("_")[0], 0) for kind in kinds]
        if not window or told.get("use_sliding_window") is False:
            return [None] * n
        gemma = told.get("model_type") == "gemma2"
        every = told.get("sliding_window_pattern") or (2 if gemma else n + 1)
        first = told.get("max_window_layers", 0) if "use_sliding_window" in told else 0
        return [None if i < first or (i + 1) % every == 0 else window for i in range(n)]


def checkpoint(name: str, given: Mapping[str, Any], *, counted: bool = True) -> Checkpoint | None:
    """What is known of a model's size; None for nothing.

    Parameters
    ----------
    name
        A folder, or a repository of the Hub, of which the local cache is looked at.
    given
        The arguments that it is loaded with, by vLLM's names.
    counted
        Whether what cannot be counted is refused; else a file takes as much as on the disk.

    Raises
    ------
    ConfigError
        For a dtype that is none, and for a checkpoint here whose files cannot be counted.
    """
    folder = _folder(name, str(given.get("revision") or "main"))
    try:
        config = {} if folder is None else _config(folder)
        dtype = _dtype(given, config)
        loaded = _bytes_each("" if folder else name, given, dtype)
        cache = 1.0 if "8" in str(given.get("kv_cache_dtype") or "") else max(2.0, _BYTES[dtype])
        weights = _weights(folder, config, loaded) if folder else _by_name(name, loaded)
        if not counted and not _has_a_cache(config):
            config = {}
    except ConfigError:
        if counted or folder is None:
            raise
        files = [*folder.glob("*.safetensors"), *folder.glob("*.bin")]
        config, cache, weights = {}, 2.0, float(sum(file.stat().st_size for file in files)) or None
    if weights is None:
        return None
    return Checkpoint(name=name, weights=weights, config=config, cache_bytes=cache)


def _has_a_cache(config: Mapping[str, Any]) -> bool:
    """Whether a configuration says what a KV cache takes: one of another kind may have none."""
    try:
        Checkpoint(name="", weights=0, config=config).cache_gib(1)
    except ConfigError:
        return False
    return True


def _folder(name: str, revision: str) -> Path | None:
    if name and (place := Path(name).expanduser()).is_dir():
        return place
    cached = hub_cache() / f"models--{name.replace('/', '--')}"
    commit = cached / "refs" / revision
    there = cached / "snapshots" / (commit.read_text().strip() if commit.is_file() else revision)
    return there if name and (there / "config.json").is_file() else None


def _config(folder: Path) -> Mapping[str, Any]:
    path = folder / "config.json"
    if not path.is_file():
        raise ConfigError(f"{folder} has no config.json, so that what it takes cannot be counted")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    if not isinstance(found, dict) or not found:
        raise ConfigError(f"{path}: has to hold a JSON object that describes the model")
    return {**found, **(found.get("text_config") or {})}


def _dtype(given: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """What numbers that are stored as floats are loaded as."""
    own = str(config.get("dtype") or config.get("torch_dtype") or "bfloat16")
    said = str(given.get("dtype") or "auto")
    dtype = (own if said == "auto" else said).removeprefix("torch.")
    refuse_unknown("dtype", [dtype], ["auto", *_BYTES])
    halved = said == "auto" and dtype == "float32" and given.get("engine") == "vllm"
    return "float16" if halved else dtype


def _bytes_each(name: str, given: Mapping[str, Any], dtype: str) -> float:
    """Bytes that a number takes that is stored as a float."""
    words = [name, str(given.get("quantization") or "")]
    words += [key for key, value in given.items() if str(value).lower() == "true"]
    if found := [bits for group in _BITS.findall(" ".join(words)) for bits in group if bits]:
        return 1.0 if "8" in found else 0.5  # GPTQ-Int8 is none of four bits
    return _BYTES[dtype]


def _by_name(name: str, each: float) -> float | None:
    sizes = _BILLIONS.findall(name.rpartition("/")[2])
    billions = (float(times or 1) * float(size) for times, size in sizes)
    return max(billions) * 1e9 * each if sizes else None


def _weights(folder: Path, config: Mapping[str, Any], each: float) -> float:
    index = folder / "model.safetensors.index.json"
    try:
        if index.is_file():  # another copy of the weights may lie beside those that are loaded
            named = {*json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()}
        else:
            named = {path.name for path in folder.glob("*.safetensors")}
        if folder.parent.name == "snapshots" and not all((folder / one).is_file() for one in named):
            named = set()  # of the Hub, and not all of it is here yet
        tensors = [one for file in sorted(named) for one in _tensors(folder / file)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{folder}: its safetensors files cannot be read: {error}") from None
    if any(dtype not in _LOADED for dtype, *_ in tensors):  # quantised: it stays as it is
        return float(sum(size for *_, size in tensors))
    if tensors:
        return sum(n for _, n, _ in tensors) * each
    files = list(folder.glob("*.bin"))
    return float(sum(file.stat().st_size for file in files)) or parameters(config) * each


def _tensors(file: Path) -> Iterator[tuple[str, int, int]]:
    """Of each tensor of a file its dtype, its numbers, and its bytes, from the header alone."""
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if length > min(_HEADER_BYTES, file.stat().st_size):
            raise ValueError(f"{file.name} has no header")
        header = json.loads(stream.read(length))
    for name, told in header.items():
        if name != "__metadata__":
            begin, end = told["data_offsets"]
            yield told["dtype"], math.prod(told["shape"]), end - begin


def parameters(config: Mapping[str, Any]) -> int:
    """How many numbers a transformer has, all experts among them, by its configuration alone.

    Raises
    ------
    ConfigError
        Where that does not say.
    """
    model = Checkpoint(name="the checkpoint", weights=0, config=config)
    (heads, shared), told = model.heads, config.get
    hidden, layers = model.number("hidden_size"), model.number("num_hidden_layers")
    size, inner = told("head_dim") or hidden // heads, model.number("intermediate_size")
    attention = 2 * hidden * size * (heads + shared)
    if latent := told("kv_lora_rank"):
        parts = ("qk_rope_head_dim", "qk_nope_head_dim", "v_head_dim")
        rope, plain, value = (model.number(part) for part in parts)
        queries, query = heads * (rope + plain), told("q_lora_rank")
        attention = query * (hidden + queries) if query else hidden * queries
        attention += hidden * (latent + rope) + heads * (latent * (plain + value) + value * hidden)
    experts = told("num_local_experts") or told("num_experts") or told("n_routed_experts") or 0
    each = 3 * hidden * (told("moe_intermediate_size") or inner)
    mixed = experts * (each + hidden) + (told("n_shared_experts") or 0) * each
    mixed += 3 * hidden * (told("shared_expert_intermediate_size") or 0)
    first = told("first_k_dense_replace") or len(told("mlp_only_layers") or ())
    dense = first if experts else layers
    embedded = model.number("vocab_size") * hidden * (1 if told("tie_word_embeddings") else 2)
    rest = layers * attention + dense * 3 * hidden * inner + (layers - dense) * mixed
    return int(embedded + rest + (2 * layers + 1) * hidden)


# Where it goes ----------------------------------------------------------------------------------


class Tenant(NamedTuple):
    """A model that takes room on GPUs. ``given`` are its arguments, by vLLM's names.

    ``gpus`` are those that the suite names for it, as it writes them. ``once`` is a server at a
    port that is said: a second one would have none.
    """

    name: str
    checkpoint: str
    given: Mapping[str, Any]
    gpus: str | None
    sequences: int = 1
    judges: bool = True
    once: bool = False

    @property
    def engine(self) -> str:
        return str(self.given.get("engine", "")).partition("-")[0]

    @property
    def share(self) -> float | None:
        """Of a card that it may take, where the suite says so.

        Raises
        ------
        ConfigError
            For one that is none.
        """
        said = self.given.get("gpu_memory_utilization")
        if said is None:
            return None
        if not re.fullmatch(r"0?\.\d*[1-9]\d*|1(\.0*)?", str(said)):
            raise ConfigError(
                f"{self.name}: gpu_memory_utilization is a share of a GPU, as 0.9, not {said!r}"
            )
        return float(said)

    def room(self, cards: Mapping[int, float], taken: Mapping[int, float]) -> dict[int, float]:
        """What it may take of each card, of which others have ``taken`` some."""
        own, others = self.share, taken.get
        if own is None:
            return {card: FREE * gib - others(card, 0.0) for card, gib in cards.items()}
        return {card: min(own * gib, gib - others(card, 0.0)) for card, gib in cards.items()}

    def footprint(self, found: Checkpoint, tensor: int, pipeline: int) -> Footprint:
        """What a copy takes of each card that it is spread over."""
        tokens, cache = 0, 0.0
        if found.config and self.sequences:
            said = next((n for n in _LENGTHS if self.given.get(n)), "")
            most = found.config.get("max_position_embeddings") or USUAL_TOKENS
            usual = most if self.engine in ENGINES else min(most, USUAL_TOKENS)
            tokens = (_tokens(said, self.given[said]) if said else 0) or int(usual)
            cache = found.cache_gib(tokens, tensor=tensor) * self.sequences / pipeline
        weights = found.weights / GIB / tensor / pipeline
        return Footprint(weights, cache, tokens, self.sequences)

    def spreads(
        self, found: Checkpoint, most: int, *, spread: bool = True
    ) -> Iterator[tuple[int, int]]:
        """Over how many cards a copy can lie, by heads and by layers.

        As it is told; where it is not told and may be ``spread``, over any number up to ``most``.

        Raises
        ------
        ConfigError
            For a tensor parallel size that does not divide the heads.
        """
        tensor, pipeline = (_cards(name, self.given.get(name) or 1) for name in _PARALLEL)
        if not found.splits(tensor):
            able = [str(n) for n in range(1, MOST_CARDS + 1) if found.splits(n)]
            raise ConfigError(
                f"tensor_parallel_size {tensor} does not divide the "
                f"{' and '.join(map(str, dict.fromkeys(found.heads)))} heads of {found.name}: "
                f"{', '.join(able)} do"
            )
        whole = str(self.given.get("parallelize", "")).lower() == "true"
        whole = whole or bool(self.given.get("device_map"))
        if whole:
            yield 1, most
        elif not spread or self.given.keys() & {*_PARALLEL} or not self.engine:
            yield tensor, pipeline
        else:
            heads = self.engine in ENGINES
            ways = ((n, 1) if heads else (1, n) for n in range(1, most + 1))
            yield from (way for way in ways if found.splits(way[0]))


_PARALLEL = ("tensor_parallel_size", "pipeline_parallel_size")
_LENGTHS = ("max_model_len", "max_length")
_THOUSANDS = {"": 1, "k": 1000, "K": 1024, "m": 1000**2, "M": 1024**2}


def _tokens(name: str, said: Any) -> int:
    """Also as vLLM has it: 32k; one where the engine finds a length that fits (auto, -1)."""
    if str(said) in {"auto", "-1"}:
        return 1
    number = re.fullmatch(r"(\d+(?:\.\d+)?)([kKmM]?)", str(said))
    if number is None:
        raise ConfigError(f"{name} is a number of tokens, such as 8192, not {said!r}")
    return int(float(number[1]) * _THOUSANDS[number[2]])


def _cards(name: str, said: Any) -> int:
    if not re.fullmatch(r"[1-9]\d{0,3}", str(said)):
        raise ConfigError(f"{name} is a number of GPUs, not {said!r}")
    return int(said)


class Placement(NamedTuple):
    """Where a model goes: its cards as `CUDA_VISIBLE_DEVICES`, one group for each copy.

    ``footprint`` is None where nobody knows what it takes; ``told`` is what its engine is told
    because of where it goes.
    """

    tenant: Tenant
    groups: tuple[tuple[int, ...], ...]
    footprint: Footprint | None
    told: Mapping[str, Any]

    def takes(self, memory_gib: float) -> float:
        """Of a card of so much memory: what it needs, or the share that the suite gives it."""
        if (share := self.tenant.share) is not None:
            return share * memory_gib
        return self.footprint.gib + BESIDES_GIB if self.footprint else 0.0

    @property
    def gpus(self) -> str:
        return ";".join(",".join(map(str, group)) for group in self.groups)

    def __str__(self) -> str:
        takes = "of a size that is not known" if self.footprint is None else str(self.footprint)
        return f"{self.tenant.checkpoint} goes on GPU {self.gpus.replace(';', ' and ')}: {takes}"


def fit(
    tenant: Tenant, cards: Mapping[int, float], *, copies: int | None = None, spread: bool = True
) -> Placement:
    """A model on as few cards as it fits on, as often as there are such.

    Parameters
    ----------
    cards
        What is free of each, in GiB.
    copies
        At most; None for as many as there is room for.
    spread
        Whether it may be told to lie on several cards; and whether what cannot be counted of its
        files is refused.

    Raises
    ------
    ConfigError
        Where it fits on none of these cards, with what would do.
    """
    try:
        found = checkpoint(tenant.checkpoint, tenant.given, counted=spread)
        model = found or Checkpoint(name=tenant.checkpoint, weights=0.0)
        for tensor, pipeline in tenant.spreads(model, len(cards), spread=spread):
            n, takes = tensor * pipeline, tenant.footprint(model, tensor, pipeline)
            least = takes.gib + BESIDES_GIB if found else 0.0
            room = [card for card, gib in cards.items() if gib >= least]
            if len(room) >= n:
                groups = tuple(tuple(room[i : i + n]) for i in range(0, len(room) - n + 1, n))
                told: dict[str, Any] = {"tensor_parallel_size": tensor} if tensor > 1 else {}
                if pipeline > 1 and tenant.engine not in ENGINES:
                    told["parallelize"] = True
                if found is None:  # nobody knows how often there is room for it
                    return Placement(tenant, groups[:1], None, told)
                return Placement(tenant, groups[:copies], takes, told)
        raise ConfigError(_no_room(tenant, model, cards, spread=spread))
    except ConfigError as error:
        raise ConfigError(f"{tenant.name}: {error}") from None


def _no_room(tenant: Tenant, model: Checkpoint, cards: Mapping[int, float], *, spread: bool) -> str:
    """Why a model fits on none of these cards, and what would do."""
    each, names = max(cards.values()), ", ".join(map(str, cards))
    tensor, pipeline = next(iter(tenant.spreads(model, len(cards), spread=spread)))
    if tensor * pipeline > len(cards):
        return (
            f"{model.name} does not fit GPU {names}: it is spread over {tensor * pipeline} GPUs, "
            f"and here it has {counted(len(cards), 'GPU')}"
        )
    takes = tenant.footprint(model, tensor, pipeline)
    ways = []
    left = each - BESIDES_GIB - takes.weights_gib
    if takes.cache_gib and (fewer := int(takes.tokens * left / takes.cache_gib)) > 0:
        ways.append(f"at most {fewer:,} tokens (max_model_len) or a smaller batch")
    wider = [n for n in range(1, MOST_CARDS + 1) if model.splits(n)]
    sizes = ((n, tenant.footprint(model, n, 1).gib + BESIDES_GIB) for n in wider)
    if enough := next((n for n, gib in sizes if gib <= each), None):
        ways.append(
            f"{counted(enough, 'such GPU')} over which it is spread (tensor_parallel_size, "
            "parallelize)"
        )
    where = f"GPU {names} ({each:.0f} GiB free of each)"
    ways.append("a smaller or quantised model")
    return f"{model.name} does not fit {where}: it takes {takes}. What would: {'; '.join(ways)}"


def cards_here(config: GpuConfig | None, named: str | None = None) -> dict[int, float]:
    """The cards that may be used, with their memory in GiB; none where nobody knows of any.

    Parameters
    ----------
    named
        As ``CUDA_VISIBLE_DEVICES`` names them; else those of the suite, else of this process.

    Raises
    ------
    ConfigError
        For a card that is not here.
    """
    try:
        here = [gpu.memory_gib for gpu in gpus() or ()]
    except (OSError, subprocess.SubprocessError, ValueError):
        here = []
    own = config.memory_gib if config else None
    numbers: Sequence[int] | None = config.devices if config and named is None else None
    if numbers is None:
        shown = os.environ.get("CUDA_VISIBLE_DEVICES") if named is None else named
        words = None if shown is None else re.split("[,;]", shown)
        if words is not None and not all(word.strip().isdecimal() for word in words):
            return {}  # by their serial numbers, say
        numbers = range(len(here)) if words is None else [int(word) for word in words]
    if here and (absent := [str(n) for n in numbers if n >= len(here)]):
        raise ConfigError(f"gpus: there is no GPU {', '.join(absent)} here: {len(here)} in all")
    return {n: own or here[n] for n in numbers} if here or own else {}


def tenants(work: ResolvedSuite) -> dict[str, Tenant]:
    """The models that take room on GPUs; judges by what they load, models by their name."""
    found: dict[str, Tenant] = {}
    for candidate in work.candidates:
        if (local := candidate.local) is not None and _on_gpus(local.model, local.device):
            given = {**local.model_args, "engine": local.model}
            name = f"model {candidate.name}"
            found[name] = _tenant(name, given, local.gpus, local.batch_size)._replace(judges=False)
    for assignment in work.assignments:
        key, config = assignment.loads, assignment.config
        if key is None or config is None or key in found:
            continue
        loaded = config.lm_eval or config.reward_model
        engine = config.lm_eval.model if config.lm_eval else "hf"
        if loaded is None or _on_gpus(engine, loaded.device):
            found[key] = _of_judge(f"judge {assignment.title}", config)
    return found


def _on_gpus(backend: str, device: str | None) -> bool:
    """Whether a backend of lm-eval loads a model here, and not on the CPU."""
    return device != "cpu" and backend.partition("-")[0] in {"hf", "huggingface", *ENGINES}


def _tenant(name: str, given: Mapping[str, Any], gpus: str | None, batch: int | str = 1) -> Tenant:
    short = {"tp": "tensor_parallel_size", **{own: name for name, own in ENGINE_WORDS.items()}}
    given = {short.get(word, word): value for word, value in given.items()}
    one_at_least = given.get("engine") in ENGINES or not isinstance(batch, int)
    place = str(given.get("pretrained") or given.get("model") or "")
    return Tenant(name, place, given, gpus, 1 if one_at_least else int(batch))


def _of_judge(name: str, config: JudgeConfig) -> Tenant:
    if (local := config.lm_eval) is not None:
        given = {**local.model_args, "engine": local.model}
        return _tenant(name, given, local.gpus, local.batch_size)
    if (own := config.reward_model) is not None:
        given = {"pretrained": own.pretrained, "dtype": own.dtype, "revision": own.revision}
        return _tenant(name, given, own.gpus)._replace(sequences=0)
    assert config.server is not None  # one of the three, where it loads something
    once = "{port}" not in (config.base_url or "")
    return _tenant(name, of_server(config.server), config.server.gpus)._replace(once=once)


_SHORT = {"-tp": "tensor_parallel_size", "-pp": "pipeline_parallel_size"}
"""Of vLLM."""


def of_server(server: ServerConfig) -> dict[str, Any]:
    """What a server loads and how, by vLLM's names: of an engine as said, else by its command."""
    if server.engine is not None:
        return {**server.args, "engine": server.engine, "pretrained": server.checkpoint}
    command = server.command
    found: dict[str, Any] = {}
    for word, following in zip(command, [*command[1:], ""], strict=True):
        name, equals, value = word.partition("=")
        if name.startswith("--") or name in _SHORT:
            name = _SHORT.get(name, name[2:].replace("-", "_"))
            found[name] = value if equals else following
    after = {"serve", "--model", "--model-path"}
    model = next((word for before, word in pairwise(command) if before in after), "")
    return {"pipeline_parallel_size": 1, **found, "pretrained": model}  # as it says, no wider


def place(work: ResolvedSuite) -> dict[str, Placement]:
    """Where a suite's section ``gpus`` puts its models and judges, by the keys of `tenants`.

    Judges come first. Where they are not ``in_turn`` they keep what they take: models, which are
    loaded one after the other, have the rest.

    Raises
    ------
    ConfigError
        For cards that are not here, a model that fits on none, or one that cannot be counted.
    """
    config, found = work.suite.gpus, dict[str, Placement]()
    if config is None or work.suite.executor is not None:  # each job or node has GPUs of its own
        return found
    cards = cards_here(config)
    if not cards:
        raise ConfigError(
            "gpus: no GPU is known here (nvidia-smi lists none); run this where they are, or say "
            "devices and memory_gib to plan for others"
        )
    left, taken = dict(cards), dict.fromkeys(cards, 0.0)
    for key, tenant in sorted(tenants(work).items(), key=lambda one: not one[1].judges):
        alone = config.place == "apart" and tenant.judges
        if tenant.gpus is not None:
            found[key] = _where_it_says(tenant, config)
        elif not left:
            raise ConfigError(f"{tenant.name}: gpus: apart: the judges leave no GPU for it")
        else:
            room = tenant.room(left, taken)
            room = dict(reversed(room.items())) if alone else room
            found[key] = fit(tenant, room, copies=1 if alone or tenant.once else config.copies)
        if tenant.judges and config.place != "in_turn":
            for card in (card for group in found[key].groups for card in group if card in left):
                taken[card] += found[key].takes(cards[card])
                if config.place == "apart":
                    del left[card]
    if config.place == "together":
        free = min(FREE * gib - taken[card] for card, gib in cards.items())
        _share(found, min(cards.values()), free)
    return found


def fits_as_it_stands(tenant: Tenant) -> Placement | None:
    """A model on the GPUs that are named for it, or here; None where there are none to look at.

    Raises
    ------
    ConfigError
        As `fit`, where neither its files nor its name say that it fits.
    """
    cards = cards_here(None, tenant.gpus and tenant.gpus.partition(";")[0])
    return fit(tenant, tenant.room(cards, {}), copies=1, spread=False) if cards else None


def _where_it_says(tenant: Tenant, config: GpuConfig) -> Placement:
    """Checked on each group of cards that the suite names for it."""
    each = [
        fit(tenant, tenant.room(cards_here(config, group), {}), copies=1)
        for group in str(tenant.gpus).split(";")
    ]
    return each[0]._replace(groups=tuple(group for one in each for group in one.groups))


def _share(found: dict[str, Placement], memory_gib: float, free_gib: float) -> None:
    """Tell engines that share cards which part is theirs: what they need, and some of the rest."""
    needs = {key: one.takes(memory_gib) for key, one in found.items() if one.footprint}
    models = [gib for key, gib in needs.items() if not found[key].tenant.judges]
    n = len(needs) - len(models) + bool(models)
    spare = max(0.0, free_gib - max(models, default=0.0)) / max(1, n)
    for key, gib in needs.items():
        if found[key].tenant.engine in ENGINES and found[key].tenant.share is None:
            share = {"gpu_memory_utilization": round((gib + spare) / memory_gib, 3)}
            found[key] = found[key]._replace(told={**found[key].told, **share})


def placed(work: ResolvedSuite) -> ResolvedSuite:
    """The work with everything on the GPUs that its suite gives it; as it is without such.

    Raises
    ------
    ConfigError
        As `place`: before anything is loaded.
    """
    found = place(work)
    if not found:
        return work
    candidates = []
    for candidate in work.candidates:
        at, local = found.get(f"model {candidate.name}"), candidate.local
        if at is not None and local is not None:
            arguments = {**local.model_args, **engine_words(local.model, at.told)}
            local = local.model_copy(update={"gpus": at.gpus, "model_args": arguments})
            candidate = replace(candidate, local=local)
        candidates.append(candidate)
    assignments = (
        one
        if one.config is None or (at := found.get(one.loads or "")) is None
        else replace(one, config=_on_its_cards(one.config, at))
        for one in work.assignments
    )
    return replace(work, candidates=tuple(candidates), assignments=tuple(assignments))


def _on_its_cards(config: JudgeConfig, at: Placement) -> JudgeConfig:
    name = next(name for name in ("server", "lm_eval", "reward_model") if getattr(config, name))
    section, update = getattr(config, name), dict[str, Any](gpus=at.gpus)
    if name == "lm_eval":
        words = engine_words(section.model, at.told)
        update["model_args"] = {**section.model_args, **words}
    elif name == "server" and section.engine is not None:
        update["args"] = {**section.args, **at.told}
    return config.model_copy(update={name: section.model_copy(update=update)})


# What they do -----------------------------------------------------------------------------------

WATCH_S = 5
STOP_S = 5.0


class GpuWatch:
    """What the GPUs of this machine do, as ``nvidia-smi`` says every `WATCH_S` seconds.

    Use as a context manager; where there is no such program, or nothing to watch, it says nothing.
    """

    def __init__(self, *, watches: bool = True) -> None:
        self._tool = shutil.which("nvidia-smi") if watches else None
        self._seen: dict[int, list[tuple[float, float]]] = {}

    def __enter__(self) -> GpuWatch:
        if self._tool is not None:
            fields = "index,utilization.gpu,memory.used"
            query = [self._tool, f"--query-gpu={fields}", "--format=csv,noheader,nounits"]
            self._process = subprocess.Popen(
                [*query, f"--loop={WATCH_S}"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            self._reader = threading.Thread(target=self._read, daemon=True)
            self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._tool is not None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):  # it hangs where a driver does
                self._process.wait(STOP_S)
                self._reader.join()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                fields = [field.strip() for field in line.split(",")]
                if len(fields) == 3 and all(re.fullmatch(r"[\d.]+", field) for field in fields):
                    index, use, mib = int(fields[0]), float(fields[1]), float(fields[2])
                    self._seen.setdefault(index, []).append((use / 100, mib / 1024))

    def figures(self) -> list[dict[str, float]]:
        """Of each GPU the share of the time in which it worked, now and on average, and memory."""
        return [
            {
                "gpu": index,
                "use": seen[-1][0],
                "mean_use": sum(use for use, _ in seen) / len(seen),
                "peak_gib": max(gib for _, gib in seen),
            }
            for index, seen in sorted(self._seen.items())
        ]
