"""`make predict`: the table of docs/predicting.md."""

from pathlib import Path

from benchmarks.prediction import BEGIN, END, Judges, table, updated
from scoring_service.domain.discrimination import Auc

DOCUMENT = Path(__file__).parents[2] / "docs/predicting.md"


def test_the_document_has_one_table_to_replace() -> None:
    text = DOCUMENT.read_text()
    assert text.count(BEGIN) == text.count(END) == 1
    assert f"{BEGIN}\n| landmark |" in text


def test_the_table_replaces_that_of_a_document() -> None:
    auc = Auc(0.7, 0.65, 0.75)
    rows = table([Judges("7d", 1_234, auc, auc, 9, auc, 18, auc, Auc(1.0, None, None))])
    found = updated(f"before\n{BEGIN}\nold\n{END}\nafter\n", rows)
    assert found == f"before\n{BEGIN}\n{rows}\n{END}\nafter\n"
    assert "| 7d | 1,234 | 0.700 (0.650–0.750) | 0.700 (0.650–0.750), 9 |" in found
    assert found.count("| 1.000 |") == 1
