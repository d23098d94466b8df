import datetime
import os
import pickle
import pickletools
from collections import OrderedDict
from typing import Any

import pytest

from rltransfer_agents.loading import Refusal
from rltransfer_agents.loading.pickle_machine import Machine, parse_pickle
from rltransfer_agents.loading.pickle_tree import (
    Call,
    Reference,
    read_array,
    value_name,
)

_REFUSED = {"EXT1", "EXT2", "EXT4", "INST", "OBJ", "NEXT_BUFFER", "READONLY_BUFFER"}
_REFUSED |= {"PERSID"}


@pytest.mark.parametrize("name", sorted(op.name for op in pickletools.opcodes))
def test_every_instruction_is_either_known_or_refused(name: str) -> None:
    machine = Machine(persistent=True)
    machine.step("MARK", None)
    for _ in range(3):
        machine.step("EMPTY_TUPLE", None)
    known = True
    try:
        machine.step(name, "os system")
    except Refusal as refusal:
        known = "has instruction" not in refusal.reason
    assert known == (name not in _REFUSED)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_values_come_back(protocol: int) -> None:
    value: Any = {
        "numbers": [1, -2, 1 << 40, 0.5, True, None],
        "text": ("ä", ("x",), ()),
        "nested": {"a": {3: "three"}},
    }
    assert parse_pickle(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_what_would_be_called_becomes_a_name(protocol: int) -> None:
    tree = parse_pickle(pickle.dumps(datetime.date(2020, 1, 2), protocol))
    assert isinstance(tree, Call)
    assert tree.function == Reference("datetime", "date")
    name = parse_pickle(pickle.dumps(os.getcwd, protocol))
    assert isinstance(name, Reference)
    assert name.name == "getcwd"


def test_items_of_objects_are_kept() -> None:
    tree = parse_pickle(pickle.dumps(OrderedDict(a=1, b=[2])))
    assert tree.items == {"a": 1, "b": [2]}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("code", ["<f4", ">f8", "<i8", "|u1", "|b1", "<f2"])
def test_arrays_come_back(protocol: int, order: Any, code: str) -> None:
    import numpy as np

    array = np.asarray(np.arange(6).reshape(2, 3) % 2, np.dtype(code), order=order)
    given = read_array(parse_pickle(pickle.dumps(array, protocol)))
    np.testing.assert_array_equal(given, array)
    assert given.dtype == array.dtype.newbyteorder("=")


def test_a_pickle_may_not_refer_outside() -> None:
    with pytest.raises(Refusal, match="outside itself") as refused:
        parse_pickle(b"\x80\x04K\x01Q.")
    assert refused.value.code == "pickle"


def by_value(*arguments: Any) -> Call:
    return Call(Reference("cloudpickle.cloudpickle", "_make_class"), arguments)


def test_a_class_by_value_has_its_own_name_or_that_of_what_makes_it() -> None:
    assert value_name(by_value(type, "Own", (), "module")) == "Own"
    assert value_name(by_value(by_value(type, "Own"), {})) == "Own"
    assert value_name(by_value()) == "_make_class"
    assert value_name(Call(Reference("os", "system"), ("x",))) is None


def test_classes_that_share_classes_are_not_walked_again_and_again() -> None:
    tree = by_value()
    for _ in range(100):
        tree = by_value(tree, tree)
    assert value_name(tree) == "_make_class"
    tree.arguments = (tree, tree)
    assert value_name(tree) == "_make_class"


def test_only_short_texts_are_keys() -> None:
    assert parse_pickle(pickle.dumps({"x" * 1000: 1}))
    with pytest.raises(Refusal, match="uses a str as a key"):
        parse_pickle(pickle.dumps({"x" * 1001: 1}))
