"""Folders put onto the Hugging Face Hub by its own client, in one commit.

The token is the client's business: it finds it where `hf auth login` or `HF_TOKEN` left
it, and no other code here sees it.
"""

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path
from typing import final

from rltransfer.errors import InputError, UserError
from rltransfer_agents.loading.hub import SCHEME, answers_in_time
from rltransfer_agents.loading.refusal import quoted

_REPOSITORY = re.compile(rf"(?:{SCHEME})?([\w.-]+/[\w.-]+)")
_OF_THE_HUB = ".gitattributes"
_LONGER = 3
"""The hub takes longer to answer a commit than a question, by so much at most."""
_LOG_IN = "log in with a token that may write: hf auth login"
_ANSWERS = {
    401: f"the hub does not know the token (401); {_LOG_IN}",
    403: "the hub does not let this account write there (403); name another "
    f"organisation, or {_LOG_IN}",
    404: "there is no such organisation, or the token may not see it (404); check the "
    f"name, or {_LOG_IN}",
    409: "the hub has something there, or is at work on it (409); push again, or "
    "choose another name",
    412: "it was changed at the same time (412); push again",
    429: "the hub asks for patience (429); try again later",
}


def require_repository(name: str) -> str:
    """Returns the name of a repository, `ORGANISATION/NAME`, if it may be one.

    Raises:
        InputError: no repository may have that name, or the client is not installed.
    """
    match = _REPOSITORY.fullmatch(name)
    if match is None:
        raise InputError(
            f"a repository is named ORGANISATION/NAME, got {quoted(name)}; check it"
        )
    if find_spec("huggingface_hub") is None:
        raise InputError(
            "pushing to the hub needs the package huggingface_hub, which is not "
            "installed; install it: pip install 'rltransfer[hub]'"
        )
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(match[1])
    except HFValidationError as fault:
        raise InputError(
            f"no repository of the hub may be called {quoted(match[1])}; check the name"
        ) from fault
    return match[1]


@final
@dataclass(frozen=True)
class Uploaded:
    """Where files are now."""

    url: str
    commit: str
    files: tuple[str, ...]


@final
class Repository:
    """A repository of the hub that files can be put into; looks at it first.

    Args:
        name: as `require_repository` returns it.
        tag: on the card of whatever was put there before; other repositories are
            left alone.
        private: whether a repository that is made for this is; one that is there must
            be.

    Raises:
        InputError: there is no token, or it may not write there, or the hub cannot be
            reached, or the repository holds something else, or is public against wish.
    """

    def __init__(self, name: str, tag: str, private: bool) -> None:
        from huggingface_hub import HfApi, get_token
        from huggingface_hub.errors import RepositoryNotFoundError

        self._name, self._private, self._api = name, private, HfApi()
        self._head: str | None = None
        self._files: frozenset[str] = frozenset()
        with _told_faults(name):
            if get_token() is None:
                raise InputError(
                    "pushing needs a token of the hub, none was found; log in: hf auth "
                    "login, or set HF_TOKEN"
                )
            self._api.whoami()
            try:
                info = self._api.model_info(name)
            except RepositoryNotFoundError:
                return  # made when all is ready
        if private and not info.private:
            raise InputError(
                f"--private is for a repository that is made, {SCHEME}{name} is there "
                "and public; make it private on the hub, or choose another name"
            )
        self._head = info.sha
        files = {file.rfilename for file in info.siblings or ()} - {_OF_THE_HUB}
        if files and tag not in (info.tags or ()):
            raise InputError(
                f"a push never writes over what no push wrote, {SCHEME}{name} holds "
                f"{quoted(min(files))} and no card with the tag {tag}; choose another "
                "name"
            )
        self._files = frozenset(files)

    def put(self, folder: Path, message: str, replaced: Collection[str]) -> Uploaded:
        """Puts all files of a folder there, in one commit.

        Args:
            folder: holds nothing else.
            message: of the commit.
            replaced: patterns of names; what matches there and is not in `folder`
                is removed.

        Raises:
            InputError: the hub refuses or is lost; nothing of the commit is there, or
                all of it.
        """
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        names = {path.relative_to(folder).as_posix(): path for path in paths}
        gone = [
            name
            for name in sorted(self._files - {*names})
            if any(_matches(name, pattern) for pattern in replaced)
        ]
        additions = [CommitOperationAdd(name, path) for name, path in names.items()]
        with _told_faults(self._name, _LONGER):
            if self._head is None:
                self._api.create_repo(self._name, private=self._private or None)
            done = self._api.create_commit(
                self._name,
                [*additions, *map(CommitOperationDelete, gone)],
                commit_message=message,
                # What was looked at is what is written over.
                parent_commit=self._head,
            )
        return Uploaded(f"{self._api.endpoint}/{self._name}", done.oid, tuple(names))


def _matches(name: str, pattern: str) -> bool:
    # A star stands for slashes too, but not where the pattern has none.
    return fnmatchcase(name, pattern) and ("/" in name) <= ("/" in pattern)


@contextmanager
def _told_faults(name: str, patience: int = 1) -> Iterator[None]:
    """Turns what the hub answers into one line, which never holds a token."""
    from huggingface_hub import errors

    # The base is of whichever HTTP client this version of the hub's client builds upon;
    # uploads report all that they meet as a RuntimeError.
    lost: tuple[type[BaseException], ...] = errors.HfHubHTTPError.__bases__[:1]
    lost += (ConnectionError, TimeoutError, RuntimeError)
    try:
        with answers_in_time(patience):
            yield
    except UserError:
        raise
    except errors.HfHubHTTPError as fault:
        status = fault.response.status_code
        answer = _ANSWERS.get(status, f"the hub answered {status}; try later")
        raise InputError(f"{SCHEME}{name}: {answer}") from fault
    except lost as fault:
        raise InputError(
            f"{SCHEME}{name}: the hub cannot be reached, or gives no answer in time "
            "(HF_HUB_DOWNLOAD_TIMEOUT), or the connection broke off; what is there is "
            "whole: push again"
        ) from fault
    except ValueError as fault:
        reason = quoted(str(fault).partition("\n")[0])
        raise InputError(
            f"{SCHEME}{name}: the hub does not take these files ({reason}); nothing "
            "was pushed"
        ) from fault
