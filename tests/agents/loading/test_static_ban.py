"""S7: nothing we ship can run what a file holds."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Count

pytestmark = pytest.mark.torture

_ROOT = Path(__file__).parents[3]
_SHIPPED = ("rltransfer", "envs", "agents", "scripts")
_MODULES = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve"}
_MODULES |= {"marshal", "runpy", "code", "codeop", "imp"}
_NAMES = {"eval", "exec", "compile", "__import__"}
_CALLS = {
    ("torch", "load"),
    ("th", "load"),
    ("yaml", "load"),
    ("yaml", "load_all"),
    ("yaml", "full_load"),
    ("yaml", "unsafe_load"),
    ("importlib", "import_module"),
    ("np", "fromregex"),
    ("jit", "load"),
}
# Stock loaders, whatever they are called on.
_METHODS = {"load_replay_buffer", "load_from_zip_file", "load_from_pkl"}
_STOCK = {"A2C", "BaseAlgorithm", "BasePolicy", "DDPG", "DQN", "PPO", "SAC", "TD3"}
_STOCK |= {"VecNormalize"}


def offences(source: str) -> Iterator[str]:
    """Yields what a page of Python must not do."""
    for node in ast.walk(ast.parse(source)):
        where = f"line {getattr(node, 'lineno', '?')}"
        match node:
            case ast.Import(names=names):
                for name in names:
                    if name.name.partition(".")[0] in _MODULES:
                        yield f"{where}: imports {name.name}"
            case ast.ImportFrom(module=str(module), names=names):
                if module.partition(".")[0] in _MODULES:
                    yield f"{where}: imports from {module}"
                for name in names:
                    if (module, name.name) in _CALLS:
                        yield f"{where}: imports {module}.{name.name}"
            case ast.Name(id=name, ctx=ast.Load()) if name in _NAMES:
                yield f"{where}: uses {name}"
            case ast.Attribute(value=ast.Name(id=owner), attr=attribute):
                if (owner, attribute) in _CALLS:
                    yield f"{where}: uses {owner}.{attribute}"
                if owner in _STOCK and attribute == "load":
                    yield f"{where}: uses {owner}.load"
                if attribute in _METHODS:
                    yield f"{where}: uses {attribute}"
            case ast.keyword(arg="allow_pickle", value=ast.Constant(value=False)):
                pass
            case ast.keyword(arg="allow_pickle"):
                yield f"{where}: allows pickles"
            case ast.keyword(arg="weights_only"):
                yield f"{where}: loads with torch"


def pages() -> list[Path]:
    return sorted(page for room in _SHIPPED for page in (_ROOT / room).rglob("*.py"))


def test_nothing_shipped_runs_what_a_file_holds(count: Count) -> None:
    found = {
        str(page.relative_to(_ROOT)): list(offences(page.read_text()))
        for page in pages()
    }
    hits = sum(len(told) for told in found.values())
    count("S7", pages_read=len(found), hits=hits)
    assert len(found) > 50
    assert {page: told for page, told in found.items() if told} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "import cloudpickle as c",
        "from pickle import loads",
        "from torch import load",
        "torch.load('x')",
        "yaml.load('x')",
        "np.load('x', allow_pickle=True)",
        "np.load('x', allow_pickle=flag)",
        "eval('1')",
        "run = exec",
        "__import__('os')",
        "importlib.import_module('os')",
        "from importlib import import_module",
        "PPO.load('x')",
        "VecNormalize.load('x', envs)",
        "model.load_replay_buffer('x')",
    ],
)
def test_the_ban_has_power(source: str) -> None:
    assert list(offences(source))
