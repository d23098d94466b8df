"""Wirings: which source motor, or source action, each of the target's stands for."""

import numpy as np
from numpy.typing import NDArray

from rltransfer.alignment.response_config import ResponseConfig
from rltransfer.alignment.responses import Array, Responses
from rltransfer.domain import ActionCodec

_LARGEST_TABLE = 10**7
"""Entries of the table of pairs of motors: beyond it, memory and time run away."""


def likely_wirings(
    source: Responses,
    target: Responses,
    codecs: tuple[ActionCodec, ActionCodec],
    config: ResponseConfig,
) -> list[Array]:
    """Returns wirings under which motors answer alike, the likeliest first.

    The product of two motors' responses does not depend on the coordinates of the
    state, so that wirings can be compared before any map is known. A beam goes through
    the target's motors; it is exact where its width is not exceeded.

    A wiring W says that the encoded source action is W times the target's. A discrete
    target action stands for a source action. A motor of the target is a source motor,
    that one turned round, or none of them. Where the target has as many of them or
    fewer, each stands for another one; where it has more, each one of the source is
    stood for. Between discrete and continuous actions there is none, nor where there
    are too many of them to compare all pairs.

    Args:
        source: its responses.
        target: its responses.
        codecs: of the source's actions, and of the target's.
        config: most wirings to return, and the width of the beam.
    """
    ours, theirs = codecs
    if ours.discrete != theirs.discrete:
        return []
    options = np.eye(ours.size)
    if not ours.discrete:
        options = np.vstack([options, -options])
    if ours.size < theirs.size and not ours.discrete:
        options = np.vstack([options, np.zeros((1, ours.size))])
    if (len(options) * theirs.size) ** 2 > _LARGEST_TABLE:
        return []
    agreement = _Agreement(source, target, options)
    repeats = theirs.size > ours.size
    chosen, cost = np.zeros((1, 0), np.int64), np.zeros(1)
    for _ in range(theirs.size):
        further = cost[:, None] + agreement.of_next(chosen)
        if not repeats:
            motors = np.arange(len(options)) % ours.size
            used = (motors[None, :, None] == motors[chosen][:, None, :]).any(axis=2)
            further[used] = np.inf
        best = np.argsort(further, axis=None, kind="stable")[: config.beam_width]
        rows, columns = np.unravel_index(best, further.shape)
        kept = np.isfinite(further[rows, columns])
        chosen = np.hstack([chosen[rows], columns[:, None]])[kept]
        cost = further[rows, columns][kept]
    found = [options[row].T for row in chosen]
    driven = min(ours.size, theirs.size)
    return [w for w in found if w.any(axis=1).sum() >= driven][: config.most_wirings]


class _Agreement:
    """How well the responses of pairs of motors agree, for all ways to wire them."""

    def __init__(self, source: Responses, target: Responses, options: Array) -> None:
        wired = np.einsum("oi,liz->loz", options, source.actions)
        ours, theirs = _products(wired), _products(target.actions)
        squares = (ours**2).sum(axis=(0, 1))
        shown = (theirs**2).sum(axis=(0, 1))
        both = np.einsum("klop,kljm->ojpm", ours, theirs, optimize=True)
        self._gap = squares[:, None, :, None] + shown[None, :, None, :] - 2 * both

    def of_next(self, chosen: NDArray[np.int64]) -> Array:
        """Returns what each option for the next motor adds, after those chosen."""
        place = chosen.shape[1]
        column = self._gap[:, place]
        own = np.diagonal(column[:, :, place]).copy()
        added = np.broadcast_to(own, (len(chosen), len(own))).copy()
        for earlier in range(place):
            added += 2 * column[:, chosen[:, earlier], earlier].T
        return added


def _products(effects: Array) -> Array:
    products: Array = np.einsum("koz,lpz->klop", effects, effects, optimize=True)
    return products
