"""What is typed is read as it is meant, and never run."""

import shlex
from typing import Any

import pytest
import typer

from rltransfer.cli.typed_words import (
    one_value_each,
    read_pairs,
    read_value,
    read_whole,
)
from rltransfer.errors import InputError


@pytest.mark.parametrize(
    ("typed", "written_out"),
    [
        (
            "transfer --target-kwargs base=CartPole-v1 seed=3 -n 9",
            "transfer --target-kwargs base=CartPole-v1 --target-kwargs seed=3 -n 9",
        ),
        (
            "transfer --source a b --target T",
            "transfer --source a --source b --target T",
        ),
        (
            "train-source --env A B --env C -P",
            "train-source --env A --env B --env C -P",
        ),
        (
            "evaluate --env-kwargs gravity=-7 wind=1 runs/x",
            "evaluate --env-kwargs gravity=-7 --env-kwargs wind=1 runs/x",
        ),
        ("evaluate --env A runs/x", "evaluate --env A runs/x"),
        ("evaluate runs/a=b --seed 3", "evaluate runs/a=b --seed 3"),
        # A slip becomes one more value of the option, and is refused as that.
        (
            "transfer --target-kwargs base=A seed3",
            "transfer --target-kwargs base=A --target-kwargs seed3",
        ),
        ("transfer --source a -- b c", "transfer --source a -- b c"),
        (
            "train-source -params lr=1 gamma=0.9",
            "train-source -params lr=1 -params gamma=0.9",
        ),
        ("", ""),
        ("--help", "--help"),
    ],
)
def test_an_option_is_written_out_before_each_of_its_values(
    typed: str, written_out: str
) -> None:
    assert one_value_each(typed.split()) == written_out.split()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-7", -7),
        ("1e-3", 1e-3),
        ("True", True),
        ("false", False),
        ("null", None),
        ("[1, 2]", [1, 2]),
        ("'3'", "3"),
        ("CartPole-v1", "CartPole-v1"),
        ("rltransfer/Scrambled-v0", "rltransfer/Scrambled-v0"),
        ("", ""),
        ("__import__('os').getpid()", "__import__('os').getpid()"),
        ("2**9**9", "2**9**9"),
        ("(" * 5_000, "(" * 5_000),
        ("[1] + [2]", "[1] + [2]"),
        ("\0", "\0"),
    ],
)
def test_values_are_literals_or_texts_and_nothing_is_evaluated(
    text: str, value: Any
) -> None:
    assert read_value(text) == value
    assert type(read_value(text)) is type(value)


def test_pairs_become_a_dictionary_and_keep_later_equal_signs() -> None:
    pairs = ["base=CartPole-v1", "seed=3", "name=a=b", "empty="]
    assert read_pairs(pairs, "--target-kwargs") == {
        "base": "CartPole-v1",
        "seed": 3,
        "name": "a=b",
        "empty": "",
    }


@pytest.mark.parametrize("pair", ["seed", "=3", "3=a", "a b=1", ".b=1", ""])
def test_what_is_no_pair_is_refused_with_an_example(pair: str) -> None:
    with pytest.raises(InputError, match=r"key=value pairs, got .* write for example"):
        read_pairs([pair], "--target-kwargs")


def test_a_key_given_twice_is_refused() -> None:
    with pytest.raises(InputError, match="each key once, got 'seed' twice"):
        read_pairs(["seed=1", "seed=2"], "--env-kwargs")


@pytest.mark.parametrize(
    ("typed", "ours"),
    [
        ("learning_rate:0.001", "learning_rate=0.001"),
        ("policy_kwargs:dict(net_arch=[8])", "\"policy_kwargs={'net_arch': [8]}\""),
        ("train_freq:(1, 'episode')", "\"train_freq=[1, 'episode']\""),
    ],
)
def test_a_pair_as_rl_zoo_writes_it_is_answered_with_ours(
    typed: str, ours: str
) -> None:
    with pytest.raises(InputError) as refusal:
        read_pairs([typed], "--hyperparams")
    assert str(refusal.value).endswith(f"; write --hyperparams {ours}")
    assert read_pairs(shlex.split(ours), "--hyperparams")


@pytest.mark.parametrize(
    ("text", "number"), [("2000", 2000), ("1e4", 10_000), ("10_000", 10_000)]
)
def test_steps_may_be_typed_as_numbers_are_written(text: str, number: int) -> None:
    assert read_whole(text) == number


@pytest.mark.parametrize("text", ["1.5", "many", "1e400", "nan", ""])
def test_a_number_that_is_not_whole_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not a whole number"):
        read_whole(text)
