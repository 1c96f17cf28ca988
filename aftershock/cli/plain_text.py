"""Output for terminals and pipes that do not take every letter (ASCII, Latin-1): signs have a plain equivalent, and nothing breaks off."""

import codecs
import sys
import unicodedata

NAME = "aftershock_plain"
_EQUIVALENTS = {
    "─": "-", "━": "=", "╸": "-", "✓": "+", "×": "x", "●": "*", "−": "-", "–": "-", "…": "...", "→": "->", "·": ".",
    "“": '"', "”": '"', "‘": "'", "’": "'", "≤": "<=", "≥": ">=", "≈": "~", "\u2007": " ", "\u2008": " ", "\u202f": " ", "\u00a0": " ",
}  # fmt: skip


def encode_what_can_be() -> None:
    """Let standard output and error keep their encoding, and write what it lacks in plain signs instead of failing."""
    codecs.register_error(NAME, _instead)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=NAME)


def takes_all(encoding: str | None) -> bool:
    """Whether an encoding has every letter."""
    try:
        return encoding is None or codecs.lookup(encoding).name.startswith("utf")
    except LookupError:
        return False


def _instead(error: UnicodeError) -> tuple[str, int]:
    """What stands for the letters that could not be encoded, and where encoding goes on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_plain, error.object[error.start : error.end])), error.end


def _plain(letter: str) -> str:
    """One letter in ASCII: its equivalent, what it is without accents or raised, or a question mark."""
    letters = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    return _EQUIVALENTS.get(letter) or letters or "?"
