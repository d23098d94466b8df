"""What the documents say about the code holds."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = ("docs/architecture.md", "CONTRIBUTING.md")


def paths_in(page: str) -> set[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    quoted = re.findall(r"`([a-z_]+/[\w/.]+)`", text)
    linked = re.findall(r"\]\(([\w/.]+)\)", text)
    return {*quoted, *(str(Path(page).parent / link) for link in linked)}


@pytest.mark.parametrize("page", PAGES)
def test_every_path_that_a_page_names_exists(page: str) -> None:
    named = paths_in(page)
    assert len(named) > 10
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_the_glossary_has_thirty_words_at_most() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    _, _, glossary = text.partition("## Glossary")
    rows = re.findall(r"^\| ([^|]+) \|", glossary, re.MULTILINE)
    assert sum(row.count(",") + 1 for row in rows if row != "word") <= 30
