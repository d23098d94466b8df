"""Aligning with one of several sources."""

from dataclasses import dataclass
from typing import final

from rltransfer.alignment import Alignment
from rltransfer.cli.agents import Actor
from rltransfer.cli.environments import EnvironmentChoice
from rltransfer.cli.transferring.record import SourceRecord


@final
@dataclass(frozen=True, eq=False)
class Attempted:
    """One source, and how aligning it went."""

    actor: Actor
    home: EnvironmentChoice
    alignment: Alignment

    @property
    def rank(self) -> tuple[bool, float]:
        """Smaller is better: accepted first, then by measured return."""
        proof = self.alignment.proof
        proved = proof.returns
        measured = proved.mean() if len(proved) else self.alignment.chosen.score
        return not proof.accepted, -float(measured)

    def record(self, kept: bool) -> SourceRecord:
        """Returns its row in the table of sources."""
        proof, chosen = self.alignment.proof, self.alignment.chosen
        return SourceRecord(
            source=self.actor.title,
            path=str(self.actor.path),
            rung=chosen.candidate.rung,
            mismatch=chosen.candidate.mismatch,
            proof_return=float(proof.returns.mean()) if len(proof.returns) else None,
            target_steps=self.alignment.target.meter.used,
            accepted=proof.accepted,
            kept=kept,
            verdict=proof.verdict,
        )
