"""Two languages as numbers: vectors, features, questions, and what is held out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from text.retrieval import questions
from text.string_features import Embedding
from text.translated_strings import TranslatedStrings, split

SIZE = 200
"""Dimensions of an embedding, where there are as many strings."""
HELD_OUT = 1 / 3
"""Share of the strings."""


@final
@dataclass(frozen=True, eq=False)
class Sides:
    """Both languages as numbers, a row per string."""

    strings: TranslatedStrings
    vectors: Float[Tensor, "string size"]
    """English."""
    features: Float[Tensor, "string inputs"]
    """Of the other language."""
    asked: Float[Tensor, "question inputs"]
    """Features of questions, one per held-out string."""
    kept: Int64[Tensor, " kept"]
    held: Int64[Tensor, " held"]
    asked_for: tuple[str, ...]
    """The questions themselves."""

    @classmethod
    def of(cls, strings: TranslatedStrings, seed: int) -> "Sides":
        """Returns what the seed's split makes of them; embeddings see the kept ones."""
        rng = np.random.default_rng(seed)
        kept, held = split(strings, HELD_OUT, rng)
        size = min(SIZE, len(kept))
        english = Embedding.of([strings.english[place] for place in kept], size)
        other = Embedding.of([strings.translated[place] for place in kept], size)

        def features(texts: Sequence[str]) -> Tensor:
            return torch.cat([english(texts), other(texts)], dim=1)

        wanted = [strings.translated[place] for place in held]
        asked = questions(wanted, strings.language, rng)
        return cls(
            strings,
            english(strings.english),
            features(strings.translated),
            features(asked),
            kept,
            held,
            tuple(asked),
        )

    @property
    def right(self) -> Bool[Tensor, "held string"]:
        """Which English strings have the translation of a held-out one."""
        translated = np.array(self.strings.translated)
        return torch.from_numpy(translated[self.held.numpy(), None] == translated)
