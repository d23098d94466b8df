"""Learning on after an alignment: budget, figures, folder, and what acts in the end."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stable_baselines3 import DQN
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import rltransfer
from rltransfer.domain import Domain, Policy
from rltransfer.errors import ArtifactRefused, InputError
from rltransfer.io import changed_files, read_json, read_manifest
from rltransfer.translation import MappedPolicy
from rltransfer.translation.altered_translations import opposite
from rltransfer.workflows import improvement
from rltransfer.workflows.finished_transfer import FinishedTransfer
from rltransfer.workflows.learning_record import LearningRecord
from rltransfer.workflows.transfer_result import TransferResult
from rltransfer_agents.learning_on import NOTHING_KNOWN, LearnedOn
from rltransfer_agents.training.training_run import resume_source
from tests.effort import QUICK
from tests.worlds.fake_learning import FakeLearning

SHORT = {"max_episode_steps": 50}
"""Random actions hold the pole for half of it, a source for all."""
BUDGET, SHARE = 1_100, 500
HASTY = {**QUICK, "responses.simulated_wirings": 2, "responses.simulated_steps": 20}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = rltransfer.train_source(
        "CartPole-v1",
        "ppo",
        3_072,
        hyperparams={"n_envs": 4, "n_steps": 64, "n_epochs": 10, "learning_rate": 3e-3},
        log_folder=tmp_path_factory.mktemp("source"),
        device="cpu",
        seed=5,
    )
    return found.folder


def turned(policy: MappedPolicy, target: Domain) -> MappedPolicy:
    """Returns who sees the mirror image of every source state."""
    del target
    return opposite(policy)


def learned_on(source: Any, folder: Path, **options: Any) -> TransferResult:
    asked = {
        "target_kwargs": SHORT,
        "source_kwargs": SHORT,
        "steps": BUDGET,
        "alignment_steps": SHARE,
        "threshold": 45.0,
        "improve": True,
        "seed": 4,
        "hyperparams": HASTY,
        "weak_source": True,
        "cache": False,
        "evaluations": 5,
    }
    return rltransfer.transfer(
        source, "CartPole-v1", log_folder=folder, **{**asked, **options}
    )


@pytest.fixture(scope="module")
def result(source: Path, tmp_path_factory: pytest.TempPathFactory) -> TransferResult:
    found = learned_on(source, tmp_path_factory.mktemp("runs"))
    assert found.accepted, found.verdict
    return found


@pytest.fixture(scope="module")
def learner_won(
    source: Path, tmp_path_factory: pytest.TempPathFactory
) -> TransferResult:
    """Of a mapping that was found and then turned: whoever learns ends above it."""
    hyperparams = {**HASTY, "without": "refitted"}
    folder = tmp_path_factory.mktemp("turned")
    return learned_on(source, folder, alter=turned, hyperparams=hyperparams)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeLearning:
    """Stands for learning on where only what is around it matters."""
    fake = FakeLearning()
    monkeypatch.setattr(improvement, "learn_on", fake)
    return fake


def record_of(result: TransferResult) -> LearningRecord:
    assert result.learning is not None
    return result.learning


def test_alignment_and_learning_share_the_budget(result: TransferResult) -> None:
    learning = record_of(result)
    assert result.alignment_steps <= SHARE
    assert result.target_steps == result.alignment_steps + learning.learning_steps
    # What alignment leaves goes to learning.
    assert BUDGET - 10 < result.target_steps <= BUDGET
    acted = result.steps["learning"] + result.steps["final comparison"]
    assert acted == learning.learning_steps
    assert 0 < sum(arm.steps for arm in learning.arms) <= acted


def test_alignment_leaves_the_acceptance_test_to_learning(
    result: TransferResult,
) -> None:
    assert {"exploration", "selection"} <= set(result.steps)
    assert "acceptance" not in result.steps
    mapped = next(arm for arm in record_of(result).arms if arm.name == "mapped")
    tested = mapped.episodes + mapped.final_episodes
    assert tested and result.verdict.startswith("accepted: better than random")
    assert f"over {tested} episode" in result.verdict or f"{tested + 1} ep" in (
        result.verdict
    )


def test_a_transfer_that_does_not_learn_on_says_nothing_of_learning(
    result: TransferResult, source: Path, tmp_path: Path
) -> None:
    options = {"improve": False, "threshold": None, "evaluations": None}
    alone = learned_on(source, tmp_path, steps=SHARE, alignment_steps=None, **options)
    said = alone.as_json()
    assert (said["improved"], said["winner"], said["curve"]) == (None, None, [])
    assert said["alignment_steps"] == said["target_steps"]
    assert set(said) <= {*result.as_json()}


def test_the_curve_begins_with_random_actions_and_the_mapped_policy(
    result: TransferResult,
) -> None:
    said = result.as_json()
    first, second, *_ = said["curve"]
    assert first == {
        "target_steps": 0,
        "mean_return": result.random.mean_return,
        "arm": "random",
    }
    # In the same episodes as the figure.
    assert second["arm"] == "mapped"
    assert second["mean_return"] == result.zero_shot.mean_return
    assert second["target_steps"] >= result.alignment_steps
    steps = [point["target_steps"] for point in said["curve"]]
    assert steps == sorted(set(steps)) and steps[-1] <= BUDGET
    assert said["curve"][-1]["arm"] == said["winner"]
    assert said["curve"][-1]["mean_return"] == said["improved"]["mean_return"]


def test_the_record_says_all_of_it(result: TransferResult) -> None:
    said = read_json(result.folder / "transfer.json")
    assert said == result.as_json()
    assert {arm["name"] for arm in said["arms"]} == {"mapped", "student", "scratch"}
    assert said["strategy"] == "hold" and said["student_algo"] == "dqn"
    assert said["threshold"] == 45.0
    table = str(result).replace("\n", " ")
    for words in ("learning on", "final comparison", "threshold", "learned on: "):
        assert words in table


def test_a_transfer_acts_as_what_came_out(
    learner_won: TransferResult, tmp_path: Path
) -> None:
    result = learner_won
    assert result.winner in ("student", "scratch") and result.student is not None
    moved = result.save(tmp_path / "moved")
    again = rltransfer.evaluate(moved, episodes=20, seed=result.report_seed)
    assert result.improved is not None
    assert again.returns.tolist() == result.improved.as_json()["returns"]
    student = moved / result.student.relative_to(result.folder)
    model = DQN.load(student)
    observations = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)

    def choices(policy: Policy) -> list[int]:
        return list(policy.predict(observations, deterministic=True)[0])

    assert choices(model) == choices(result.policy)
    assert choices(FinishedTransfer.at(moved).policy) == choices(result.policy)
    # The folder of the student is one of RL Zoo's.
    alone = rltransfer.evaluate(student.parent, episodes=20, seed=result.report_seed)
    assert alone.returns.tolist() == again.returns.tolist()
    assert alone.environment.kwargs == SHORT
    files = rltransfer.export(moved, tmp_path / "student.npz").written
    assert files[0].is_file()


def test_the_curve_lies_beside_the_student_as_the_zoo_plots_it(
    learner_won: TransferResult,
) -> None:
    said = learner_won.as_json()
    assert learner_won.student is not None
    path = learner_won.student.parent / "evaluations.npz"
    with np.load(path, allow_pickle=False) as found:
        assert {*found} == {"timesteps", "results", "ep_lengths"}
        steps, results, lengths = (found[name] for name in found)
    # The record has one point more: random actions, where nothing was learned.
    points = said["curve"][1:]
    assert results.shape == lengths.shape == (len(points), 20)
    assert steps.tolist() == [point["target_steps"] for point in points]
    assert results.mean(axis=1).tolist() == [point["mean_return"] for point in points]
    assert lengths.min() > 0 and lengths.max() <= 50
    assert results[-1].tolist() == said["improved"]["returns"]


def test_the_manifest_vouches_for_the_student(learner_won: TransferResult) -> None:
    result = learner_won
    manifest = read_manifest(result.folder)
    assert result.student is not None
    assert result.student.relative_to(result.folder).as_posix() in manifest.files
    assert changed_files(result.folder, manifest) == []
    assert manifest.results["winner"] == result.winner
    described = rltransfer.inspect(result.folder)
    assert described.as_json()["winner"] == result.winner
    assert described.as_json()["target_steps"] == result.target_steps


def test_a_student_that_is_gone_is_missed(
    learner_won: TransferResult, tmp_path: Path
) -> None:
    result = learner_won
    copy = result.save(tmp_path / "copy")
    (copy / "student").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"acts as the student inside it.* holds 0"):
        rltransfer.evaluate(copy, episodes=1)


def test_a_transfer_is_a_source_as_what_came_out(
    result: TransferResult, tmp_path: Path
) -> None:
    options = {"improve": False, "threshold": None, "evaluations": None}
    again = learned_on(
        result.folder, tmp_path, steps=SHARE, alignment_steps=None, **options
    )
    assert result.improved is not None
    # It is at home where it came out.
    assert again.source_environment.kwargs == SHORT
    assert again.source_at_home.mean_return == result.improved.mean_return
    assert rltransfer.evaluate(again.folder, episodes=1).returns.shape == (1,)


def test_returns_and_arms_are_in_tensorboard(result: TransferResult) -> None:
    events = EventAccumulator(str(result.folder / "tensorboard")).Reload()
    tags = set(events.Tags()["scalars"])
    assert {"rollout/ep_rew_mean", "rollout/ep_len_mean", "transfer/arm"} <= tags
    points = [(one.step, one.value) for one in events.Scalars("eval/mean_reward")]
    curve = record_of(result).curve
    assert points[0] == (curve[1][0], pytest.approx(curve[1][1]))
    assert result.alignment_steps < points[-1][0] <= BUDGET


def test_where_the_mapping_is_refused_scratch_learns_alone(
    source: Path, tmp_path: Path
) -> None:
    # Where nobody can fall, nobody beats random actions.
    short = {"max_episode_steps": 5}
    found = learned_on(source, tmp_path, target_kwargs=short, threshold=5.0)
    assert not found.accepted and found.winner == "scratch"
    curve = record_of(found).curve
    # It was the answer until one episode was no better than the random ones.
    assert [arm for _, _, arm in curve[:2]] == ["random", "mapped"]
    assert {arm for _, _, arm in curve[2:]} == {"scratch"}
    assert found.student is not None and found.student.is_file()
    mapped, scratch = record_of(found).arms
    assert (mapped.name, scratch.name) == ("mapped", "scratch")
    assert 1 <= mapped.episodes <= 5
    assert mapped.dropped == found.verdict and found.verdict.startswith("refused")
    assert found.target_steps == BUDGET
    assert str(found).startswith("note: the mapping was refused, so scratch learned")


def test_sources_share_what_alignment_may_take(
    source: Path, tmp_path: Path, fake: FakeLearning
) -> None:
    found = learned_on([source, source], tmp_path, steps=2_000, alignment_steps=1_400)
    spent = sum(row.target_steps for row in found.sources)
    assert found.steps["exploration"] + spent == found.alignment_steps <= 1_400
    assert found.target_steps == 2_000
    assert fake.experience is not None and fake.config is not None
    # Only one was tested, by episodes that did not choose it.
    accepted = {row.kept: row.accepted for row in found.sources}
    assert accepted == {True: True, False: None}
    # What was seen while acting for the other source is not lost.
    assert len(fake.experience) == found.alignment_steps
    assert fake.config.steps == 2_000 - found.alignment_steps
    curve = record_of(found).curve
    assert (curve[1][0], curve[-1][0]) == (found.alignment_steps, 2_000)
    events = EventAccumulator(str(found.folder / "tensorboard")).Reload()
    assert events.Scalars("eval/mean_reward")[-1].step == 2_000


def test_an_altered_mapping_is_what_acts_as_mapped(
    source: Path, tmp_path: Path, fake: FakeLearning
) -> None:
    found = learned_on(source, tmp_path, alter=turned)
    # In the same episodes as the figure; the mapping that was found is far above.
    assert record_of(found).curve[1][1] == found.zero_shot.mean_return < 20
    assert (found.winner, found.student) == ("mapped", None)
    assert found.improved == found.zero_shot
    assert not (found.folder / "student").exists()
    kept = rltransfer.evaluate(found.folder, episodes=20, seed=found.report_seed)
    assert kept.mean_return == found.zero_shot.mean_return
    assert fake.config is not None and fake.config.points == 5
    # Another policy was tested.
    assert fake.tested == NOTHING_KNOWN


def test_a_mapping_that_was_fitted_anew_is_what_the_folder_keeps(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refitted(target: Domain, mapped: Policy, *asked: Any) -> LearnedOn:
        experience, *rest, refit = asked
        learned = FakeLearning()(target, mapped, experience, *rest)
        return replace(learned, winner="refitted", policy=refit(mapped, experience))

    monkeypatch.setattr(improvement, "learn_on", refitted)
    found = learned_on(source, tmp_path, alter=turned)
    assert (found.winner, found.student) == ("refitted", None)
    assert found.improved is not None and found.zero_shot is not None
    # The figure of before is that of the turned one.
    assert found.zero_shot.mean_return < 20 < 40 < found.improved.mean_return
    kept = rltransfer.evaluate(found.folder, episodes=20, seed=found.report_seed)
    assert kept.mean_return == found.improved.mean_return
    assert not (found.folder / "student").exists()


def test_the_sources_value_is_fitted_only_where_it_is_asked_for(
    source: Path, tmp_path: Path, fake: FakeLearning
) -> None:
    learned_on(source, tmp_path, strategy="hold")
    assert fake.config is not None and fake.config.potential is None
    # It earns 1 in each step, up to the limit.
    assert fake.test is not None and fake.test.open
    assert 0 < fake.tested.episode_steps <= SHORT["max_episode_steps"]
    learned_on(source, tmp_path, strategy="value")
    assert fake.config.potential is not None and fake.experience is not None
    rows = fake.experience
    worth = fake.config.potential(rows.observation.numpy())
    # Where the pole has fallen, less is to be had than where it still stands.
    ends = rows.terminated.numpy()
    assert ends.any() and worth[ends].mean() < worth[~ends].mean()
    assert 0 <= worth.min() and worth.max() <= 100


def test_a_training_does_not_go_on_from_a_student(learner_won: TransferResult) -> None:
    result = learner_won
    assert result.student is not None
    with pytest.raises(ArtifactRefused, match="must be of a run of train-source"):
        resume_source(result.student.parent)
