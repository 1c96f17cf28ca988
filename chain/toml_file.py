"""Opens a user's TOML file; what cannot be read is one sentence that names the file and what to do."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chain.errors import InputError


def read_toml(path: Path, what: str, parse_float: Callable[[str], Any] = float) -> dict[str, Any]:
    """The content of a TOML file; `what` it is to be ("a scenario", "a deployments file") stands in the error.

    Raises
    ------
    InputError
        If the file is not there, is no text, or is no TOML; of the last the line is named.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=parse_float)
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist; give {what} as a TOML file") from error
    except IsADirectoryError as error:
        raise InputError(f"{path} is a folder; give {what} as a TOML file") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text; save it as UTF-8") from error
    except OSError as error:
        raise InputError(f"{path} cannot be opened ({error.strerror}); give {what} as a TOML file") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is no valid TOML: {error}") from error
