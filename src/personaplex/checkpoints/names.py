"""Where models lie: names, directories, hub ids; fetching, and what to say when that fails. Opens no weights."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from personaplex.errors import UserError

BUNDLED = Path(__file__).parent.parent / "models"  # one directory for each bundled model

MOSHI_NAME = "model.safetensors"  # what Kyutai's fields default to
MIMI_NAME = "tokenizer-e351c8d8-checkpoint125.safetensors"
TOKENIZER_NAME = "tokenizer_spm_32k_3.model"


@dataclass(frozen=True)
class NamedModel:
    """A model that has a short name.

    Attributes:
        name: what `--model` takes.
        about: one line on what it is.
        licence: the licence of its weights.
        repo: hub id, or None for a bundled model.
        nbytes: size of a download (0 for a bundled model).
        gated: whether the hub wants a token and an accepted licence.
    """

    name: str
    about: str
    licence: str
    repo: str | None = None
    nbytes: int = 0
    gated: bool = False


NAMED = {
    model.name: model
    for model in (
        NamedModel("nano", "the small model in this package, trained here", "MIT"),
        NamedModel(
            "personaplex-7b-v1",
            "NVIDIA's PersonaPlex: roles and voices",
            "NVIDIA Open Model License",
            repo="nvidia/personaplex-7b-v1",
            nbytes=17_130_000_000,
            gated=True,
        ),
        NamedModel(
            "moshiko",
            "Kyutai's Moshi, male voice, no roles",
            "CC-BY 4.0",
            repo="kyutai/moshiko-pytorch-bf16",
            nbytes=15_760_000_000,
        ),
        NamedModel(
            "moshika",
            "Kyutai's Moshi, female voice, no roles",
            "CC-BY 4.0",
            repo="kyutai/moshika-pytorch-bf16",
            nbytes=15_760_000_000,
        ),
    )
}

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


def locate(name_or_path: str | Path) -> tuple[Path, str | None]:
    """Turn what a user wrote after `--model` into a directory or a hub id.

    A short name wins over a directory of the same name (write `./nano` for that one), a directory over a hub id.

    Returns:
        The directory and None, or an empty path and the hub id.

    Raises:
        UserError: when it is none of these.
    """
    text = str(name_or_path)
    model = NAMED.get(text) if isinstance(name_or_path, str) else None
    if model is not None:
        if model.repo is not None:
            return Path(), model.repo
        directory = BUNDLED / model.name
        if not directory.is_dir():
            raise UserError(f"The bundled model {text!r} is not in this installation; reinstall the package.")
        return directory, None
    path = Path(text).expanduser()
    if path.is_dir():
        return path, None
    if path.is_file():
        raise UserError(f"{text} is a file; give the directory that holds the model's config.json and weights.")
    if _HUB_ID.fullmatch(text) and isinstance(name_or_path, str):
        return Path(), text
    near = difflib.get_close_matches(text, NAMED, n=1)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    raise UserError(
        f"There is no model {text!r}. {hint}"
        f"Give one of {', '.join(NAMED)}, a directory, or a hub id such as nvidia/personaplex-7b-v1."
    )


def fetch(repo: str, patterns: Sequence[str]) -> Path:
    """Bring the files of a hub repository that match `patterns` into the hub's cache; return the snapshot's directory.

    What is cached already is not fetched again, and needs no network. A file appears there only when it is whole.

    Raises:
        UserError: for a missing token, an unaccepted licence, an unknown repository, no network, a full disk.
    """
    try:
        import huggingface_hub  # not at the top: a machine that only trains need not have it
    except ImportError as error:
        raise UserError(f"Fetching {repo} needs the package huggingface_hub: pip install huggingface_hub.") from error
    with _explained(repo):
        return Path(huggingface_hub.snapshot_download(repo, allow_patterns=list(patterns)))


def cached(repo: str) -> Path | None:
    """The directory of a repository in the hub's cache, complete or not; None when nothing of it is there."""
    try:
        import huggingface_hub
    except ImportError:
        return None
    for file in ("config.json", MOSHI_NAME):
        found = huggingface_hub.try_to_load_from_cache(repo, file)
        if isinstance(found, str):
            return Path(found).parent
    return None


def has_token() -> bool:
    """Whether the hub's client has a token, from HF_TOKEN or an earlier login."""
    try:
        import huggingface_hub
    except ImportError:
        return False
    return huggingface_hub.get_token() is not None


@contextmanager
def _explained(repo: str) -> Iterator[None]:
    """Turn the hub's exceptions into sentences."""
    import huggingface_hub
    from huggingface_hub import errors as hub_errors

    page = f"https://huggingface.co/{repo}"
    try:
        yield
    except hub_errors.GatedRepoError as error:
        if huggingface_hub.get_token() is None:
            raise UserError(
                f"The model {repo} needs a Hugging Face token: accept its licence at {page}, "
                "create a token at https://huggingface.co/settings/tokens and set HF_TOKEN to it."
            ) from error
        raise UserError(
            f"Your Hugging Face token may not read {repo} yet: accept its licence at {page} with the same account."
        ) from error
    except hub_errors.RepositoryNotFoundError as error:
        token = "Your HF_TOKEN cannot see it" if huggingface_hub.get_token() else "Private ones need HF_TOKEN"
        raise UserError(
            f"There is no model {repo} on the Hugging Face hub. {token}; check its name at {page}."
        ) from error
    except hub_errors.HFValidationError as error:
        raise UserError(f"{repo!r} is not a hub id; one looks like nvidia/personaplex-7b-v1.") from error
    except hub_errors.LocalEntryNotFoundError as error:
        raise UserError(
            f"The hub cannot be reached and {repo} is not in its cache (or only in part): connect to the network, "
            "or give a directory that holds the model."
        ) from error
    except hub_errors.HfHubHTTPError as error:
        if error.response is not None and error.response.status_code == 401:
            raise UserError("Hugging Face refused your HF_TOKEN: create a new one and set HF_TOKEN to it.") from error
        raise UserError(f"The hub could not deliver {repo} ({_first_line(error)}); try again later.") from error
    except OSError as error:
        raise UserError(f"{repo} could not be stored ({_first_line(error)}); is the disk full?") from error
    except Exception as error:  # the client's transport errors share no base class that all its versions have
        raise UserError(f"Fetching {repo} failed ({_first_line(error)}); check the network and try again.") from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
