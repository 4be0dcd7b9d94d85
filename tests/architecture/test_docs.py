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


def test_the_answers_to_design_questions_name_files_and_tests_that_exist() -> None:
    text = (ROOT / "docs/design-questions.md").read_text()
    named = re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", text)
    for path, test in named:
        assert (ROOT / path).is_file(), f"{path} does not exist"
        assert f"def {test}(" in (ROOT / path).read_text() or not test, f"{path} has no {test}"
    for question in text.split("\n## ")[1:]:
        assert "tests/" in question, f"no test proves the answer to {question.splitlines()[0]}"
