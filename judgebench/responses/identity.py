"""What a model is, by its files: never by its name or path.

New weights under an old path are another model; touched files are the same one. Hashes are
remembered by size, times and inode, so that a checkpoint is read once.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from judgebench.errors import ConfigError
from judgebench.workers.hub import HUB_ID, SilentHubError, commit_of, hub_cache, offline

_log = logging.getLogger(__name__)

_SUFFIXES = {
    *(".safetensors", ".bin", ".pt", ".pth", ".gguf"),
    *(".json", ".model", ".txt", ".jinja", ".tiktoken", ".py"),
}
_NOT_THE_MODEL = re.compile(
    r"(optimizer|scheduler|scaler|rng_state|random_states|training_args|trainer_state|.*_results)"
    r"(?:[_\-.\d]|$)"
)
_TEMPLATES = "additional_chat_templates"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_PARTS = ("peft", "delta", "lora_local_path", "tokenizer")
"""What else besides the checkpoint decides the answer, where given."""
LOADED_AS = (
    *("gguf_file", "subfolder", "load_in_4bit", "load_in_8bit", "quantization", "autogptq"),
    *("gptqmodel", "bnb_4bit_quant_type", "bnb_4bit_compute_dtype", "quantization_config"),
)
"""Settings that make other weights of the same files."""


def weights_identity(model_args: Mapping[str, Any], *, cache_file: Path | None = None) -> str:
    """Which weights ``model_args`` of lm-eval mean.

    Parameters
    ----------
    model_args
        As in a suite; ``pretrained``, adapter, tokenizer, revision and quantisation count.
    cache_file
        Where hashes are remembered; a file in the user's cache folder if None.

    Returns
    -------
    str
        ``sha256:…`` of a local checkpoint, ``hub:<repository>@<commit>`` of a Hub model (the
        branch in place of the commit where nobody knows it), ``served:<model>`` where lm-eval
        asks a server. Adapter, tokenizer and quantisation follow, where given.

    Raises
    ------
    ConfigError
        For a checkpoint that is neither a folder nor a Hub repository.
    """
    main = model_args.get("pretrained")
    revision = str(model_args.get("revision") or "main")
    named = [f"served:{model_args.get('model', '')}"]
    with _hashes(cache_file) as known:
        if main is not None:
            named = [_part("pretrained", str(main), revision, known, model_args.get("subfolder"))]
        for name in _PARTS:
            if model_args.get(name):
                of = str(model_args.get("tokenizer_revision") or revision)
                of = of if name == "tokenizer" else revision
                named.append(f"{name}={_part(name, str(model_args[name]), of, known, None)}")
    named += [f"{name}={model_args[name]}" for name in LOADED_AS if model_args.get(name)]
    return " ".join(named)


def pinned(model_args: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with the commit that `weights_identity` found in place of a branch.

    Left alone where an adapter or a tokenizer comes from another repository, since lm-eval uses
    one revision for all.
    """
    arguments = dict(model_args)
    main = arguments.get("pretrained")
    if main is None or Path(str(main)).expanduser().is_dir():
        return arguments
    if not any(arguments.get(name) for name in _PARTS):
        commit = _commit(str(main), str(arguments.get("revision") or "main"))
        if commit is not None:
            arguments["revision"] = commit
    return arguments


def file_sha(path: Path, *, cache_file: Path | None = None) -> str:
    """SHA-256 of a file as 64 hex digits, remembered."""
    with _hashes(cache_file) as known:
        return _sha(path, known)


def model_files(folder: Path) -> Iterator[Path]:
    """The files of a checkpoint that decide its answers, sorted.

    Neither the state of its training nor subfolders (earlier checkpoints), except templates.
    """
    found = [*folder.iterdir(), *folder.glob(f"{_TEMPLATES}/*.jinja")]
    for path in sorted(found):
        hidden = path.name.startswith(".") or _NOT_THE_MODEL.match(path.name.lower())
        if path.suffix.lower() in _SUFFIXES and not hidden and path.is_file():
            yield path


def _part(what: str, given: str, revision: str, known: Hashes, subfolder: Any) -> str:
    place = Path(given).expanduser()
    if place.is_file():
        return f"sha256:{_sha(place, known)}"
    if not place.is_dir():
        return f"hub:{given}@{_hub_revision(what, given, revision)}"
    folder = place / str(subfolder) if subfolder else place
    files = list(model_files(folder)) if folder.is_dir() else []
    if not files:
        raise ConfigError(f"{what}: the folder {folder} holds no model")
    lines = [f"{path.relative_to(folder).as_posix()} {_sha(path, known)}" for path in files]
    sha = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return f"sha256:{sha}"


def _hub_revision(what: str, name: str, revision: str) -> str:
    if name.startswith((".", "/", "~")):
        raise ConfigError(f"{what}: there is no folder {name} here; check the path")
    if not HUB_ID.fullmatch(name):
        raise ConfigError(f"{what}: {name} is neither a folder here nor a Hub id (OWNER/NAME)")
    commit = _commit(name, revision)
    if commit is not None:
        return commit
    owner, _, rest = name.partition("/")
    if not rest or Path(owner).is_dir():
        raise ConfigError(
            f"{what}: there is no folder {name} here, and no such model in the local Hub cache; "
            "check the path, or write a Hub id as OWNER/NAME"
        )
    if offline():
        raise ConfigError(
            f"{what}: {name} at {revision} is not in the local Hub cache and HF_HUB_OFFLINE is "
            "set; unset it, or download the model first"
        )
    _log.warning(
        "%s@%s: the Hub did not say which commit this is; answers are kept under the name of the "
        "branch, and new weights under it will not be noticed",
        name,
        revision,
    )
    return revision


def _commit(name: str, revision: str) -> str | None:
    """The commit of a Hub revision: from the local cache, else asked from the Hub."""
    if _COMMIT.fullmatch(revision):
        return revision
    known = hub_cache() / f"models--{name.replace('/', '--')}" / "refs" / revision
    if known.is_file():
        return known.read_text(encoding="utf-8").strip()
    if offline() or "/" not in name:
        return None
    try:
        return commit_of(name, revision)
    except SilentHubError as error:
        _log.warning("the Hub did not answer for %s: %s", name, error)
        return None


Hashes: TypeAlias = dict[str, list[Any]]
"""By path: size, times and inode of a file, and last its SHA-256."""


@contextmanager
def _hashes(file: Path | None) -> Iterator[Hashes]:
    """The hashes that are remembered; what is new is kept.

    A cache folder that cannot be read or written costs hashing again, no more.
    """
    if file is None:
        from platformdirs import user_cache_path

        file = user_cache_path("judgebench") / "file_hashes.json"
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    known = known if isinstance(known, dict) else {}
    before = dict(known)
    yield known
    if known == before:
        return
    kept = {path: entry for path, entry in known.items() if Path(path).exists()}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=file.name)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(kept, stream)
        Path(name).replace(file)
    except OSError as error:
        _log.warning("hashes of model files are not remembered: %s", error)


def _sha(path: Path, known: Hashes) -> str:
    path = path.resolve()
    before = _state(path)
    remembered = known.get(str(path))
    if isinstance(remembered, list) and remembered[:-1] == before:
        return str(remembered[-1])
    with path.open("rb") as stream:
        sha = hashlib.file_digest(stream, "sha256").hexdigest()
    if _state(path) == before:  # else it is being written: not to be remembered
        known[str(path)] = [*before, sha]
    return sha


def _state(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
