"""A command that outlives whoever started it, and leaves its exit code in a file.

python -m judgebench.cli.detached CODE_FILE run suites/demo.yaml
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from judgebench.cli.main import INTERNAL_ERROR, main


def carry_out(code_file: Path, words: list[str]) -> None:
    """Never returns, as `main`."""
    # Whoever was started in the background passes on that Ctrl-C is ignored; here it means stop.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    code: object = INTERNAL_ERROR
    try:
        main(words)
    except SystemExit as stop:
        code = stop.code or 0
        raise
    finally:
        code_file.write_text(str(code), encoding="ascii")


if __name__ == "__main__":
    carry_out(Path(sys.argv[1]), sys.argv[2:])
