"""What MkDocs does for our site that no plug-in does: two references, and links.

Named in `mkdocs.yml`. Both pages are made when the site is built, so that they cannot
fall behind the code: the command reference from the commands, and that of the rooms
from what their `__init__` offers.
"""

import ast
import re
from pathlib import Path
from typing import cast

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from typer.cli import get_docs_for_click
from typer.core import TyperGroup
from typer.main import get_command

from rltransfer.cli.app import app

_ROOT = Path(__file__).parents[1]
_ROOMS = (
    *("rltransfer/wrappers", "rltransfer/evaluation", "rltransfer/mapping"),
    *("rltransfer/domain", "rltransfer/source_models", "rltransfer/translation"),
    *("rltransfer/meta", "rltransfer/alignment", "agents/rltransfer_agents/loading"),
    *("agents/rltransfer_agents/policies", "agents/rltransfer_agents/training"),
    *("agents/rltransfer_agents/learning_on", "agents/rltransfer_agents/export"),
)
"""Folders of the packages that are worth using by themselves, the core first."""

_SHOWN_AS = {"../CONTRIBUTING.md": "contributing.md", "../README.md": "index.md"}
"""Documents beside the folder of the site, and the pages that show them."""


def command_reference() -> str:
    """Returns a page of every command, its options, and an example to try."""
    group = cast(TyperGroup, get_command(app))
    context = typer.Context(group, info_name="rltransfer")
    page = get_docs_for_click(
        obj=group, ctx=context, name="rltransfer", title="Commands"
    )
    for name, command in group.commands.items():
        # Typer cuts them after a few words here.
        said = f"* [`{name}`](#rltransfer-{name}): {command.help}"
        page = re.sub(rf"^\* `{name}`: .*$", said, page, count=1, flags=re.MULTILINE)
    return re.sub(r"^Example: (.*)$", r"```bash\n\1\n```", page, flags=re.MULTILINE)


def room_reference() -> str:
    """Returns a page of what each room offers, for mkdocstrings to fill."""
    parts = [
        "# Rooms of the package",
        "What the functions of [Python](api.md) are made of, from the core outwards. "
        "[Architecture](architecture.md) says which room is for what.",
    ]
    for folder in _ROOMS:
        room = _name(folder)
        offered = ", ".join(_offered(_ROOT / folder / "__init__.py"))
        parts += [
            f"## `{room}`",
            f"::: {room}\n    options:\n      show_root_heading: false\n"
            "      show_root_toc_entry: false\n      heading_level: 3\n"
            f"      members: [{offered}]",
        ]
    return "\n\n".join(parts)


def _name(folder: str) -> str:
    return folder.removeprefix("agents/").replace("/", ".")


def _offered(page: Path) -> list[str]:
    """Returns the names that a room has from its modules, not from another room."""
    rooms = {_name(folder) for folder in _ROOMS}
    return [
        alias.name
        for statement in ast.parse(page.read_text(encoding="utf-8")).body
        if isinstance(statement, ast.ImportFrom)
        and (statement.module or "").startswith("rltransfer")
        and statement.module not in rooms
        for alias in statement.names
    ]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds both pages of reference to the site."""
    files.append(File.generated(config, "commands.md", content=command_reference()))
    files.append(File.generated(config, "rooms.md", content=room_reference()))
    return files


def on_page_markdown(
    markdown: str, page: Page, config: MkDocsConfig, files: Files
) -> str:
    """Turns links to documents beside the site's folder into links to its pages."""
    del page, config, files
    for document, shown in _SHOWN_AS.items():
        markdown = markdown.replace(f"]({document}", f"]({shown}")
    return markdown
