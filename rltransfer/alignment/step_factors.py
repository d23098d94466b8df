"""What counted steps of one kind say of the two states that each of them joins."""

from dataclasses import dataclass, replace
from typing import final

import numpy as np
from jaxtyping import Float32, Int64
from numpy.typing import NDArray
from scipy.sparse import csr_array

_NEVER = np.float32(-1e4)
_MOST_WAYS = 16
"""Successors or predecessors of a state that are told from what is merely unlikely."""


@final
@dataclass(frozen=True, eq=False)
class StepFactor:
    """All target steps of one action and outcome, and the source's of that kind.

    A step from t to t' that was taken n times is worth n·log P(s' | s) where t is s and
    t' is s'. What each end hears is the most that the other end allows, by all else
    that is known of it (max-product: Pearl, 1988).

    Args:
        head: place of t among the seen states, for each edge.
        tail: place of t'.
        times: how often it was taken.
        ahead: of each source state the likeliest next ones, and logarithms of how
            likely they are.
        behind: of each source state the likeliest that lead to it, likewise.
        floor: logarithm of how likely anything else is, of each source state.
        to_head: what the heads were told last.
        to_tail: what the tails were told last.
    """

    head: Int64[np.ndarray, " edge"]
    tail: Int64[np.ndarray, " edge"]
    times: Float32[np.ndarray, " edge"]
    ahead: tuple[Int64[np.ndarray, "source next"], Float32[np.ndarray, "source next"]]
    behind: tuple[Int64[np.ndarray, "source last"], Float32[np.ndarray, "source last"]]
    floor: Float32[np.ndarray, " source"]
    to_head: Float32[np.ndarray, "edge source"]
    to_tail: Float32[np.ndarray, "edge source"]

    @classmethod
    def of(
        cls,
        count: csr_array,
        known: csr_array,
        tried: NDArray[np.float64],
        unlikely: float,
        untried: float,
    ) -> "StepFactor":
        """Returns the factor before anything was told.

        Args:
            count: of target steps; shape (seen, seen).
            known: of source steps; shape (source, source).
            tried: how often the source tried the action in each state.
            unlikely: probability of what it never did where it did try.
            untried: probability of anything where it never tried.
        """
        head, tail = (ends.astype(np.int64) for ends in count.nonzero())
        share = csr_array(known.multiply(1 / np.maximum(tried, 1)[:, None]))
        floor = np.log(np.where(tried > 0, unlikely, untried)).astype(np.float32)
        none = np.zeros((len(head), len(tried)), np.float32)
        times = count.data.astype(np.float32)
        ways = _likeliest(share), _likeliest(csr_array(share.T))
        return cls(head, tail, times, *ways, floor, none, none)

    def at_once(self, seen: int) -> Float32[np.ndarray, "seen source"]:
        """Returns the evidence of steps whose two ends are one state.

        Args:
            seen: how many target states there are.
        """
        places, logs = self.ahead
        own = places == np.arange(len(places))[:, None]
        stays = np.maximum(np.where(own, logs, _NEVER).max(axis=1), self.floor)
        times = np.bincount(self.head, self.times, minlength=seen)
        evidence: NDArray[np.float32] = np.outer(times, stays).astype(np.float32)
        return evidence

    def passed(self, evidence: Float32[np.ndarray, "seen source"]) -> "StepFactor":
        """Returns the factor after each end was told what the other one allows."""
        times = self.times[:, None]
        tail = evidence[self.tail] - self.to_tail
        told = times * self.floor + tail.max(axis=1, keepdims=True)
        to_head = self._best(told, self.ahead, tail)
        head = evidence[self.head] - self.to_head
        told = (times * self.floor + head).max(axis=1, keepdims=True)
        to_tail = self._best(np.repeat(told, head.shape[1], axis=1), self.behind, head)
        return replace(self, to_head=to_head, to_tail=to_tail)

    def _best(
        self,
        least: Float32[np.ndarray, "edge source"],
        ways: tuple[NDArray[np.int64], NDArray[np.float32]],
        allowed: Float32[np.ndarray, "edge source"],
    ) -> Float32[np.ndarray, "edge source"]:
        best, times = least, self.times[:, None]
        for places, logs in zip(ways[0].T, ways[1].T, strict=True):
            best = np.maximum(best, times * logs + allowed[:, places])
        # Only differences count; without this they would grow without bounds.
        best -= best.max(axis=1, keepdims=True)
        return best

    def add_to(self, evidence: Float32[np.ndarray, "seen source"]) -> None:
        """Adds what the ends were told."""
        np.add.at(evidence, self.head, self.to_head)
        np.add.at(evidence, self.tail, self.to_tail)

    def worth(self, chosen: Int64[np.ndarray, " seen"]) -> float:
        """Returns the logarithm of the likelihood of the steps.

        Args:
            chosen: source state of each seen target state.
        """
        head, tail = chosen[self.head], chosen[self.tail]
        places, logs = self.ahead
        found = np.where(places[head] == tail[:, None], logs[head], _NEVER)
        likely = np.maximum(found.max(axis=1), self.floor[head])
        return float((self.times * likely).sum())


def _likeliest(
    share: csr_array,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Returns of each row the places of its largest numbers, and their logarithms."""
    size, filled = share.shape[0], np.diff(share.indptr)
    ways = int(max(1, min(_MOST_WAYS, filled.max(initial=0))))
    places = np.zeros((size, ways), np.int64)
    logs = np.full((size, ways), _NEVER, np.float32)
    for row in np.flatnonzero(filled):
        own = slice(share.indptr[row], share.indptr[row + 1])
        numbers = share.data[own]
        order = np.argsort(-numbers, kind="stable")[:ways]
        places[row, : len(order)] = share.indices[own][order]
        logs[row, : len(order)] = np.log(numbers[order])
    return places, logs
