"""Makes an agent trained in one environment useful in another.

    result = rltransfer.transfer("runs/ppo/CartPole-v1_1", target="Acrobot-v1")
    print(result)

The functions here are what most people need; the packages below hold the rest, such as
`rltransfer.mapping` for the mapping core and `rltransfer.alignment` for the method.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

if TYPE_CHECKING:
    from rltransfer.workflows.adaptation import load_adaptive
    from rltransfer.workflows.benchmark import benchmark
    from rltransfer.workflows.demo import demo
    from rltransfer.workflows.evaluate import evaluate
    from rltransfer.workflows.explain import explain
    from rltransfer.workflows.export import export
    from rltransfer.workflows.inspect import inspect
    from rltransfer.workflows.match import match
    from rltransfer.workflows.meta_train import meta_train
    from rltransfer.workflows.policy_loading import load_agent
    from rltransfer.workflows.push import push
    from rltransfer.workflows.train_source import train_source
    from rltransfer.workflows.transfer import transfer

__all__ = [
    "benchmark",
    "demo",
    "evaluate",
    "explain",
    "export",
    "inspect",
    "load_adaptive",
    "load_agent",
    "match",
    "meta_train",
    "push",
    "train_source",
    "transfer",
]


def __getattr__(name: str) -> Any:
    # What they import takes seconds, and much of the package is used without them.
    match name:
        case "benchmark":
            from rltransfer.workflows.benchmark import benchmark

            return benchmark
        case "demo":
            from rltransfer.workflows.demo import demo

            return demo
        case "evaluate":
            from rltransfer.workflows.evaluate import evaluate

            return evaluate
        case "explain":
            from rltransfer.workflows.explain import explain

            return explain
        case "export":
            from rltransfer.workflows.export import export

            return export
        case "inspect":
            from rltransfer.workflows.inspect import inspect

            return inspect
        case "match":
            from rltransfer.workflows.match import match

            return match
        case "meta_train":
            from rltransfer.workflows.meta_train import meta_train

            return meta_train
        case "load_adaptive":
            from rltransfer.workflows.adaptation import load_adaptive

            return load_adaptive
        case "load_agent":
            from rltransfer.workflows.policy_loading import load_agent

            return load_agent
        case "push":
            from rltransfer.workflows.push import push

            return push
        case "train_source":
            from rltransfer.workflows.train_source import train_source

            return train_source
        case "transfer":
            from rltransfer.workflows.transfer import transfer

            return transfer
        case _:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
