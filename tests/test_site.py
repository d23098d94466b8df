"""The site builds without a warning, is whole, and asks no other host for anything."""

import html
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

import rltransfer
from rltransfer.cli.app import app

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "mkdocs.yml"
INCLUDED = re.compile(r'include-markdown "(.+)"\n  start="(.+)"\n  end="(.+)"')
FETCHED = {"script", "link", "img", "iframe", "source", "video", "audio", "object"}


def build(config: Path, site: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "-f", config, "-d", site],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "", "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": ":".join(sys.path)},
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(CONFIG, folder)
    assert done.returncode == 0, done.stderr
    return folder


class Fetches(HTMLParser):
    """What a browser fetches for a page, by itself."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if tag in FETCHED and name in ("src", "srcset", "href", "data", "poster"):
                self.found.append(value or "")


def text_of(page: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", page))


def test_every_page_of_the_navigation_is_built(site: Path) -> None:
    named = re.findall(r": ([\w-]+)\.md$", CONFIG.read_text(), re.M)
    assert len(named) > 10
    assert [name for name in named if not (site / f"{name}.html").is_file()] == []


def test_a_link_to_nowhere_ends_the_build(tmp_path: Path) -> None:
    pages = tmp_path / "docs"
    pages.mkdir()
    (pages / "index.md").write_text("[gone](nowhere.md) [here](index.md#gone)\n")
    config = {"INHERIT": str(CONFIG), "docs_dir": str(pages), "nav": ["index.md"]}
    config["hooks"] = []
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump(config))
    done = build(tmp_path / "mkdocs.yml", tmp_path / "site")
    assert done.returncode == 1
    assert "nowhere.md" in done.stderr and "#gone" in done.stderr
    assert "2 warnings in strict mode" in done.stdout


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=str)
def test_a_page_shows_no_section_of_another_one_by_mistake(page: Path) -> None:
    for document, begin, end in INCLUDED.findall(page.read_text(encoding="utf-8")):
        text = (page.parent / document).read_text(encoding="utf-8")
        _, found, rest = text.partition(begin.replace("\\n", "\n"))
        shown, ended, _ = rest.partition(end)
        assert found and ended, begin
        assert re.findall("^## .*", shown, re.M) == []


def test_no_page_asks_another_host(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 10
    for page in pages:
        text = page.read_text(encoding="utf-8")
        fetched = Fetches(text).found
        assert fetched
        assert [uri for uri in fetched if "//" in uri] == [], page.name
        # For these the theme's script would ask others.
        assert 'class="mermaid"' not in text
        assert 'data-md-component="source"' not in text
    for sheet in site.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        assert not re.search(r"(url\(|@import)[\"' ]*(https?:)?//", text), sheet.name


def test_the_reference_has_every_command_with_its_options_and_an_example(
    site: Path,
) -> None:
    text = text_of((site / "commands.html").read_text(encoding="utf-8"))
    commands = get_command(app).commands  # type: ignore[attr-defined]
    assert len(commands) > 5
    for name, command in commands.items():
        assert f"rltransfer {name} [OPTIONS]" in text
        assert command.epilog.removeprefix("Example: ") in text
        for option in command.params:
            assert max(option.opts, key=len) in text


def test_the_reference_has_every_function_with_what_it_says(site: Path) -> None:
    page = (site / "api.html").read_text(encoding="utf-8")
    assert len(rltransfer.__all__) > 5
    for name in rltransfer.__all__:
        assert f'id="rltransfer.{name}"' in page
        first, *_ = getattr(rltransfer, name).__doc__.splitlines()
        assert first.replace("`", "") in text_of(page)
