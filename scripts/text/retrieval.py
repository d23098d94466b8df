"""Finding English strings for strings and questions of another language."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from rltransfer.mapping import Network

QUESTIONS = {
    "fr": ("quel message parle de {} ?", "où lit-on {} ?", "quel texte contient {} ?"),
    "de": (
        "welche meldung handelt von {}?",
        "wo liest man {}?",
        "welcher text enthält {}?",
    ),
    "es": ("¿qué mensaje habla de {}?", "¿dónde se lee {}?", "¿qué texto contiene {}?"),
}
"""By language: what is asked, in small letters, with a place for words of a string."""


def questions(
    strings: Sequence[str], language: str, rng: np.random.Generator
) -> list[str]:
    """Returns a question for each string: half of its words, in order, in a template.

    Args:
        strings: to be asked for.
        language: that of strings and questions.
        rng: draws words and templates.
    """
    asked = []
    for text in strings:
        words = text.split()
        places = sorted(rng.permutation(len(words))[: -(-len(words) // 2)].tolist())
        template = QUESTIONS[language][int(rng.integers(len(QUESTIONS[language])))]
        asked.append(template.format(" ".join(words[place] for place in places)))
    return asked


def ranks(
    scores: Float[Tensor, "query candidate"], right: Bool[Tensor, "query candidate"]
) -> Float[Tensor, " query"]:
    """Returns how many wrong candidates stand before the best right one.

    Of equal scores half stand before it: order among them would be luck.
    """
    best = scores.masked_fill(~right, -torch.inf).amax(dim=1, keepdim=True)
    before = (~right & (scores > best)).sum(dim=1)
    return before + (~right & (scores == best)).sum(dim=1) / 2


class Found(NamedTuple):
    """Per cent of queries whose right answer is among the first."""

    at_1: float
    at_5: float
    half_at_5: float
    """Of the half of the strings that overlap least with their translations."""
    asked_at_1: float
    """Of questions."""
    asked_at_5: float


def found(
    place: Float[Tensor, " query"],
    asked: Float[Tensor, " query"],
    unlike: Bool[Tensor, " query"],
) -> Found:
    """Returns the precision by the `ranks` of strings and those of questions."""

    def share(ranked: Tensor, first: int) -> float:
        return 100 * float((ranked < first).float().mean())

    return Found(
        share(place, 1),
        share(place, 5),
        share(place[unlike], 5),
        share(asked, 1),
        share(asked, 5),
    )


def chance(right: Bool[Tensor, "query candidate"]) -> Found:
    """Returns the precision of candidates in random order."""
    candidates = right.shape[1]
    answers = right.sum(dim=1).float()
    at_1 = answers / candidates
    at_5 = 1 - (1 - at_1) ** 5
    one, five = 100 * float(at_1.mean()), 100 * float(at_5.mean())
    return Found(one, five, five, one, five)


@torch.no_grad()
def scores(
    network: Network,
    features: Float[Tensor, "query inputs"],
    vectors: Float[Tensor, "candidate size"],
) -> Float[Tensor, "query candidate"]:
    """Returns the cosines of mapped features and English vectors of mean square 1."""
    cosines: Tensor = network(features) @ vectors.T / vectors.shape[1]
    return cosines


def mutual(
    similar: Float[Tensor, "one other"],
) -> tuple[Int64[Tensor, " pair"], Int64[Tensor, " pair"]]:
    """Returns rows and columns that are each other's most similar ones."""
    columns = similar.argmax(dim=1)
    rows = torch.arange(len(similar))
    agree = similar.argmax(dim=0)[columns] == rows
    return rows[agree], columns[agree]


def profiles(vectors: Float[Tensor, "row size"]) -> Float[Tensor, "row level"]:
    """Returns for each row how similar the other rows are to it, in order.

    What is equal in two languages although no word is (Artetxe et al., 2018).
    """
    similar = vectors @ vectors.T / vectors.shape[1]
    levels = torch.linspace(0, 1, 101)
    return similar.quantile(levels, dim=1).T
