"""The folder is the registry: ``providers/openai.py`` is the provider ``openai``.

A module takes part by defining ``make``; names that start with an underscore are private. Most
judges are entries of a table instead, which `judgebench.judges.KINDS` names. Installed packages add
names through the entry points ``judgebench.judges``, ``judgebench.readers``,
``judgebench.providers``, ``judgebench.metrics`` and ``judgebench.benchmarks`` (docs/extending.md).
Nothing is imported before it is asked for.
"""

from __future__ import annotations

import importlib
import inspect
import operator
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from judgebench import INCLUDE_PATH
from judgebench.errors import ConfigError, InputError, unknown_name
from judgebench.keys import text_sha

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Group = Literal["judges", "readers", "providers", "metrics"]

BENCHMARK_FILE = "benchmark.toml"
PARTIAL = ".partial"
_included: list[Path] = []
_of_suite: list[Path] = []
_beside: dict[str, tuple[Path, Path, int]] = {}
"""Modules found in a folder of `function`: the folder, the file, and when that was changed."""
_DEFINES_MAKE = re.compile(r"^def make\b", re.MULTILINE)


def names(group: Group) -> list[str]:
    """The names of a group, sorted: the package's own and those of installed packages."""
    return sorted({*_own(group), *_entry_points(group)})


def load(group: Group, name: str) -> Any:
    """What a name stands for, a module or a kind of judge; its ``make`` builds one.

    Raises
    ------
    ConfigError
        For a name nobody offers, with the nearest and the known ones, and for what an installed
        package offers and cannot be loaded.
    """
    if (own := _own(group).get(name)) is not None:
        module = importlib.import_module(f"judgebench.{group}.{own.module}")
        return module.KINDS[name] if own.is_entry else module
    offered = _entry_points(group)
    if name not in offered:
        raise ConfigError(unknown_name(group.removesuffix("s"), name, names(group)))
    found = _loaded(offered[name])
    if group in ("judges", "providers") and not hasattr(found, "make"):
        raise ConfigError(f"{_offer(offered[name])} has no 'make'")
    return found


def _offer(point: EntryPoint) -> str:
    package = f" of the package {point.dist.name}" if point.dist is not None else ""
    return f"{point.group} {point.name} = {point.value}{package}"


def _loaded(point: EntryPoint) -> Any:
    try:
        return point.load()
    except Exception as error:  # noqa: BLE001 - a module may raise whatever it wants
        raise ConfigError(
            f"{_offer(point)} cannot be loaded: {type(error).__name__}: {error}; mend or uninstall "
            "the package"
        ) from None


FUNCTIONS: MutableMapping[str, Callable[..., Any]] = {}
"""Functions that no import finds, such as a notebook's, by ``module:qualified.name``."""


def entry_point_names(group: Group) -> list[str]:
    """The names that installed packages offer."""
    return sorted(_entry_points(group))


def entry_point_files(group: Group) -> list[Path]:
    """The Python files of the packages that offer these names, sorted; nothing is imported."""
    from importlib.util import find_spec  # the command line starts without it

    files: set[Path] = set()
    for module in {point.module.partition(".")[0] for point in _entry_points(group).values()}:
        spec = find_spec(module)
        for folder in (spec and spec.submodule_search_locations) or ():
            files |= {*Path(folder).rglob("*.py")}
        if spec is not None and spec.has_location and spec.origin is not None:
            files.add(Path(spec.origin))
    return sorted(files)


def function(named: str, group: Group, *, beside: Path | None = None) -> Callable[..., Any]:
    """The function ``package.module:name``, or the one that a package offers by this name.

    Parameters
    ----------
    beside
        A folder in which modules are looked for too, after all others.

    Raises
    ------
    ConfigError
        Where there is none, with the nearest name or what the import says.
    """
    if named in FUNCTIONS:
        return FUNCTIONS[named]
    module, colon, inside = named.partition(":")
    try:
        if not colon:
            points = _entry_points(group)
            if named not in points:
                what = unknown_name(group.removesuffix("s"), named, points)
                raise ConfigError(f"{what}; one of your own is package.module:function")
            found = _loaded(points[named])
        else:
            found = operator.attrgetter(inside)(_module(module, beside))
    except ConfigError:
        raise
    except Exception as error:  # noqa: BLE001 - a module may raise whatever it wants
        raise ConfigError(f"{named}: {type(error).__name__}: {error}") from None
    if not callable(found):
        raise ConfigError(f"{named} is no function")
    return found  # type: ignore[no-any-return]


def _module(named: str, beside: Path | None) -> Any:
    """A module; one beside another prompt, or as it was before it was changed, is not taken."""
    if beside is None:
        return importlib.import_module(named)
    folder = beside.absolute()
    if any(of != folder or _changed(str(file)) != then for of, file, then in _beside.values()):
        for name in _beside:
            sys.modules.pop(name, None)
        _beside.clear()
    paths, known = list(sys.path), {*sys.modules}
    try:
        sys.path.append(str(folder))
        return importlib.import_module(named)
    finally:
        sys.path[:] = paths
        for name in sys.modules.keys() - known:
            file = Path(getattr(sys.modules[name], "__file__", None) or "/")
            if file.is_relative_to(folder):
                _beside[name] = (folder, file, _changed(str(file)))


def register_function(found: Callable[..., Any]) -> str:
    """The name by which `function` finds a function of this process from now on."""
    named = f"{found.__module__}:{found.__qualname__}"
    FUNCTIONS[named] = found
    return named


def source_sha(found: Callable[..., Any], within: tuple[Any, ...] = ()) -> str | None:
    """The first 12 digits of the SHA-256 of what a function is; None where nobody has its code.

    That is its source, and the numbers, texts and functions that it holds of the function around it
    or of its object: ``longer_than(5)`` is not ``longer_than(100)``. A lambda may share its line
    with others, and what was typed at a prompt has no source: of those it is the compiled code.
    ``within`` are the functions that hold this one.
    """
    held: list[Any] = [cell.cell_contents for cell in getattr(found, "__closure__", None) or ()]
    if inspect.ismethod(found) and not inspect.isclass(found.__self__):
        held += sorted(getattr(found.__self__, "__dict__", {}).items())
    source, code = None, getattr(found, "__code__", None)
    if isinstance(found, partial):
        source, held = "partial", [found.func, found.args, *sorted(found.keywords.items())]
    else:
        with suppress(OSError, TypeError):
            source = inspect.getsource(found)
        if code is not None and (source is None or found.__name__ == "<lambda>"):
            source = f"{source}\n{_compiled(code)}"
    if source is None:
        return None
    return text_sha("\n".join([source, *(_held(one, (*within, found)) for one in held)]))[:12]


def _compiled(code: Any) -> str:
    """Code and constants of a function and of those within it, without where they stand."""
    inner = [_compiled(one) if inspect.iscode(one) else repr(one) for one in code.co_consts]
    return repr((code.co_code.hex(), code.co_names, inner))


def _held(value: Any, within: tuple[Any, ...]) -> str:
    """A value as part of an identity; of one that may change while it is used, its type."""
    if any(value is one for one in within):
        return ""
    if inspect.isroutine(value) or isinstance(value, partial):
        return str(source_sha(value, within))
    if isinstance(value, tuple):
        return f"({', '.join(_held(one, within) for one in value)})"
    if isinstance(value, str | bytes | int | float | None):
        return repr(value)
    return type(value).__qualname__


def data_home() -> Path:
    """Where pulled and imported data is kept."""
    if configured := os.environ.get("JUDGEBENCH_DATA"):
        return Path(configured).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("judgebench")) / "data"


@cache
def tasks_root() -> Path:
    """Where the benchmarks that come with judgebench stand: bundled, or those of the checkout."""
    package = Path(__file__).resolve().parent
    bundled = package / "_bundled" / "tasks"
    return bundled if bundled.is_dir() else package.parent / "tasks"


def figures_folder(benchmark: str, tasks: Path | None = None) -> Path:
    """Where the published figures of a benchmark stand.

    Parameters
    ----------
    tasks
        The folder that holds ``NAME/figures``; that of judgebench if not given.

    Raises
    ------
    InputError
        Where they are not there, as in an installed package.
    """
    folder = (tasks or tasks_root()) / benchmark / "figures"
    if folder.is_dir():
        return folder
    raise InputError(
        f"{folder}: there are no figures of {benchmark}. For their licences they are not in an "
        f"installed package: they stand in tasks/{benchmark}/figures of judgebench's source "
        "repository. Clone it and say --tasks CLONE/tasks"
    )


def include(paths: Iterable[Path]) -> None:
    """Know the benchmarks of these folders too, from here on; each holds such, or is one.

    ``JUDGEBENCH_INCLUDE_PATH`` does so from the start. What was named last wins over what was named
    before, that over installed packages, and those over what comes with judgebench.

    Raises
    ------
    ConfigError
        For a folder that is not there, or holds no benchmark and no lm-eval task.
    """
    _checked(paths, _included)


def include_of_suite(named: Path | list[Path]) -> None:
    """Likewise the folder or folders of a suite, in place of those of the suite before."""
    _of_suite.clear()
    if named:
        _checked(named if isinstance(named, list) else [named], _of_suite)


def _checked(paths: Iterable[Path], known: list[Path]) -> None:
    for path in paths:
        if not path.is_dir():
            raise ConfigError(f"include_path: {path}: there is no such folder")
        if not _folders_below(path) and next(path.rglob("*.yaml"), None) is None:
            raise ConfigError(
                f"include_path: {path}: neither a {BENCHMARK_FILE} nor an lm-eval task (.yaml) is "
                "in it"
            )
        where = path.absolute()
        known[:] = [*(one for one in known if one != where), where]


def included() -> tuple[Path, ...]:
    """The folders of ``JUDGEBENCH_INCLUDE_PATH``, `include` and the suite; the last one wins."""
    named = os.environ.get(INCLUDE_PATH, "").split(os.pathsep)
    return (*(Path(one) for one in named if one), *_included, *_of_suite)


def benchmark_folders() -> dict[str, Path]:
    """Benchmark name -> its folder: ours, those of installed packages, and those of `included`.

    An entry point of a package names a folder, or a package that is one.
    """
    found = dict(_folders_below(tasks_root()))
    for name, point in _entry_points("benchmarks").items():
        offered = _loaded(point)
        if not isinstance(offered, str | Path) and not hasattr(offered, "__path__"):
            raise ConfigError(f"{_offer(point)} is neither a folder nor a package that is one")
        found[name] = Path(offered if isinstance(offered, str | Path) else offered.__path__[0])
    for path in included():
        found |= _folders_below(path)
    return dict(sorted(found.items()))


def _folders_below(root: Path) -> dict[str, Path]:
    if (root / BENCHMARK_FILE).is_file():
        return {root.name: root}
    try:  # every board asks several times: a tenth of what paths cost
        with os.scandir(root) as inside:
            names = [
                one.name
                for one in inside
                if os.path.isfile(f"{one.path}/{BENCHMARK_FILE}")  # noqa: PTH113
            ]
    except OSError:
        return {}
    return {name: root / name for name in names}


class _Own(NamedTuple):
    """Which module of a group has a name, as an entry of its table or as the module itself."""

    module: str
    is_entry: bool


@cache
def _own(group: str) -> dict[str, _Own]:
    """To look into each module again takes 5 ms, and whatever is loaded of it stays as it was."""
    package = importlib.import_module(f"judgebench.{group}")
    table: Mapping[str, str] = getattr(package, "KINDS", {})
    modules = (
        file.stem
        for folder in package.__path__
        for file in Path(folder).glob("[!_]*.py")
        if _DEFINES_MAKE.search(file.read_text(encoding="utf-8"))
    )
    entries = {name: _Own(module, True) for name, module in table.items()}
    return {name: _Own(name, False) for name in modules} | entries


#: Where was looked and when these places changed, and what was offered, by group.
_OFFERED: list[tuple[list[tuple[str, int]], dict[str, dict[str, EntryPoint]]]] = []


def _entry_points(group: str) -> Mapping[str, EntryPoint]:
    """Looking into every installed package takes 20 ms: done again when one came or went."""
    places = [(place, _changed(place)) for place in sys.path]
    if not _OFFERED or _OFFERED[0][0] != places:
        from importlib.metadata import entry_points

        every = entry_points()
        ours = [name for name in every.groups if name.startswith("judgebench.")]
        _OFFERED[:] = [
            (places, {name: {one.name: one for one in every.select(group=name)} for name in ours})
        ]
    return _OFFERED[0][1].get(f"judgebench.{group}", {})


def _changed(place: str) -> int:
    try:
        return Path(place).stat().st_mtime_ns
    except OSError:  # an archive that is not there, or a folder that was
        return 0
