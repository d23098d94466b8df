"""What documents show to be typed: fenced blocks of Markdown, and how tests run them.

A block named `bash` is commands, one named `python` is run as it stands, and with a
`title` it is a file that the reader saves. A block named `text` is what the block
before it printed in columns, one named `output` is a line that it printed, up to `…`
where there is one. A block without a name may be a picture; its lines that begin with
a program of ours are commands.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import final

import rltransfer
from site_hooks import command_reference
from tests.effort import QUICK

ROOT = Path(__file__).parents[1]
DOCUMENTS = {
    "README.md": (ROOT / "README.md").read_text(encoding="utf-8"),
    **{
        f"docs/{page.name}": page.read_text(encoding="utf-8")
        for page in sorted((ROOT / "docs").glob("*.md"))
    },
    "the command reference": command_reference(),
}
"""Every document whose commands and snippets are run, by name."""

_FENCE = re.compile(r"^```(\S*)(?: +title=\"(.*?)\")?\n(.*?)^```$", re.M | re.S)
LANGUAGES = {"", "bash", "python", "text", "output", "console"}
"""Of blocks; what a console shows is what a command would take, not a command."""
_PROGRAMS = ("rltransfer", "make", "python")
_SHELL = ("export", ".")


@final
@dataclass(frozen=True)
class Block:
    """A fenced block of a document."""

    language: str
    title: str
    text: str

    @property
    def commands(self) -> list[list[str]]:
        """The words of each command; programs by their name, wherever they lie."""
        if self.language not in ("", "bash"):
            return []
        lines = self.text.replace("\\\n", " ").splitlines()
        found = []
        for line in filter(None, map(str.strip, lines)):
            # A picture holds words that are none of a shell.
            first, _, _ = line.partition(" ")
            program = Path(first).name or first
            if program in _PROGRAMS or (self.language and first in _SHELL):
                found.append([program, *shlex.split(line, comments=True)[1:]])
            elif self.language:
                raise ValueError(
                    f"a block of commands has {line!r}, which no test runs"
                )
        return found


def blocks_of(markdown: str) -> list[Block]:
    """Returns the fenced blocks of a page, in order."""
    return [Block(*found) for found in _FENCE.findall(markdown)]


def cheaper(words: Sequence[str]) -> list[str]:
    """Returns a command of `rltransfer` with a small budget.

    This is the one rule by which what a test runs differs from what a document shows:
    fewer steps and episodes, quicker fits, and no objection to an agent or a student
    that has therefore learnt little. The demo, which has no budget, and meta-train,
    which takes minutes, are asked for their help. A
    cluster and a folder that all its machines see are left out. Nothing else is
    changed.
    """
    verb, *rest = words
    if "--ray" in rest:
        place = rest.index("--ray")
        rest = [word.removeprefix("/") for word in rest[:place] + rest[place + 2 :]]
    if {"--resume", "-h", "--help"} & set(rest):
        return [verb, *rest]
    match verb:
        case "train-source":
            rest = _at_most(rest, "-n", 256)
            if "--seeds" in rest:
                rest = _at_most(rest, "--seeds", 1)
        case "transfer" if "--improve" in rest:
            rest = [*_at_most(rest, "-n", 1_100), "--alignment-steps", "500"]
            # Learning on asks for ten episodes at least.
            rest += ["--target-kwargs", "max_episode_steps=50"]
        case "transfer":
            rest = _at_most(rest, "-n", 600)
        case "export" if "--distil" in rest:
            rest = [*_at_most(rest, "--episodes", 1), "--force"]
        case "push" if "transfer" in Path(rest[0]).parts:
            rest = [*rest, "--force"]
        case "demo" | "meta-train":
            rest = [*rest, "--help"]
        case "evaluate":
            rest = _at_most(rest, "--episodes", 2)
    if verb == "transfer":
        rest += ["--weak-source", "--hyperparams", *_pairs(QUICK)]
    return [verb, *rest]


def _pairs(values: Mapping[str, object]) -> list[str]:
    return [f"{key}={value}" for key, value in values.items()]


def _at_most(words: list[str], option: str, most: int) -> list[str]:
    if option not in words:
        return [*words, option, str(most)]
    place = words.index(option) + 1
    value = str(min(int(float(words[place])), most))
    return [*words[:place], value, *words[place + 1 :]]


def run_cheaply(code: str) -> dict[str, object]:
    """Runs a snippet by the same rule, and returns its names."""

    def fewer(found: re.Match[str]) -> str:
        most = {"steps": 600, "episodes": 2}[found[1]]
        return f"{found[1]}={min(int(found[2]), most)}"

    smaller = re.sub(r"\b(steps|episodes)=([\d_]+)", fewer, code)
    smaller = smaller.replace("rltransfer.transfer(", "quick_transfer(")
    quick = partial(rltransfer.transfer, hyperparams=QUICK, weak_source=True)
    names: dict[str, object] = {"quick_transfer": quick}
    exec(compile(smaller, "snippet", "exec"), names)
    return names
