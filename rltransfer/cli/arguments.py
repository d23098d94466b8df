"""Options that every verb spells alike, and how their values are read."""

import ast
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from rltransfer.argument_checks import VecEnv, data_of_code, require_vec_env
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


def _pairs(*names: str, help: str) -> Any:
    return typer.Option(*names, metavar="KEY=VALUE …", help=help)


Words: TypeAlias = list[str] | None
EnvKwargs: TypeAlias = Annotated[
    Words, _pairs("--env-kwargs", help="What the environment is made with.")
]
TargetKwargs: TypeAlias = Annotated[
    Words, _pairs("--target-kwargs", help="What the target is made with.")
]
SourceKwargs: TypeAlias = Annotated[
    Words,
    _pairs(
        "--source-kwargs",
        help="Replace recorded arguments of the source's environment.",
    ),
]
Hyperparams: TypeAlias = Annotated[
    Words,
    _pairs(
        "--hyperparams", "-params", help="Replace values of the tuned hyperparameters."
    ),
]
Seed: TypeAlias = Annotated[int, typer.Option("--seed", help="Of everything drawn.")]
LogFolder: TypeAlias = Annotated[
    Path,
    typer.Option(
        "-f", "--log-folder", file_okay=False, help="Where run folders are made."
    ),
]
Device: TypeAlias = Annotated[
    str, typer.Option("--device", help="Where networks live: cpu, cuda, auto.")
]
Progress: TypeAlias = Annotated[
    bool, typer.Option("-P", "--progress", help="Show progress on standard error.")
]
TensorboardLog: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--tensorboard-log",
        file_okay=False,
        help="Folder for TensorBoard; default: the run's own.",
    ),
]
Json: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--json", help="Print one JSON object on standard output, and nothing else."
    ),
]
NoReport: TypeAlias = Annotated[
    bool, typer.Option("--no-report", help="Write no report.html.")
]
Ray: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS|local",
        help="Do the work on a Ray cluster of your own, whose machines all see the log "
        "folder; local: on this machine.",
    ),
]
Sha256: TypeAlias = Annotated[
    str | None, typer.Option("--sha256", help="Hash the agent's file must have.")
]
Statistics: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--statistics",
        metavar="FILE",
        help="The agent's VecNormalize statistics, by path or name beside the agent; "
        "none: it has none.",
    ),
]
VecEnvChoice: TypeAlias = Annotated[
    VecEnv,
    typer.Option(
        "--vec-env",
        parser=str,
        callback=require_vec_env,
        metavar="<str>",
        help="dummy: environments in this process; subproc: each in one of its own, "
        "which may hang or crash without ending the run.",
    ),
]
StepSeconds: TypeAlias = Annotated[
    float,
    typer.Option("--step-seconds", help="Longest time of one step of an environment."),
]
EpisodeCap: TypeAlias = Annotated[
    int,
    typer.Option(
        "--episode-cap",
        help="Most steps of one reported episode; for environments that may not end.",
    ),
]
Student: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--student",
        metavar="ALGO",
        help="With --improve: what learns on, td3 or sac; dqn where actions are "
        "discrete; or ppo, which learns from its own draws alone.",
    ),
]
Strategy: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--strategy",
        metavar="NAME",
        help="With --improve: how it learns from the mapped policy; hold (default), "
        "ibrl, kickstart, jumpstart, prefill, features, value, finetune, or scratch: "
        "not at all.",
    ),
]
Threshold: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--threshold",
        metavar="R",
        help="With --improve: mean return that counts as solved; default: the target's "
        "own.",
    ),
]


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


AlignmentSteps: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--alignment-steps",
        parser=read_whole,
        metavar="N",
        help="With --improve: how many of -n the alignment may take; default: a "
        "quarter, at most 10,000. To end a test that is ahead, up to 5 % of the others "
        "besides.",
    ),
]
