"""Strings of a program and their translations: reading, simplifying and splitting.

The catalogues are GNU gettext's `.po` files, which are read as data. Those of Django
lie in the installed package, which is found but never imported.
"""

import html
import json
import re
from collections import Counter
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import final

import numpy as np
import torch
from jaxtyping import Int64
from numpy.typing import NDArray
from torch import Tensor

from rltransfer.errors import ArtifactRefused, InputError
from rltransfer.io import storage_faults

TAG, PLACEHOLDER = "◇", "□"
"""What stands for any tag, and for any place that a program fills in."""
LEAST_STRINGS = 30
"""Of a language, below which a split is not worth its name."""
LEAST_OF_A_CLASS = 15
"""Strings; applications with fewer are one class together."""
OTHER = "other"
ALIKE = 0.8
"""Edit similarity above which two strings are near duplicates."""

_TAGS = re.compile(r"<[^<>]+>")
_PLACEHOLDERS = re.compile(r"%\(\w+\)[-#0. ]*[a-zA-Z]|%[a-z]|\{\w*\}")


@final
@dataclass(frozen=True, eq=False)
class TranslatedStrings:
    """Simplified English strings, each once, with one translation each."""

    language: str
    english: tuple[str, ...]
    translated: tuple[str, ...]
    labels: Int64[Tensor, " string"]
    """Places in `classes`."""
    classes: tuple[str, ...]
    """Applications, and `OTHER`."""
    groups: tuple[int, ...]
    """Near duplicates, in English or translated, have the same number."""

    def __len__(self) -> int:
        return len(self.english)


def django_folder() -> Path:
    """Returns where Django is installed; it is not imported."""
    found = find_spec("django")
    if found is None or not found.submodule_search_locations:
        raise InputError(
            "the strings are those that Django ships, but no django is installed; "
            "pip install 'rltransfer[text]', or give a folder with --strings"
        )
    return Path(found.submodule_search_locations[0])


def read_strings(folder: Path, language: str) -> TranslatedStrings:
    """Returns the translated strings of all applications below `folder`.

    Left out are fuzzy and missing translations, and strings of fewer than two letters.
    Of plurals the first form counts. A string that several applications have, or that
    is the same once it is simplified, counts for the first of them by path.

    Args:
        folder: holds APPLICATION/locale/LANGUAGE/LC_MESSAGES/*.po, at any depth.
        language: as gettext names it, such as `fr`.
    """
    files = sorted(folder.rglob(f"locale/{language}/LC_MESSAGES/*.po"))
    found: dict[str, tuple[str, str]] = {}
    for path in files:
        for original, translation in _entries(path):
            text, other = simplified(original), simplified(translation)
            if min(_letters(text), _letters(other)) >= 2:
                found.setdefault(text, (other, path.parts[-5]))
    if len(found) < LEAST_STRINGS:
        raise InputError(
            f"a language needs at least {LEAST_STRINGS} translated strings, {folder} "
            f"has {len(found)} of {language!r}; name another language or folder"
        )
    english = tuple(found)
    translated = tuple(other for other, _ in found.values())
    sizes = Counter(application for _, application in found.values())
    names = [
        application if sizes[application] >= LEAST_OF_A_CLASS else OTHER
        for _, application in found.values()
    ]
    classes = tuple(sorted(set(names)))
    if len(classes) < 2:
        raise InputError(
            f"a classifier needs two applications of {LEAST_OF_A_CLASS} strings, "
            f"{folder} has {dict(sizes)}; name another folder"
        )
    return TranslatedStrings(
        language,
        english,
        translated,
        torch.tensor([classes.index(name) for name in names]),
        classes,
        near_duplicates(english, translated),
    )


def simplified(text: str) -> str:
    """Returns `text` in small letters, every tag and placeholder being one token."""
    text = _TAGS.sub(f" {TAG} ", html.unescape(text))
    return " ".join(_PLACEHOLDERS.sub(f" {PLACEHOLDER} ", text).lower().split())


def _letters(text: str) -> int:
    return sum(map(str.isalpha, text))


def _entries(path: Path) -> list[tuple[str, str]]:
    """Returns what a `.po` file translates, and the translation (its first form)."""
    with storage_faults(path):
        content = path.read_bytes()
    found, entry, field, fuzzy = [], dict[str, str](), "", False
    try:
        # A blank line at the end closes the last entry.
        for line in [*content.decode().splitlines(), ""]:
            if not line.strip():
                translation = entry.get("msgstr") or entry.get("msgstr[0]")
                if entry.get("msgid") and translation and not fuzzy:
                    found.append((entry["msgid"], translation))
                entry, fuzzy = {}, False
            elif line.startswith("#"):
                fuzzy = fuzzy or (line.startswith("#,") and "fuzzy" in line)
            elif line.startswith('"'):
                entry[field] += _unquoted(line)
            else:
                field, _, quoted = line.partition(" ")
                entry[field] = _unquoted(quoted)
    except (UnicodeDecodeError, ValueError, KeyError) as fault:
        raise ArtifactRefused(
            f"{path} is refused: it is no whole catalogue of gettext ({fault}); "
            "install what it belongs to again"
        ) from fault
    return found


def _unquoted(text: str) -> str:
    # What a catalogue escapes, JSON escapes alike.
    value = json.loads(text)
    if not isinstance(value, str):
        raise ValueError(f"{text!r} is not quoted")
    return value


def near_duplicates(*sides: tuple[str, ...]) -> tuple[int, ...]:
    """Returns a number per string; those that are alike on any side share theirs."""
    groups = list(range(len(sides[0])))

    def first(place: int) -> int:
        while groups[place] != place:
            place = groups[place]
        return place

    for side in sides:
        for one, other in _perhaps_alike(side):
            if first(one) != first(other) and similarity(side[one], side[other]) > (
                ALIKE
            ):
                groups[first(other)] = first(one)
    return tuple(map(first, range(len(groups))))


def _perhaps_alike(side: tuple[str, ...]) -> list[tuple[int, int]]:
    """Returns the pairs whose letters, whatever their order, are alike enough."""
    letters = {letter: place for place, letter in enumerate(sorted(set("".join(side))))}
    counts = np.zeros((len(side), len(letters)), np.int32)
    for row, text in zip(counts, side, strict=True):
        for letter, count in Counter(text).items():
            row[letters[letter]] = count
    pairs: list[tuple[int, int]] = []
    for place, row in enumerate(counts[:-1]):
        later = counts[place + 1 :]
        # Every edit puts in one letter, takes out one, or does both.
        edits = np.maximum(
            (later - row).clip(min=0).sum(axis=1), (row - later).clip(min=0).sum(axis=1)
        )
        length = np.maximum(later.sum(axis=1), row.sum())
        near = np.flatnonzero(1 - edits / length > ALIKE)
        pairs += [(place, place + 1 + int(other)) for other in near]
    return pairs


def similarity(one: str, other: str) -> float:
    """Returns 1 - d / length of the longer one, d being the edit distance.

    The distance of Levenshtein (1966): letters put in, taken out or replaced.
    """
    before: NDArray[np.int64] = np.arange(len(other) + 1)
    letters = np.array(list(other))
    places = np.arange(len(other) + 1)
    for row, letter in enumerate(one, start=1):
        replaced = before[:-1] + (letters != letter)
        best = np.concatenate([[row], np.minimum(before[1:] + 1, replaced)])
        # Putting letters in, one after the other, costs one each.
        before = np.minimum.accumulate(best - places) + places
    return float(1 - before[-1] / max(len(one), len(other), 1))


def split(
    strings: TranslatedStrings, share: float, rng: np.random.Generator
) -> tuple[Int64[Tensor, " kept"], Int64[Tensor, " held"]]:
    """Returns the places of strings to learn from and of those held out, in any order.

    Args:
        strings: whose near duplicates stay together.
        share: of strings that are held out, or a few more.
        rng: draws the order of both.
    """
    sizes = Counter(strings.groups)
    held, count = set[int](), 0
    for group in rng.permutation(sorted(sizes)).tolist():
        if count >= share * len(strings):
            break
        held.add(group)
        count += sizes[group]
    order: list[int] = rng.permutation(len(strings)).tolist()
    kept = [place for place in order if strings.groups[place] not in held]
    held_out = [place for place in order if strings.groups[place] in held]
    return torch.tensor(kept), torch.tensor(held_out)
