"""What a person sees of a view."""

import io

from rich.console import Console, RenderableType


def text_of(view: RenderableType, width: int = 100) -> str:
    """Returns a view as a terminal of so many columns prints it."""
    written = io.StringIO()
    Console(file=written, width=width).print(view)
    return written.getvalue()
