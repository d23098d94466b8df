"""What the hub, the network and the disk refuse, said in one line."""

from collections.abc import Iterator
from contextlib import contextmanager

from rltransfer.errors import InputError, StorageError


@contextmanager
def hub_faults(reference: str) -> Iterator[None]:
    """Turns what the hub answers, or the disk refuses, into one line."""
    from huggingface_hub import errors

    # The base is of whichever HTTP client this version of the hub's client builds upon;
    # its faster transport reports all that it meets as a RuntimeError.
    lost: tuple[type[BaseException], ...] = (
        *errors.HfHubHTTPError.__bases__[:1],
        ConnectionError,
        TimeoutError,
        RuntimeError,
    )
    try:
        yield
    except errors.HFValidationError as fault:
        raise InputError(
            f"{reference}: no repository of the hub may have such a name; mend it"
        ) from fault
    except errors.GatedRepoError as fault:
        raise InputError(
            f"{reference} asks for consent first; give it on the hub and log in: "
            "hf auth login"
        ) from fault
    except errors.RevisionNotFoundError as fault:
        raise InputError(
            f"{reference}: there is no such revision; leave it out for the newest"
        ) from fault
    except errors.RepositoryNotFoundError as fault:
        raise InputError(
            f"{reference}: there is no such repository, or it is private; check the "
            "name, or log in: hf auth login"
        ) from fault
    except errors.LocalEntryNotFoundError as fault:
        raise InputError(
            f"{reference} is not in the cache and the hub cannot be reached; connect, "
            "or pass the path of a file"
        ) from fault
    except errors.HfHubHTTPError as fault:
        raise InputError(
            f"{reference}: the hub answered {fault.response.status_code}; try later"
        ) from fault
    except lost as fault:
        raise _broken_off(reference) from fault
    except OSError as fault:
        if fault.errno is None:  # a download that came out too short
            raise _broken_off(reference) from fault
        raise StorageError(
            f"{reference}: the hub's cache cannot be written ({fault.strerror}); make "
            "room or mend it, or name another folder in HF_HOME"
        ) from fault


def _broken_off(reference: str) -> InputError:
    return InputError(
        f"{reference}: the connection to the hub broke off; try again, or pass the "
        "path of a file"
    )
