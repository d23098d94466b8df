"""All that a replay log gives back is needed: the tests of resuming have power."""

import signal
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rltransfer.domain import Domain, MixturePolicy, StickyRandomPolicy
from rltransfer.domain.rollout import entry_of
from rltransfer.resume.replay_log import Entry, ReplayLog
from tests.worlds.fault_injection import Fault, send
from tests.worlds.points import Point

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
    "lengths": ("continuous, learned on", LAST),
    "unfinished_return": ("continuous", LAST),
    "unfinished_steps": ("discrete", LAST),
    "steps": ("discrete", LAST),
    # Between stretches of acting that share a generator.
    "policy_state": ("discrete", 150),
}
"""Where each part of what was acted matters, and before which step."""


@pytest.mark.parametrize("part", MATTERS)
def test_no_part_of_what_was_acted_can_be_left_out(
    transfers: Any, count: Any, tmp_path: Path, part: str
) -> None:
    name, step = MATTERS[part]
    at = transfers.events(name)["step"] if step == LAST else step
    kill = Fault("step", at, send(signal.SIGKILL))
    ended = transfers.begin(name, tmp_path, kill)
    assert ended.status == -signal.SIGKILL, ended.text
    run = run_in(tmp_path)
    ended = transfers.resume(run, before=partial(_leave_out, part))
    if ended.status == 0:
        assert left(run) != transfers.whole(name)
        count("R3", parts_of_a_replay_log=1, left_out_differs=part)
    else:
        assert ended.status == 76, ended.text
        assert ended.error
        count("R3", parts_of_a_replay_log=1, left_out_is_refused=part)


def test_the_list_of_parts_is_complete() -> None:
    domain = Domain(Point, "point")
    policy = StickyRandomPolicy(domain.actions, np.random.default_rng(0))
    rollout = domain.collect(policy, purpose="exploration", seed=0, steps=9)
    entry = entry_of(rollout, 9, policy)
    # No objective looks at several steps of an episode yet.
    unread = {"episode", "truncated"}
    assert set(MATTERS) == {*entry.arrays, *entry.content} - unread


def _leave_out(part: str) -> None:
    """Gives every stretch of acting back without one part of it."""
    if part == "policy_state":
        for kind in (StickyRandomPolicy, MixturePolicy):
            kind.load_state = _forget  # type: ignore[method-assign]
        return
    known = ReplayLog.next

    def without(self: ReplayLog, asked: Any) -> Entry | None:
        entry = known(self, asked)
        return None if entry is None else _without(entry, part)

    ReplayLog.next = without  # type: ignore[method-assign]


def _forget(self: object, memory: object) -> None:
    """Recalls nothing."""


def _without(entry: Entry, part: str) -> Entry:
    if part in entry.arrays:
        return replace(
            entry, arrays={**entry.arrays, part: np.zeros_like(entry.arrays[part])}
        )
    return replace(entry, content={**entry.content, part: 0})
