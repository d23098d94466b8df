"""Average precision of boxes, as the COCO benchmark counts it."""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)


@final
@dataclass(frozen=True, eq=False)
class Boxes:
    """Things on pictures: found ones with their scores, or true ones."""

    picture: Int[np.ndarray, " box"]
    kind: Int[np.ndarray, " box"]
    corners: Float[np.ndarray, "box 4"]
    """Left, top, right, bottom, the last two excluded."""
    scores: Float[np.ndarray, " box"]
    """Higher for those that are surer; of no meaning where boxes are true."""

    def __getitem__(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> "Boxes":
        return Boxes(
            self.picture[rows], self.kind[rows], self.corners[rows], self.scores[rows]
        )

    def __len__(self) -> int:
        return len(self.picture)


def shared(
    boxes: Float[np.ndarray, "box 4"], others: Float[np.ndarray, "other 4"]
) -> Float[np.ndarray, "box other"]:
    """Returns intersections over unions (IoU)."""
    start = np.maximum(boxes[:, None, :2], others[None, :, :2])
    end = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    both = (end - start).clip(min=0).prod(axis=2)
    areas = [(b[:, 2:] - b[:, :2]).prod(axis=1) for b in (boxes, others)]
    total: NDArray[np.float64] = areas[0][:, None] + areas[1] - both
    ratio: NDArray[np.float64] = both / total
    return ratio


def average_precision(found: Boxes, true: Boxes) -> Float[np.ndarray, " threshold"]:
    """Returns the mean over kinds of the average precision, by `THRESHOLDS` of IoU.

    As in COCO (Lin et al., 2014; pycocotools): surest first, a found box takes the
    true one of its picture and kind that it shares most with, among those not taken;
    precision at a recall is the best at that or a higher one, averaged over 101
    recalls. Kinds that are nowhere do not count.
    """
    each = [
        _of_one_kind(found[found.kind == kind], true[true.kind == kind])
        for kind in np.unique(true.kind)
    ]
    mean: NDArray[np.float64] = np.mean(each, axis=0)
    return mean


def _of_one_kind(found: Boxes, true: Boxes) -> NDArray[np.float64]:
    # Equal scores stay in the order in which they were found.
    found = found[np.argsort(-found.scores, kind="stable")]
    hits = np.zeros((len(THRESHOLDS), len(found)), bool)
    for picture in np.unique(found.picture):
        here = np.flatnonzero(found.picture == picture)
        there = true.corners[true.picture == picture]
        both = shared(found.corners[here], there)
        for row, threshold in zip(hits, THRESHOLDS, strict=True):
            row[here] = _taken(both, threshold)
    return np.array([_area(row, len(true)) for row in hits])


def _taken(both: Float[np.ndarray, "box other"], threshold: float) -> NDArray[np.bool_]:
    """Returns which boxes, in order, take a true one."""
    free = np.ones(both.shape[1], bool)
    hits = np.zeros(len(both), bool)
    for place, row in enumerate(both):
        best = int(np.argmax(np.where(free, row, -1))) if free.any() else -1
        if best >= 0 and row[best] >= threshold:
            free[best], hits[place] = False, True
    return hits


def _area(hits: NDArray[np.bool_], true: int) -> float:
    right = np.cumsum(hits)
    precision = right / np.arange(1, len(hits) + 1)
    # The best at this or any later place.
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(right / true, RECALLS)
    return float(np.append(envelope, 0.0)[places.clip(max=len(hits))].mean())
