"""Every kind of refusal has a case that meets it, and every case a remedy."""

import base64
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cloudpickle
import pytest
from stable_baselines3.common.policies import ActorCriticPolicy
from stock_agents import STOCK

from rltransfer.io import Manifest, write_manifest
from rltransfer_agents.loading import REMEDIES, Refusal, load_agent
from rltransfer_agents.loading.agent_files import require_own_files
from rltransfer_agents.loading.logged_files import read_logged_file
from rltransfer_agents.loading.refusal import refuse_unforeseen

TORTURE = Path(__file__).parent / "torture"


@contextmanager
def torture_in_reach() -> Iterator[None]:
    sys.path.insert(0, str(TORTURE))
    try:
        yield
    finally:
        sys.path.remove(str(TORTURE))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "CartPole-v1_1"
    (folder / "CartPole-v1").mkdir(parents=True)
    STOCK["ppo"].save(folder / "CartPole-v1.zip")
    return folder


def of_a_class_by_value(run: Path) -> None:
    from specimens import with_field

    own = type("Own", (ActorCriticPolicy,), {"__module__": "__main__"})
    pickled = base64.b64encode(cloudpickle.dumps(own)).decode()
    path = run / "CartPole-v1.zip"
    field = {":serialized:": pickled}
    path.write_bytes(with_field(path.read_bytes(), "policy_class", field))
    load_agent(run)


def of_another_hash(run: Path) -> None:
    load_agent(run, sha256="0" * 64)


def of_an_environment_that_imports(run: Path) -> None:
    told = "env_kwargs: {base: 'antigravity:X-v0'}\n"
    (run / "CartPole-v1" / "args.yml").write_text(told)
    load_agent(run)


def of_a_folder_with_links(run: Path) -> None:
    (run / ".lock").symlink_to(run / "elsewhere")
    require_own_files(run)


def of_a_file_that_changed(run: Path) -> None:
    write_manifest(run, Manifest("train-source", {}, {}, {}))
    STOCK["ppo"].save(run / "CartPole-v1.zip", seed=1)
    load_agent(run)


def of_a_wrapper_of_its_own(run: Path) -> None:
    (run / "CartPole-v1" / "config.yml").write_text("env_wrapper: mine.Own\n")
    load_agent(run)


def of_what_no_check_foresaw(run: Path) -> None:
    with refuse_unforeseen():
        raise RuntimeError("surprise")


def of_a_log_that_is_no_archive(run: Path) -> None:
    (run / "log.npz").write_bytes(b"no archive")
    read_logged_file(run / "log.npz")


CASES: dict[str, Callable[[Path], Any]] = {
    "class-by-value": of_a_class_by_value,
    "digest": of_another_hash,
    "environment": of_an_environment_that_imports,
    "folder": of_a_folder_with_links,
    "manifest": of_a_file_that_changed,
    "wrapper": of_a_wrapper_of_its_own,
    "malformed": of_what_no_check_foresaw,
    "dataset": of_a_log_that_is_no_archive,
}


@pytest.mark.parametrize("code", sorted(CASES))
def test_each_kind_ends_in_one_line_with_its_remedy(code: str, run: Path) -> None:
    with torture_in_reach(), pytest.raises(Refusal) as refused:
        CASES[code](run)
    assert refused.value.code == code
    assert refused.value.exit_status == 76
    message = str(refused.value)
    assert message.endswith(f"; {REMEDIES[code]}")
    assert message.isprintable()


def test_every_kind_is_met_by_a_file_and_none_is_idle() -> None:
    child = subprocess.run(
        [sys.executable, "-W", "ignore", str(TORTURE), "--parts", "S5"],
        capture_output=True,
        text=True,
        check=True,
    )
    outcomes = json.loads(child.stdout)["outcomes"]
    met = {ending.removeprefix("refused: ") for ending in outcomes}
    assert met | set(CASES) == set(REMEDIES)
    assert not met & set(CASES), "one case is enough"


@pytest.mark.parametrize(
    ("algorithm", "policy", "named"),
    [
        ("RecurrentPPO", "MlpLstmPolicy", "RecurrentActorCriticPolicy"),
        ("MaskablePPO", "MlpPolicy", "MaskableActorCriticPolicy"),
    ],
)
def test_agents_with_a_memory_or_masks_are_refused_by_name(
    algorithm: str, policy: str, named: str, tmp_path: Path
) -> None:
    contrib = pytest.importorskip("sb3_contrib", reason="sb3-contrib is not installed")
    model = getattr(contrib, algorithm)(policy, "CartPole-v1", n_steps=8, batch_size=8)
    model.save(tmp_path / "CartPole-v1.zip")
    with pytest.raises(Refusal, match=f"{named}.*cannot be carried over") as refused:
        load_agent(tmp_path / "CartPole-v1.zip")
    assert refused.value.code == "unsupported"
    assert "use an agent of ppo, a2c" in str(refused.value)
