"""The verbs, and what holds for all of them: output, errors, exit status."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any, final

import typer
from typer.core import TyperGroup
from typer.main import get_command
from typing_extensions import override

from rltransfer import __version__
from rltransfer.cli.agent_commands import demo, evaluate, export, inspect, train_source
from rltransfer.cli.benchmark_command import benchmark
from rltransfer.cli.match_commands import explain, match, meta_train
from rltransfer.cli.output import (
    interruptible,
    print_error,
    print_json,
    standard_output_reserved,
    unforeseen,
)
from rltransfer.cli.push_command import push
from rltransfer.cli.transfer_command import transfer
from rltransfer.cli.typed_words import one_value_each, require_resume_alone
from rltransfer.errors import UNFORESEEN_STATUS, UserError


@final
class Verbs(TyperGroup):
    """Prints what a verb returns, or one line about what went wrong.

    With `--json`, standard output carries one object and nothing else: the result, or
    `{"error": {"message", "exit_status"}}`.
    """

    @override
    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        *rest: Any,
        **extra: Any,
    ) -> Any:
        arguments = list(sys.argv[1:] if args is None else args)
        # Help is no result; it is printed for a person.
        json = "--json" in arguments and not {"-h", "--help"} & set(arguments)
        try:
            require_resume_alone(arguments)
            with standard_output_reserved(json):
                extra["standalone_mode"] = False  # returns results, raises errors
                words = one_value_each(arguments)
                result = super().main(words, prog_name or "rltransfer", *rest, **extra)
            _print_result(json, result)
        except UserError as fault:
            _fail(json, str(fault), fault.exit_status)
        except typer.TyperException as fault:
            if not fault.format_message():
                sys.exit(2)  # no verb: help was printed in place of an error
            _fail(json, _usage(fault), 2)
        except typer.Abort:
            _fail(json, "stopped before anything was done", 130)
        except BrokenPipeError:
            # The reader of the output has gone; Python would complain at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            sys.exit(1)
        except Exception as fault:
            _fail(json, unforeseen(fault), UNFORESEEN_STATUS)

    @override
    def invoke(self, ctx: Any) -> Any:
        with interruptible():
            return super().invoke(ctx)


def _print_version(wanted: bool) -> bool:
    if wanted:
        print(f"rltransfer {__version__}")
        raise typer.Exit
    return wanted


app = typer.Typer(
    cls=Verbs,
    name="rltransfer",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_AGENT, _TRANSFER = "runs/ppo/CartPole-v1_1", "runs/transfer/Acrobot-v1_1"
_VERBS: tuple[tuple[str, Callable[..., Any], str], ...] = (
    ("train-source", train_source, "--env CartPole-v1 --algo ppo -n 3e4"),
    ("transfer", transfer, f"--source {_AGENT} --target Acrobot-v1 -n 4000"),
    ("evaluate", evaluate, f"{_TRANSFER} --episodes 100"),
    ("inspect", inspect, _AGENT),
    ("export", export, f"{_AGENT} cartpole.onnx"),
    ("push", push, f"{_AGENT} me/ppo-CartPole-v1"),
    ("demo", demo, "--seed 1"),
    ("benchmark", benchmark, "--suite fast --strategies zero-shot scratch --jobs 2"),
    ("match", match, "Pendulum-v1 rltransfer/Pendulum-v0 --json"),
    ("explain", explain, _TRANSFER),
    ("meta-train", meta_train, "--minutes 25 --progress"),
)
for _name, _verb, _words in _VERBS:
    app.command(_name, epilog=f"Example: rltransfer {_name} {_words}")(_verb)


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print it, exit."
        ),
    ] = False,
) -> None:
    """Makes an agent trained in one environment useful in another."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs `rltransfer`; ends the process where the exit status is not 0."""
    get_command(app).main(arguments)


def _print_result(json: bool, result: Any) -> None:
    # Help and the like print for themselves and return their exit status.
    if isinstance(result, int):
        if result:
            sys.exit(result)
    elif json:
        print_json(result.as_json())
    elif result is not None:
        from rich.console import Console

        Console(highlight=False).print(result)


def _fail(json: bool, message: str, exit_status: int) -> None:
    if json:
        print_json({"error": {"message": message, "exit_status": exit_status}})
    print_error(message)
    sys.exit(exit_status)


def _usage(fault: typer.TyperException) -> str:
    context = getattr(fault, "ctx", None)
    command = context.command_path if context is not None else "rltransfer"
    message = fault.format_message().rstrip(".")
    return f"{message[:1].lower()}{message[1:]}; see {command} --help"
