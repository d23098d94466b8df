"""Wirings: which source motor, or source action, each of the target's stands for."""

from collections.abc import Iterator
from itertools import permutations, product
from math import factorial

import numpy as np
from numpy.typing import NDArray

from rltransfer.alignment.response_config import ResponseConfig
from rltransfer.alignment.responses import Array, Responses
from rltransfer.domain import ActionCodec
from rltransfer.errors import InputError

_LARGEST_TABLE = 10**7
"""Entries of the table of pairs of motors: beyond it, memory and time run away."""


def every_wiring(actions: ActionCodec, most: int) -> Iterator[Array]:
    """Returns the ways in which motors may stand for each other.

    A wiring W says that the encoded source action is W times the target's: discrete
    actions in another order, or motors in another order, some of them reversed.

    Args:
        actions: of both domains.
        most: ways that may be tried.

    Raises:
        InputError: there are more.
    """
    size = actions.size
    count = factorial(size) * (1 if actions.discrete else 2**size)
    if count > most:
        raise InputError(
            f"behind a camera every way to wire the motors is tried, at most {most:,}; "
            f"there are {count:,} of {size} "
            f"{'actions' if actions.discrete else 'motors'}: raise camera.most_wirings "
            "with --hyperparams, or give the target fewer"
        )
    signs = (1.0,) if actions.discrete else (1.0, -1.0)
    return (
        np.eye(size)[:, list(order)] * np.array(sign)
        for order in permutations(range(size))
        for sign in product(signs, repeat=size)
    )


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
    target action stands for a source action; where the target has more of them, several
    may stand for one. Of motors, each of the domain with fewer stands for another one
    of the domain with more, or for that one turned round; those left over stand for
    nothing, and how they answer is no evidence. Between discrete and continuous actions
    there is no wiring, nor where there are too many of them to compare all pairs.

    Args:
        source: its responses.
        target: its responses.
        codecs: of the source's actions, and of the target's.
        config: most wirings to return, and the width of the beam.
    """
    ours, theirs = codecs
    if ours.discrete != theirs.discrete:
        return []
    # The beam goes through the actions of one domain, and gives each a place in the
    # other: through the target's, unless some of its motors are to be left over.
    turned_round = not ours.discrete and theirs.size > ours.size
    placed, within = (source, target) if turned_round else (target, source)
    count, places = placed.actions.shape[1], within.actions.shape[1]
    options = np.eye(places)
    if not ours.discrete:
        options = np.vstack([options, -options])
    if (len(options) * count) ** 2 > _LARGEST_TABLE:
        return []
    agreement = _Agreement(within, placed, options)
    repeats = count > places
    chosen, cost = np.zeros((1, 0), np.int64), np.zeros(1)
    for _ in range(count):
        further = cost[:, None] + agreement.of_next(chosen)
        if not repeats:
            used = (np.arange(len(options)) % places)[None, :, None] == (
                chosen % places
            )[:, None, :]
            further[used.any(axis=2)] = np.inf
        best = np.argsort(further, axis=None, kind="stable")[: config.beam_width]
        rows, columns = np.unravel_index(best, further.shape)
        kept = np.isfinite(further[rows, columns])
        chosen = np.hstack([chosen[rows], columns[:, None]])[kept]
        cost = further[rows, columns][kept]
    found = [options[row] if turned_round else options[row].T for row in chosen]
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
