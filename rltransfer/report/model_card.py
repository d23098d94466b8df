"""The model card of a pushed run, by the conventions of Stable-Baselines3's hub.

Its front matter is what the hub searches and ranks by: the library, the tags and the
`mean_reward` of the model index. The text says how to use it and what it cost.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pprint import pformat
from typing import Any, final

import yaml

from rltransfer.evaluation import ReturnSummary
from rltransfer.report.tables import markdown

CARD = "README.md"
TAG = "rltransfer"
"""On every card that a push writes; what lacks it is never written over."""
_TASK = "reinforcement-learning"
_TAGS = ("deep-reinforcement-learning", _TASK, "stable-baselines3", TAG)


@final
@dataclass(frozen=True)
class Origin:
    """What a run was transferred from, and at what cost."""

    source: str
    """For a reader, such as `ppo CartPole-v1`."""
    place: str
    """Its repository, or the name of its folder."""
    sha256: str
    home: str
    """Environment of the source."""
    repository: str | None
    """On the hub, if it is from there."""
    cost: Mapping[str, str]
    """Target steps and time, by name."""
    verdicts: Sequence[str]
    """What was found, with its reasons."""


@final
@dataclass(frozen=True)
class ModelCard:
    """What is told about a pushed run."""

    repository: str
    title: str
    """What acts, such as PPO."""
    algorithm: str
    """RL Zoo's word for it; empty for a mapped policy, which RL Zoo does not know."""
    env_id: str
    env_kwargs: Mapping[str, Any]
    earned: ReturnSummary
    """By what acts, in fresh episodes."""
    command: str
    """That measures the same."""
    figures: Mapping[str, ReturnSummary]
    """All returns to show, by the name of who earned them."""
    agent: str | None
    """Name of the zip and of the bundle beside it, without an ending."""
    beside: Sequence[str]
    """Names of files to look at."""
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    origin: Origin | None = None

    @property
    def mean_reward(self) -> str:
        """As the hub's leaderboards read it: mean and standard deviation."""
        deviation = self.earned.std_return or 0.0
        return f"{self.earned.mean_return:.2f} +/- {deviation:.2f}"

    @property
    def metadata(self) -> dict[str, Any]:
        """The front matter."""
        metric = {"type": "mean_reward", "value": self.mean_reward}
        result = {
            "task": {"type": _TASK, "name": _TASK},
            "dataset": {"type": self.env_id, "name": self.env_id},
            "metrics": [{**metric, "name": "mean_reward", "verified": False}],
        }
        base = self.origin and self.origin.repository
        more = () if self.origin is None else ("transfer-learning",)
        return {
            "library_name": "stable-baselines3",
            "tags": [self.env_id, *_TAGS, *more],
            **({"base_model": base} if base else {}),
            "model-index": [{"name": self.title, "results": [result]}],
        }

    def text(self) -> str:
        """Returns the whole card."""
        sections = [
            self._about(),
            self._use(),
            *([] if self.origin is None else [_transferred(self.origin)]),
            *_block("Hyperparameters", self.hyperparameters),
            *_block("Environment arguments", self.env_kwargs),
        ]
        front = yaml.safe_dump(self.metadata, sort_keys=False, allow_unicode=True)
        return f"---\n{front}---\n\n" + "\n\n".join(sections) + "\n"

    def _about(self) -> str:
        beside = [f"`{name}`" for name in self.beside]
        rows = [_row(name, one) for name, one in self.figures.items()]
        return "\n\n".join(
            [
                f"# **{self.title}** agent playing **{self.env_id}**",
                f"In `{self.env_id}` this agent earns {self.mean_reward} (mean and "
                f"standard deviation of {self.earned.episodes} fresh episodes, with "
                "deterministic actions). "
                + (f"Beside this card: {', '.join(beside)}." if beside else ""),
                markdown(rows),
                f"Measured by\n\n```\n{self.command}\n```",
            ]
        )

    def _use(self) -> str:
        here = f"hf://{self.repository}"
        parts = [
            "## Use",
            "Without running anything that is in a file, with "
            "`pip install 'rltransfer[hub]'`:",
            f"```python\nimport rltransfer\n\npolicy = "
            f'rltransfer.load_agent("{here}")\n'
            "action, state = policy.predict(observation, deterministic=True)\n```",
        ]
        if self.agent is None:
            parts.append(
                "What acts is the source's policy through a mapping, in `transfer/`. "
                "It has the `predict` of a Stable-Baselines3 model and is none."
            )
            return "\n\n".join(parts)
        organisation, _, name = self.repository.partition("/")
        owner = f"-orga {organisation} -name {name}"
        chosen = f"--algo {self.algorithm} --env {self.env_id}"
        return "\n\n".join(
            [
                *parts,
                f"`{self.agent}.safetensors` holds the policy of `{self.agent}.zip` as "
                "numbers and words alone. The zip is for Stable-Baselines3 and RL Zoo, "
                "whose loading runs what a zip asks for; RL Zoo wants to be told "
                "`TRUST_REMOTE_CODE=True` first:",
                f"```\npython -m rl_zoo3.load_from_hub {chosen} {owner} -f logs/\n"
                f"python -m rl_zoo3.enjoy {chosen} -f logs/\n```",
            ]
        )


def _transferred(origin: Origin) -> str:
    cost = [f"- {name}: {value}" for name, value in origin.cost.items()]
    return "\n".join(
        [
            "## Transferred from\n",
            f"{origin.source}, from `{origin.place}` (SHA-256 `{origin.sha256}`), at "
            f"home in `{origin.home}`.\n",
            *(f"> {verdict}\n" for verdict in origin.verdicts),
            "What it cost:\n",
            *cost,
        ]
    )


def _block(title: str, values: Mapping[str, Any]) -> list[str]:
    text = pformat(dict(values))
    return [f"## {title}\n\n```python\n{text}\n```"] if values else []


def _row(name: str, earned: ReturnSummary) -> dict[str, str]:
    low, high = earned.ci95 or (None, None)
    interval = "n/a" if low is None else f"{low:.1f} to {high:.1f}"
    return {
        "policy": name,
        "mean return": f"{earned.mean_return:.1f}",
        "95 % interval": interval,
        "episodes": str(earned.episodes),
    }
