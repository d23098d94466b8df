"""How typed words are read: lists of values, `key=value` pairs, whole numbers."""

import ast
import re
from collections.abc import Iterable, Sequence
from typing import Any

import typer

from rltransfer.argument_checks import data_of_code
from rltransfer.errors import InputError

_PAIRS = frozenset(
    {"--env-kwargs", "--source-kwargs", "--target-kwargs", "--hyperparams", "-params"}
)
_LISTS = frozenset(
    {
        *("--env", "--source", "--source-env", "--sha256", "--statistics"),
        "--source-data",
        *("--suite", "--pairs", "--strategies", "--only-seeds"),
        "--export",
    }
)
_WITHOUT_POSITIONALS = frozenset(
    {"train-source", "transfer", "demo", "benchmark", "meta-train"}
)
"""Verbs where a word after the values of an option can only be one more value."""

_RESUME = "--resume"
_BESIDE_RESUME = {
    "train-source": ("--env",),
    "transfer": (
        "--env",
        "--source-env",
        "--vec-env",
        "--step-seconds",
        "--episode-cap",
    ),
    "meta-train": ("--held-out",),
}
"""Options that a resumed run takes from the command line, not from its folder."""
_OF_OUTPUT = (_RESUME, "--json", "--progress", "-P", "--help", "-h")

_PAIR = re.compile(r"([^\W\d][\w.]*)=(.*)", re.DOTALL)
_ZOO_PAIR = re.compile(r"([^\W\d][\w.]*):(.+)")
_JSON_WORDS = {"true": True, "false": False, "null": None}


def one_value_each(arguments: Sequence[str]) -> list[str]:
    """Returns the arguments with an option written out before each of its values.

    `--target-kwargs base=CartPole-v1 seed=3`, as RL Zoo spells it, becomes
    `--target-kwargs base=CartPole-v1 --target-kwargs seed=3`, which parsers take.
    """
    verb = next((word for word in arguments if not word.startswith("-")), "")
    greedy = verb in _WITHOUT_POSITIONALS
    several = _PAIRS | _LISTS if greedy else _PAIRS
    if verb == "train-source":  # a transfer goes on alone
        several |= {_RESUME}
    spread: list[str] = []
    option: str | None = None
    values = 0
    for place, word in enumerate(arguments):
        if word == "--":
            return [*spread, *arguments[place:]]
        if word.startswith("-") and len(word) > 1:
            option, values = (word if word in several else None), 0
        elif option is not None:
            # The first value goes with the option, whatever it looks like.
            if values and not (greedy or _PAIR.fullmatch(word)):
                option = None
            elif values:
                spread.append(option)
            values += 1
        spread.append(word)
    return spread


def require_resume_alone(arguments: Sequence[str]) -> None:
    """Raises if more is given beside `--resume` than a folder cannot know.

    Args:
        arguments: as they were typed.
    """
    options = [word.partition("=")[0] for word in arguments if word.startswith("-")]
    verb = next((word for word in arguments if not word.startswith("-")), "")
    if _RESUME not in options or verb not in _BESIDE_RESUME:
        return
    for option in options:
        if option not in (*_OF_OUTPUT, *_BESIDE_RESUME[verb]):
            raise InputError(
                "--resume takes all else from the folder of the run, got "
                f"{option} too; drop it, or drop --resume for a new run"
            )


def read_pairs(
    pairs: Iterable[str], option: str, example: str = "max_episode_steps=200"
) -> dict[str, Any]:
    """Returns `key=value` pairs as a dictionary.

    Args:
        pairs: as they were typed.
        option: that they were given to, for the error.
        example: of a pair that the option takes.

    Raises:
        InputError: one of them is no pair, or a key is given twice.
    """
    read: dict[str, Any] = {}
    for pair in pairs:
        match = _PAIR.fullmatch(pair)
        if match is None:
            zoo = _ZOO_PAIR.fullmatch(pair)
            remedy = f"write for example {option} {example}"
            if zoo is not None:
                data = data_of_code(zoo[2])
                value = zoo[2] if data is None else repr(data)
                remedy = f"write {option} {_quoted(f'{zoo[1]}={value}')}"
            raise InputError(f"{option} takes key=value pairs, got {pair!r}; {remedy}")
        key, text = match.groups()
        if key in read:
            raise InputError(
                f"{option} takes each key once, got {key!r} twice; drop one of them"
            )
        read[key] = read_value(text)
    return read


def _quoted(word: str) -> str:
    # Python writes texts in single quotes, which are no trouble inside of double ones.
    return word if re.fullmatch(r"[\w.,=/+-]+", word) else f'"{word}"'


def read_value(text: str) -> Any:
    """Returns a Python literal, or a word of JSON, as what it says; else the text.

    Nothing is evaluated: `1e-3` is a number, `[1, 2]` a list, `exit()` a text.
    """
    # Without these, continuous=false would be a text, and a text is true.
    if text in _JSON_WORDS:
        return _JSON_WORDS[text]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return text


def read_whole(value: str | int) -> int:
    """Returns a whole number, which may be typed as `1e4` or `10_000`."""
    text = str(value)  # defaults come as they are
    try:
        number = float(text)
        whole = int(text) if text.isdecimal() else int(number)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is not a whole number") from None
    if whole != number:
        raise typer.BadParameter(f"{text!r} is not a whole number")
    return whole
