"""``judgebench verify``: whether a bundle's boards follow from its verdicts."""

from __future__ import annotations

from pathlib import Path

import click

from judgebench.cli.streams import say


@click.command("verify", short_help="Compute every cell of a bundle of leaderboards again.")
@click.argument("bundle", type=click.Path(path_type=Path))
def command(bundle: Path) -> int:
    """Whether the boards of BUNDLE follow from the verdicts that it brings.

    A bundle is written by `judgebench leaderboard … --bundle board.zip`. Every cell is computed
    again, with no network and no other store; the first that does not follow is named. That the
    verdicts are those that judges gave is not proven by it: ask whom you have the bundle from.

    \b
    Example:
      judgebench verify board.zip

    Exit codes: 0 all cells follow; 65 one does not, or the file is no bundle.
    """
    from judgebench.errors import InputError
    from judgebench.report.bundle import verify_bundle

    found = verify_bundle(bundle)
    if found.differs is not None:
        raise InputError(
            f"{bundle}: {found.differs.strip()} (written by judgebench {found.version})"
        )
    say(f"{bundle}: {found.cells:,} values follow from its verdicts")
    return 0
