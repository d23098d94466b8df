"""Which variable of one environment is which of another, from their rows alone."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from rich.console import Group, RenderableType
from rich.text import Text
from typing_extensions import override

from rltransfer.alignment.families.matched_family import usable_network
from rltransfer.alignment.matching.match_decoding import Match
from rltransfer.alignment.matching.match_network import MatchNetwork
from rltransfer.alignment.matching.match_proposals import (
    FEWEST_ROWS,
    MatchProposals,
    match_proposals,
)
from rltransfer.alignment.matching.match_weights import read_match_network
from rltransfer.argument_checks import (
    STEP_SECONDS,
    VecEnv,
    require_at_least,
    require_seed,
)
from rltransfer.one_thread import one_thread
from rltransfer.random_streams import RandomStreams
from rltransfer.report import Result
from rltransfer.report.tables import facts, plain_table
from rltransfer.workflows.environments import MakeEnv, Stepping
from rltransfer.workflows.named_sides import SIDE_USES, NamedSide, named_side

MATCH_STEPS = 1_000
_BEAM = 8
_USES = (*SIDE_USES, "search")


@final
@dataclass(frozen=True)
class MatchedVariable:
    """A source variable and what it is in the target."""

    kind: str
    """`observation` or `action`."""
    source: str
    target: str | None
    """None where it has no partner."""
    turned: bool
    """Whether more of the one is less of the other."""
    confidence: float | None
    """Probability of the pair when all others are taken for granted; None without a
    network.
    """


@final
@dataclass(frozen=True)
class MatchResult(Result):
    """Which variable is which, and in what other ways it may be."""

    source: NamedSide
    target: NamedSide
    proposals: MatchProposals

    @property
    def variables(self) -> tuple[MatchedVariable, ...]:
        """Of the first match, in the order of the source's variables."""
        return self._named(self.proposals.matches[0])

    def _named(self, match: Match) -> tuple[MatchedVariable, ...]:
        names, known = self.target.names, self.proposals.confidence
        count = len(self.source.observations)
        first = match is self.proposals.matches[0]
        return tuple(
            MatchedVariable(
                "observation" if place < count else "action",
                name,
                names[partner] if partner >= 0 else None,
                bool(partner >= 0 and sign < 0),
                None if known is None or not first else float(known[place]),
            )
            for place, (name, partner, sign) in enumerate(
                zip(self.source.names, match.partner, match.sign, strict=True)
            )
        )

    @property
    def _others(self) -> Iterator[tuple[MatchedVariable, ...]]:
        """What is otherwise in each further match."""
        first = [(one.target, one.turned) for one in self.variables]
        for match in self.proposals.matches[1:]:
            pairs = zip(self._named(match), first, strict=True)
            yield tuple(one for one, was in pairs if (one.target, one.turned) != was)

    @override
    def as_json(self) -> dict[str, Any]:
        """Returns the object that `--json` prints."""
        return {
            "source": self.source.title,
            "target": self.target.title,
            "rows": {
                "source": len(self.source.side.rows),
                "target": len(self.target.side.rows),
            },
            "network": self.proposals.confidence is not None,
            "variables": [vars(one) for one in self.variables],
            "alternatives": [
                [
                    {name: vars(one)[name] for name in ("source", "target", "turned")}
                    for one in others
                ]
                for others in self._others
            ],
        }

    @override
    def __rich__(self) -> RenderableType:
        """Returns a row for each source variable, and the next likely match."""
        table = plain_table("source", "target", "confidence")
        for one in self.variables:
            sure = "" if one.confidence is None else f"{one.confidence:.0%}"
            table.add_row(Text(one.source), Text(_shown(one)), sure)
        entries: list[tuple[str, object]] = [
            ("source", self._told(self.source)),
            ("target", self._told(self.target)),
            ("not used", ", ".join(self._unused) or None),
        ]
        for others in list(self._others)[:2]:
            changes = ", ".join(f"{one.source}: {_shown(one)}" for one in others)
            entries.append(("or else", changes))
        if self.proposals.confidence is None:
            entries.append(("note", "without the network no confidence is known"))
        return Group(table, facts(entries))

    @property
    def _unused(self) -> list[str]:
        """Target variables that are no source variable's partner."""
        used = {one.target for one in self.variables}
        return [name for name in self.target.names if name not in used]

    @staticmethod
    def _told(side: NamedSide) -> str:
        return f"{side.title}, {len(side.side.rows):,} rows"


def _shown(variable: MatchedVariable) -> str:
    if variable.target is None:
        return "none"
    return f"{'-' if variable.turned else ''}{variable.target}"


def match(
    source: str | Path | MakeEnv,
    target: str | Path | MakeEnv,
    *,
    source_kwargs: Mapping[str, Any] | None = None,
    target_kwargs: Mapping[str, Any] | None = None,
    source_data: str | Path | None = None,
    target_data: str | Path | None = None,
    steps: int = MATCH_STEPS,
    seed: int = 0,
    network: str | Path | None = None,
    vec_env: VecEnv = "dummy",
    step_seconds: float = STEP_SECONDS,
) -> MatchResult:
    """Tells which variable of the target each one of the source is.

    Both environments are acted in at random, but where there is a log of one: then no
    step is taken in it. No policy acts, and no return is looked at but the reward of
    each step, as one more variable.

    Args:
        source: an environment's id, a callable that makes one, or the path of an agent,
            whose environment is taken.
        target: likewise.
        source_kwargs: arguments of the source's environment.
        target_kwargs: of the target's.
        source_data: logged steps of the source's environment, as for `transfer`.
        target_data: of the target's.
        steps: random steps in each that has no log.
        seed: of everything drawn.
        network: weights that `meta_train` wrote; by default those that come along.
        vec_env: `dummy`, or `subproc` for environments in processes of their own.
        step_seconds: longest time of one step of an environment, in seconds.

    Raises:
        InputError: an environment is not known, a log is of another one, or nothing can
            be told of the two.
        ArtifactRefused: the file of `network`, or a log, is damaged.
    """
    require_at_least("-n", steps, FEWEST_ROWS, "fewer rows tell nothing")
    require_seed(seed)
    told = usable_network() if network is None else read_match_network(Path(network))
    streams, stepping = RandomStreams(seed, *_USES), Stepping(vec_env, step_seconds)
    asked = (
        (source, source_kwargs, source_data, "source"),
        (target, target_kwargs, target_data, "target"),
    )
    ours, theirs = (named_side(*words, steps, streams, stepping) for words in asked)
    return match_sides(ours, theirs, told, streams.generator("search"))


def match_sides(
    source: NamedSide,
    target: NamedSide,
    network: MatchNetwork | None,
    rng: np.random.Generator,
) -> MatchResult:
    """Tells which variable is which from rows, however they were come by.

    Args:
        source: rows of the source.
        target: rows of the target.
        network: None where there is none to be used.
        rng: of the search without a network.

    Raises:
        InputError: nothing can be told of these rows.
    """
    with one_thread():
        proposals = match_proposals(source.side, target.side, network, _BEAM, rng)
    return MatchResult(source, target, proposals)
