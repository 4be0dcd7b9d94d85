"""The documentation points to what exists: links, headings, files and tests."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")
CODE = re.compile(r"```.*?```", re.DOTALL)


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """Returns the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", CODE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for path, anchor in LINK.findall(CODE.sub("", page.read_text())):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{name(page)} links to {path}, which does not exist"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), (
                f"{name(page)} links to #{anchor} of {name(target)}, which has no such heading"
            )


def rows(text: str, heading: str) -> list[tuple[str, str]]:
    """Returns the first two columns of the tables below a heading."""
    section = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    cells = ([cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|")
    return [(first, second) for first, second, *_ in cells]


def test_the_figures_of_scaling_are_those_of_the_benchmarks() -> None:
    scaling, benchmarks = ((ROOT / f"docs/{page}.md").read_text() for page in ("scaling", "benchmarks"))
    _, _, *quoted = rows(scaling, "CPU")
    assert not set(quoted) - set(rows(benchmarks, "Figures")), "correct these figures in docs/scaling.md"
    stored = benchmarks.split("\n## Bytes\n")[1].split("\n## ")[0]
    for index, size in rows(scaling, "Disk and memory"):
        if index.startswith(("`score_history`", "`events`", "`leads`")):
            assert re.search(rf"\b{size}\b", stored), f"{index} has {size} bytes, but not in docs/benchmarks.md"


def test_the_answers_to_design_questions_name_files_and_tests_that_exist() -> None:
    text = (ROOT / "docs/design-questions.md").read_text()
    named = re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", text)
    for path, test in named:
        assert (ROOT / path).is_file(), f"{path} does not exist"
        assert f"def {test}(" in (ROOT / path).read_text() or not test, f"{path} has no {test}"
    for question in text.split("\n## ")[1:]:
        assert "tests/" in question, f"no test proves the answer to {question.splitlines()[0]}"
