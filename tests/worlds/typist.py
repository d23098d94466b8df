"""The command line in one process of its own, with an environment of its own.

Libraries read their variables as they are imported; here they find the test's. One
process takes many commands, since importing takes seconds.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

_ROOT = Path(__file__).parents[2]
_LOOP = """
import json, os, sys
from typer.testing import CliRunner
from rltransfer.cli import app

answers, sys.stdout = sys.stdout, sys.stderr
for line in sys.stdin:
    asked = json.loads(line)
    os.environ.update(asked["variables"])
    found = CliRunner().invoke(app, asked["words"])
    told = [found.exit_code, found.stdout, found.stderr]
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        told[2] += f"Traceback {found.exception!r}"
    print(json.dumps(told), file=answers, flush=True)
"""


@final
class Typist:
    """Types commands into a process.

    Args:
        variables: of the process's environment, beside this one's.
        modules: folder of more modules that it finds.
    """

    def __init__(self, variables: Mapping[str, str], modules: Path) -> None:
        paths = [_ROOT, _ROOT / "envs", _ROOT / "agents", modules]
        found = os.pathsep.join(map(str, paths))
        self._process = subprocess.Popen(
            [sys.executable, "-c", _LOOP],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": found, **variables},
        )

    def __call__(self, *words: object, **variables: str) -> tuple[int, str, str]:
        """Returns exit status, output and errors of one command.

        Args:
            words: of the command.
            variables: that are set from now on.
        """
        asked: dict[str, Any] = {"words": [str(word) for word in words]}
        pipe, answers = self._process.stdin, self._process.stdout
        assert pipe is not None and answers is not None
        pipe.write(json.dumps({**asked, "variables": variables}) + "\n")
        pipe.flush()
        status, output, errors = json.loads(answers.readline())
        return status, output, errors

    def close(self) -> None:
        """Ends the process."""
        with self._process as process:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(120)
