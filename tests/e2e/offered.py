"""Benchmarks as an installed package offers them, which go before those that come along."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def offered(folder: Path, benchmarks: Sequence[Path]) -> Path:
    """A folder for ``PYTHONPATH`` with a package whose entry points name these folders."""
    packages = folder / "packages"
    info = packages / "offering-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: offering\nVersion: 1.0\n")
    module = f"offers_{folder.name}"  # a name of its own: modules are remembered
    points = "".join(f"{one.name} = {module}:{one.name}\n" for one in benchmarks)
    (info / "entry_points.txt").write_text(f"[judgebench.benchmarks]\n{points}")
    named = "".join(f"{one.name} = {str(one)!r}\n" for one in benchmarks)
    (packages / f"{module}.py").write_text(named)
    return packages
