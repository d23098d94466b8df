"""`push` onto a stand-in hub, by the hub's own client, and back by `hf://`."""

import json
import shutil
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import yaml
from stable_baselines3 import PPO

import rltransfer
from rltransfer.domain import Domain
from rltransfer.translation import MappedPolicy
from rltransfer.translation.altered_translations import opposite
from tests.effort import QUICK
from tests.worlds.logs import columns_of
from tests.worlds.stand_in_hub import TOKEN, Repo, StandIn, stand_in_hub, variables_of
from tests.worlds.typist import Typist

from .conftest import REPORTED, call

pytest.importorskip("huggingface_hub", reason="the extra hub is not installed")
pytest.importorskip("imageio_ffmpeg", reason="the extra hub is not installed")

_FILES = {
    *("README.md", "args.yml", "config.yml", "env_kwargs.yml", "results.json"),
    *("replay.mp4", "train_eval_metrics.zip"),
}
_OF_PPO = {"ppo-CartPole-v1.zip", "ppo-CartPole-v1.safetensors"}
PLAIN = """
import gymnasium as gym
from gymnasium.envs.classic_control import CartPoleEnv

def make(render_mode=None):
    return CartPoleEnv()

gym.register("Plain-v0", make, max_episode_steps=20)
"""
"""A module with an environment that renders nothing."""
SHORT = ("--target-kwargs", "max_episode_steps=20")
FORCED = ("--force", "--json")
"""In 20 steps nobody is better than random actions: such mappings are refused."""


@pytest.fixture(scope="module")
def hub() -> Iterator[StandIn]:
    with stand_in_hub() as hub:
        yield hub


@pytest.fixture
def misbehaving(hub: StandIn) -> Iterator[StandIn]:
    """The hub, which behaves again afterwards."""
    yield hub
    hub.refused.clear()
    hub.cut.clear()
    hub.silent.clear()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hf")


@pytest.fixture(scope="module")
def typist(hub: StandIn, home: Path) -> Iterator[Typist]:
    (home / "our_plain.py").write_text(PLAIN)
    typist = Typist(
        {**variables_of(hub), "HF_HOME": str(home)},
        modules=home,
    )
    yield typist
    typist.close()


def answered(found: tuple[int, str, str]) -> Any:
    status, output, errors = found
    assert status == 0, errors
    return json.loads(output)


def refused(found: tuple[int, str, str], status: int = 2) -> str:
    """Returns the one line of a refusal."""
    assert found[0] == status, found
    (line,) = [one for one in found[2].splitlines() if one]
    assert line.startswith("error: ") and TOKEN not in line
    return line


def logged_in(folder: Path) -> Path:
    """Returns a log of random steps in the target of `SHORT`."""
    env = gym.make("CartPole-v1", max_episode_steps=20)
    np.savez(folder / "log.npz", **columns_of(env, 300))
    return folder / "log.npz"


@pytest.fixture(scope="module")
def transfer(agent: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    words = ("--target", "CartPole-v1", *SHORT, "-n", 600, *REPORTED)
    words += ("--target-data", logged_in(folder))
    found = call("transfer", "--source", agent, *words, "-f", folder, "--json")
    assert found.exit_status == 0, found.errors
    return Path(found.json["run"])


@pytest.fixture(scope="module")
def learned(agent: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A transfer of which a model came out: its mapping was turned to the worst."""

    def turned(policy: MappedPolicy, target: Domain) -> MappedPolicy:
        del target
        return opposite(policy)

    found = rltransfer.transfer(
        agent,
        "CartPole-v1",
        target_kwargs={"max_episode_steps": 50},
        steps=1_100,
        improve=True,
        alignment_steps=500,
        threshold=45.0,
        # Else the turned mapping would be fitted anew, and come out.
        hyperparams={**QUICK, "without": "refitted"},
        weak_source=True,
        log_folder=tmp_path_factory.mktemp("learned"),
        evaluations=2,
        alter=turned,
        report=False,
    )
    assert found.student is not None
    return found.folder


@pytest.fixture(scope="module")
def pushed(agent: Path, hub: StandIn, typist: Typist) -> dict[str, Any]:
    told = answered(typist("push", agent, "me/ppo-CartPole-v1", "--json"))
    assert isinstance(told, dict)
    return told


def front_of(repo: Repo) -> dict[str, Any]:
    front: dict[str, Any] = yaml.safe_load(
        repo.files["README.md"].decode().split("---\n")[1]
    )
    return front


def test_a_training_is_there_as_the_zoo_has_its_agents(
    agent: Path, hub: StandIn, pushed: dict[str, Any]
) -> None:
    repo = hub.repos["me/ppo-CartPole-v1"]
    assert {*pushed["files"]} == {*repo.files} == _FILES | _OF_PPO
    assert pushed["commit"] == repo.sha and not repo.private
    assert pushed["url"] == f"{hub.url}/me/ppo-CartPole-v1"
    # What evaluations chose is what acts, here and there.
    best = (agent / "best_model.zip").read_bytes()
    assert repo.files["ppo-CartPole-v1.zip"] == best
    assert yaml.safe_load(repo.files["args.yml"])["env"] == "CartPole-v1"
    assert yaml.safe_load(repo.files["env_kwargs.yml"]) == {}
    config = (agent / "CartPole-v1" / "config.yml").read_bytes()
    assert yaml.safe_load(repo.files["config.yml"]) == yaml.safe_load(config)
    assert b"ftyp" in repo.files["replay.mp4"][:12]


def test_its_card_is_by_the_conventions_of_the_hub(
    hub: StandIn, pushed: dict[str, Any]
) -> None:
    repo = hub.repos["me/ppo-CartPole-v1"]
    front, results = front_of(repo), json.loads(repo.files["results.json"])
    assert front["library_name"] == "stable-baselines3"
    assert {
        *("CartPole-v1", "deep-reinforcement-learning", "reinforcement-learning"),
        "stable-baselines3",
    } <= {*front["tags"]}
    (model,) = front["model-index"]
    (result,) = model["results"]
    assert model["name"] == "PPO"
    assert result["task"]["type"] == "reinforcement-learning"
    assert result["dataset"] == {"type": "CartPole-v1", "name": "CartPole-v1"}
    (metric,) = result["metrics"]
    told = f"{results['mean_reward']:.2f} +/- {results['std_reward']:.2f}"
    assert metric["type"] == "mean_reward"
    assert metric["value"] == told == pushed["mean_reward"]


def test_a_training_comes_back_equal(
    agent: Path,
    hub: StandIn,
    typist: Typist,
    pushed: dict[str, Any],
    tmp_path: Path,
) -> None:
    there, here = (
        answered(typist("evaluate", path, "--json"))
        for path in ("hf://me/ppo-CartPole-v1", agent)
    )
    assert there["returns"] == here["returns"]
    assert (there["env"], there["env_kwargs"]) == (here["env"], here["env_kwargs"])
    assert f"{there['mean_return']:.2f} " in pushed["mean_reward"]
    # The zip opens by Stable-Baselines3, the bundle is the same policy.
    files = hub.repos["me/ppo-CartPole-v1"].files
    for name in _OF_PPO:
        (tmp_path / name).write_bytes(files[name])
    rows = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    plain = PPO.load(tmp_path / "ppo-CartPole-v1.zip", device="cpu")
    bundle = rltransfer.load_agent(tmp_path / "ppo-CartPole-v1.safetensors")
    for policy in (plain, bundle):
        chosen = policy.predict(rows, deterministic=True)[0]
        own = rltransfer.load_agent(agent).predict(rows, deterministic=True)[0]
        np.testing.assert_array_equal(chosen, own)


def test_its_curves_are_where_the_zoo_looks_for_them(
    agent: Path, hub: StandIn, pushed: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "metrics.zip"
    path.write_bytes(hub.repos["me/ppo-CartPole-v1"].files["train_eval_metrics.zip"])
    with zipfile.ZipFile(path) as metrics:
        assert {*metrics.namelist()} == {"0.monitor.csv", "evaluations.npz"}
        kept = metrics.read("evaluations.npz")
    assert kept == (agent / "evaluations.npz").read_bytes()


@pytest.mark.usefixtures("pushed")
def test_no_token_and_no_folder_of_this_machine_travels(
    agent: Path, transfer: Path, hub: StandIn, typist: Typist, home: Path
) -> None:
    answered(typist("push", transfer, "me/places", *FORCED))
    repos = [hub.repos[name] for name in ("me/ppo-CartPole-v1", "me/places")]
    # The page has the command as it was typed.
    contents = [
        data
        for repo in repos
        for name, data in repo.files.items()
        if name != "report.html"
    ]
    for secret in (TOKEN, str(agent.parents[2]), str(transfer.parents[2])):
        assert not any(secret.encode() in data for data in contents)
    kept = [path.read_bytes() for path in home.rglob("*") if path.is_file()]
    assert kept and not any(TOKEN.encode() in data for data in kept)


def test_a_mapped_policy_comes_back_equal(
    transfer: Path, hub: StandIn, typist: Typist
) -> None:
    told = answered(typist("push", transfer, "me/mapped", "--private", *FORCED))
    repo, record = (
        hub.repos["me/mapped"],
        json.loads((transfer / "transfer.json").read_text()),
    )
    assert repo.private and told["notes"] == []
    own = {name for name in repo.files if not name.startswith("transfer/")}
    assert own == {"README.md", "replay.mp4", "report.html", "results.json"}
    log, page = str(transfer.parents[1] / "log.npz"), repo.files["report.html"]
    written = (transfer / "report.html").read_bytes()
    assert log.encode() in written and log.encode() not in page
    assert page == written.replace(log.encode(), b"log.npz")
    bundle = (transfer / "source" / "agent.safetensors").read_bytes()
    assert repo.files["transfer/source/agent.safetensors"] == bundle
    zero_shot = record["zero_shot"]
    asked = ("--seed", record["report_seed"], "--episodes", zero_shot["episodes"])
    there = answered(typist("evaluate", "hf://me/mapped", *asked, "--json"))
    assert there["returns"] == zero_shot["returns"]
    assert there["env_kwargs"] == {"max_episode_steps": 20}
    described = answered(typist("inspect", "hf://me/mapped", "--json"))
    assert described["kind"] == "transfer" and described["changed"] == []
    card = repo.files["README.md"].decode()
    assert " ".join(("rltransfer evaluate hf://me/mapped", *_reversed(asked))) in card
    for said in (
        record["verdict"],
        f"{record['target_steps']:,} of 600",
        f"logged steps: 300 in {record['target_data']['episodes']} episodes of log.npz",
        "## Transferred from",
        "ppo CartPole-v1",
    ):
        assert said in card
    assert "transfer-learning" in front_of(repo)["tags"]


def _reversed(asked: tuple[object, ...]) -> list[str]:
    seed, episodes = asked[:2], asked[2:]
    return [str(word) for word in (*episodes, *seed)]


def test_a_student_is_an_agent_and_its_mapped_policy_lies_beside_it(
    learned: Path, hub: StandIn, typist: Typist, tmp_path: Path
) -> None:
    record = json.loads((learned / "transfer.json").read_text())
    answered(typist("push", learned, "me/student", "--json"))
    repo, name = hub.repos["me/student"], f"{record['student_algo']}-CartPole-v1"
    assert {f"{name}.zip", f"{name}.safetensors", "config.yml"} <= {*repo.files}
    assert repo.files[f"{name}.zip"] == Path(record["student"]).read_bytes()
    improved = record["improved"]
    asked = ("--seed", record["report_seed"], "--episodes", improved["episodes"])
    there = answered(typist("evaluate", "hf://me/student", *asked, "--json"))
    assert there["returns"] == improved["returns"]
    assert front_of(repo)["model-index"][0]["name"] == record["student_algo"].upper()
    assert record["learning_verdict"] in repo.files["README.md"].decode()
    # What it was learned from acts where its folder is.
    for file, data in repo.files.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(data)
    mapped = call("evaluate", tmp_path / "transfer", *asked, "--json").json
    assert mapped["returns"] == record["zero_shot"]["returns"]


def test_a_transfer_from_the_hub_names_its_repository(
    hub: StandIn, typist: Typist, pushed: dict[str, Any], tmp_path: Path
) -> None:
    words = ("--target", "CartPole-v1", *SHORT, "-n", 600, *REPORTED)
    source = ("--source", "hf://me/ppo-CartPole-v1")
    run = answered(typist("transfer", *source, *words, "-f", tmp_path, "--json"))["run"]
    answered(typist("push", run, "me/again", *FORCED))
    repo = hub.repos["me/again"]
    assert front_of(repo)["base_model"] == "me/ppo-CartPole-v1"
    place = f"hf://me/ppo-CartPole-v1@{pushed['commit']}"
    assert place in repo.files["README.md"].decode()
    assert json.loads(repo.files["transfer/manifest.json"])["settings"]["source"] == (
        place
    )
    # And a transfer from what was pushed acts through both.
    source = ("--source", "hf://me/again")
    told = answered(typist("transfer", *source, *words, "-f", tmp_path, "--json"))
    here = call("evaluate", told["run"], "--seed", told["report_seed"], "--json").json
    assert here["returns"] == told["zero_shot"]["returns"]
    answered(typist("push", told["run"], "me/chain", *FORCED))
    asked = ("--seed", told["report_seed"], "--json")
    there = answered(typist("evaluate", "hf://me/chain", *asked))
    assert there["returns"] == told["zero_shot"]["returns"]


def test_a_second_push_leaves_nothing_of_the_first(
    agent: Path, transfer: Path, hub: StandIn, typist: Typist
) -> None:
    answered(typist("push", agent, "me/changing", "--json"))
    repo = hub.repos["me/changing"]
    repo.files["LICENSE"] = b"by hand"
    answered(typist("push", transfer, "me/changing", *FORCED))
    assert not _OF_PPO & {*repo.files}
    assert repo.files["LICENSE"] == b"by hand"
    assert len(repo.commits) == 2
    assert answered(typist("inspect", "hf://me/changing", "--json"))["kind"] == (
        "transfer"
    )


def test_what_no_push_wrote_is_left_alone(
    agent: Path, hub: StandIn, typist: Typist
) -> None:
    hub.repos["me/thesis"] = Repo(files={"README.md": b"mine", "thesis.tex": b""})
    line = refused(typist("push", agent, "me/thesis"))
    assert "hf://me/thesis holds 'README.md' and no card with the tag" in line
    assert hub.repos["me/thesis"].commits == []


def test_a_public_repository_takes_nothing_private(
    agent: Path, hub: StandIn, typist: Typist
) -> None:
    hub.repos["me/seen"] = Repo()
    line = refused(typist("push", agent, "me/seen", "--private"))
    assert "hf://me/seen is there and public; make it private on the hub" in line
    assert hub.repos["me/seen"].commits == []
    hub.repos["me/seen"].private = True
    answered(typist("push", agent, "me/seen", "--private", "--json"))
    assert len(hub.repos["me/seen"].commits) == 1


@pytest.mark.parametrize(
    ("place", "status", "said"),
    [
        ("whoami", 401, "the hub does not know the token (401); log in with a token"),
        ("repos/create", 403, "does not let this account write there (403)"),
        ("commit", 403, "does not let this account write there (403)"),
        ("commit", 412, "it was changed at the same time (412); push again"),
        ("whoami", 500, "the hub answered 500; try later"),
    ],
)
def test_a_hub_that_refuses_is_told_and_nothing_is_there(
    agent: Path,
    misbehaving: StandIn,
    typist: Typist,
    place: str,
    status: int,
    said: str,
) -> None:
    misbehaving.refused[place] = status
    line = refused(typist("push", agent, "me/refused"))
    assert line.startswith("error: hf://me/refused: ") and said in line
    assert misbehaving.repos.get("me/refused", Repo()).files == {}


@pytest.mark.parametrize("place", ["whoami", "commit"])
def test_a_connection_that_is_cut_is_told_and_nothing_is_half_there(
    agent: Path, misbehaving: StandIn, typist: Typist, place: str
) -> None:
    misbehaving.cut.add(place)
    line = refused(typist("push", agent, "me/cut"))
    assert "connection broke off; what is there is whole: push again" in line
    assert misbehaving.repos.get("me/cut", Repo()).files == {}
    misbehaving.cut.clear()
    answered(typist("push", agent, "me/cut", "--json"))
    assert _OF_PPO < {*misbehaving.repos.pop("me/cut").files}


def test_a_hub_that_never_answers_is_not_waited_for(
    agent: Path, misbehaving: StandIn, home: Path
) -> None:
    hurried = {**variables_of(misbehaving), "HF_HUB_DOWNLOAD_TIMEOUT": "1"}
    typist = Typist({**hurried, "HF_HOME": str(home)}, modules=home)
    try:
        for place in ("whoami", "models/me/mute"):
            misbehaving.silent = {place}
            line = refused(typist("push", agent, "me/mute"))
            assert "gives no answer in time (HF_HUB_DOWNLOAD_TIMEOUT)" in line
            assert misbehaving.repos.get("me/mute", Repo()).files == {}
    finally:
        typist.close()


def test_a_wrong_token_is_told_and_not_shown(
    agent: Path, hub: StandIn, typist: Typist
) -> None:
    try:
        line = refused(typist("push", agent, "me/wrong", HF_TOKEN="hf_wrong"))
        assert "does not know the token (401)" in line and "hf_wrong" not in line
        line = refused(typist("push", agent, "me/wrong", HF_TOKEN=""))
        assert "needs a token of the hub, none was found; log in: hf auth login" in line
    finally:
        typist("--version", HF_TOKEN=TOKEN)
    assert "me/wrong" not in hub.repos


def test_a_token_that_login_kept_is_found(
    agent: Path, hub: StandIn, typist: Typist, home: Path
) -> None:
    (home / "token").write_text(TOKEN)
    try:
        answered(typist("push", agent, "me/kept", "--json", HF_TOKEN=""))
    finally:
        (home / "token").unlink()
        typist("--version", HF_TOKEN=TOKEN)
    assert _OF_PPO < {*hub.repos["me/kept"].files}


def test_a_wrong_name_or_run_is_told_before_the_hub_is_asked(
    agent: Path,
    transfer: Path,
    learned: Path,
    hub: StandIn,
    typist: Typist,
    tmp_path: Path,
) -> None:
    unfinished = tmp_path / "unfinished"
    shutil.copytree(agent, unfinished)
    (unfinished / "manifest.json").unlink()
    changed = tmp_path / "CartPole-v1_1"
    shutil.copytree(agent, changed)
    (changed / "evaluations.npz").write_bytes(b"")
    linked = tmp_path / "linked" / "CartPole-v1_1"
    shutil.copytree(agent, linked)
    (linked / "notes").symlink_to(tmp_path)
    student = next(learned.glob("student/*/*"))
    words = ("--target", "CartPole-v1", *SHORT, "-n", 0, *REPORTED)
    words += ("--target-data", logged_in(tmp_path), "-f", tmp_path, "--json")
    untried = Path(call("transfer", "--source", agent, *words).json["run"])
    asked = len(hub.asked)
    for words, status, said in (
        ((agent, "nobody"), 2, "is named ORGANISATION/NAME, got 'nobody'; check it"),
        ((agent, "a/b/c"), 2, "is named ORGANISATION/NAME, got 'a/b/c'"),
        ((agent, "me/a..b"), 2, "no repository of the hub may be called 'me/a..b'"),
        ((tmp_path / "none", "me/x"), 2, "is not there; name one such as"),
        ((agent / "manifest.json", "me/x"), 2, "is a file; name one such as"),
        ((unfinished, "me/x"), 2, "has no manifest.json; finish it with --resume"),
        (("hf://me/x", "me/x"), 2, "takes a run from this disk"),
        ((student, "me/x"), 2, "name the folder of the transfer itself"),
        ((linked, "me/x"), 76, "holds plain files"),
        ((untried, "me/x"), 2, "was never tried; transfer with -n steps"),
        ((transfer, "me/x"), 2, "was refused; transfer with more -n or with --improve"),
        ((agent, "me/x", "--force"), 2, "is of a training; leave it out"),
        ((agent, "me/x", "--env", "Acrobot-v1"), 2, "CartPole-v1, got 'Acrobot-v1'"),
    ):
        assert said in refused(typist("push", *words), status)
    assert len(hub.asked) == asked
    line = refused(typist("push", changed, "me/x"), 76)
    assert "evaluations.npz in" in line and "is gone or changed; restore it" in line
    assert "me/x" not in hub.repos


def test_a_missing_extra_is_named(agent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    missing = call("push", agent, "me/x")
    assert missing.exit_status == 2
    assert "install it: pip install 'rltransfer[hub]'" in missing.error


def test_an_environment_of_a_module_is_named_again_and_may_not_render(
    hub: StandIn, typist: Typist, tmp_path: Path
) -> None:
    env = "our_plain:Plain-v0"
    words = ("--env", env, "-n", 256, "-f", tmp_path, "--json")
    run = answered(typist("train-source", *words))["runs"][0]["run"]
    line = refused(typist("push", run, "me/plain"))
    assert "is not registered; pass --env with the environment" in line
    told = answered(typist("push", run, "me/plain", "--env", env, "--json"))
    assert told["notes"] == ["no replay.mp4: the environment renders no pictures"]
    assert "replay.mp4" not in hub.repos["me/plain"].files
