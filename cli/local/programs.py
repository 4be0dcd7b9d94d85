"""Finds programs that are not written in Python: on PATH, or else in a package of Python that includes them."""

import importlib.util
import shutil
from collections.abc import Iterable
from pathlib import Path


def find(names: Iterable[str], package: str, pattern: str) -> str | None:
    """Returns the path of a program: of the first name that is on PATH, or of what a pattern matches in the package."""
    for name in names:
        if found := shutil.which(name):
            return found
    matches = (program for directory in _directories(package) for program in Path(directory).glob(pattern))
    return next(map(str, matches), None)


def _directories(package: str) -> Iterable[str]:
    try:
        spec = importlib.util.find_spec(package)
    except ModuleNotFoundError:  # its parent package is not installed
        return ()
    return (spec.submodule_search_locations or ()) if spec else ()
