"""The pictures of the README: the output of two commands on the demo's funnel, rendered as SVG.

`python -m cli.local.pictures MODEL DIRECTORY` (`make pictures`) writes `lead.svg`, and `simulation.svg` for the model.

`report.png` is a photograph of the page that `python -m benchmarks.prediction EVENTS --reports DIRECTORY` writes, by a
browser: `chromium --headless --window-size=1100,1110 --screenshot=report.png file:///…/fitted-7d.html`.
"""

import re
import sys
from pathlib import Path

from rich.terminal_theme import MONOKAI

from cli.__main__ import app
from cli.local.demo import demo_system
from cli.terminal.output import OUT

WIDTH = 104
"""Columns of a picture."""

# An image in a page cannot load web fonts, so the reader's own monospaced font is used.
_WEB_FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def main(model: str, directory: Path) -> None:
    """Starts a demo system, runs both commands and writes their output as pictures."""
    with demo_system() as demo:
        port = str(demo.connection.base_port)
        _draw(["lead", demo.favourite], port, directory / "lead.svg")
        simulate = ["simulate", model, "--conversion", "contract_signed", "--limit", "5"]
        _draw(simulate, port, directory / "simulation.svg")


def _draw(command: list[str], base_port: str, path: Path) -> None:
    OUT.record, OUT.width = True, WIDTH
    app([*command, "--base-port", base_port], standalone_mode=False)
    title = f"leadscore {' '.join(command)}"
    svg = _WEB_FONT.sub("", OUT.export_svg(title=title, theme=MONOKAI, unique_id=path.stem))
    path.write_text("".join(f"{line.rstrip()}\n" for line in svg.splitlines()), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
