"""Lengths of time as the command line has them: 1h, 30m, 7d."""

from chain.errors import InputError

UNITS_S = {"m": 60, "h": 3_600, "d": 86_400}


def duration_s(text: str, option: str) -> int:
    """Seconds of `1h`, `30m` or `7d`; InputError names the option."""
    number, unit = text[:-1], text[-1:]
    if unit not in UNITS_S or not number.isdecimal() or int(number) == 0:
        raise InputError(f"{option} is {text!r}; write a length such as 1h, 30m or 7d")
    return int(number) * UNITS_S[unit]
