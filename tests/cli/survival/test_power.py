"""Whatever a journal gives back is needed: the tests of resuming have power."""

import signal
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rltransfer.domain import (
    MixturePolicy,
    ReplayLog,
    Rollout,
    StickyRandomPolicy,
    Transitions,
)
from rltransfer.domain.replay_log import Entry
from tests.worlds.strikes import Strike, send

from .conftest import left, run_in

pytestmark = pytest.mark.torture

LAST = -1
MATTERS = {
    "observation": ("discrete", LAST),
    "action": ("discrete", LAST),
    "reward": ("continuous", LAST),
    "next_observation": ("discrete", LAST),
    "terminated": ("discrete", LAST),
    "returns": ("discrete", LAST),
    "unfinished_return": ("continuous", LAST),
    "unfinished_steps": ("discrete", LAST),
    "steps": ("discrete", LAST),
    # Between stretches of acting that share a generator.
    "memory": ("discrete", 150),
}
"""Where each part of what was acted matters, and before which step."""


@pytest.mark.parametrize("part", MATTERS)
def test_no_part_of_what_was_acted_can_be_left_out(
    transfers: Any, count: Any, tmp_path: Path, part: str
) -> None:
    name, step = MATTERS[part]
    at = transfers.events(name)["step"] if step == LAST else step
    kill = Strike("step", at, send(signal.SIGKILL))
    ended = transfers.begin(name, tmp_path, kill)
    assert ended.status == -signal.SIGKILL, ended.text
    run = run_in(tmp_path)
    ended = transfers.resume(run, before=partial(_leave_out, part))
    if ended.status == 0:
        assert left(run) != transfers.whole(name)
        count("R3", parts_of_a_journal=1, left_out_differs=part)
    else:
        assert ended.status == 76, ended.text
        assert ended.error
        count("R3", parts_of_a_journal=1, left_out_is_refused=part)


def test_the_list_of_parts_is_complete() -> None:
    parts = {f.name for kind in (Transitions, Rollout, Entry) for f in fields(kind)}
    # No objective looks at several steps of an episode yet.
    unread = {"episode", "truncated"}
    assert set(MATTERS) == parts - {"transitions", "rollout"} - unread


def _leave_out(part: str) -> None:
    """Gives every stretch of acting back without one part of it."""
    if part == "memory":
        for kind in (StickyRandomPolicy, MixturePolicy):
            kind.recall = _forget  # type: ignore[method-assign]
        return
    known = ReplayLog.next

    def without(self: ReplayLog, asked: Any) -> Entry | None:
        entry = known(self, asked)
        return None if entry is None else _without(entry, part)

    ReplayLog.next = without  # type: ignore[method-assign]


def _forget(self: object, memory: object) -> None:
    """Recalls nothing."""


def _without(entry: Entry, part: str) -> Entry:
    rollout = entry.rollout
    if part == "steps":
        return replace(entry, steps=0)
    if part in {f.name for f in fields(Transitions)}:
        column = torch.zeros_like(getattr(rollout.transitions, part))
        transitions = replace(rollout.transitions, **{part: column})
        return replace(entry, rollout=replace(rollout, transitions=transitions))
    nothing: Any = np.zeros(len(rollout.returns)) if part == "returns" else 0
    if part == "unfinished_return":
        nothing = 0.0
    return replace(entry, rollout=replace(rollout, **{part: nothing}))
