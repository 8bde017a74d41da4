"""How this program is called: printed commands have to work as they stand."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

NAME = "contractnet"


def program() -> str:
    """`contractnet` where the shell finds it, else the path that it was called by, or that it is installed at."""
    if shutil.which(NAME) is not None:
        return NAME
    called = Path(sys.argv[0])
    if called.name == NAME:
        return shlex.quote(str(called))
    # Called as a module or from another program: beside its Python, if it is installed.
    installed = Path(sys.executable).with_name(NAME)
    return shlex.quote(str(installed)) if installed.is_file() else NAME
