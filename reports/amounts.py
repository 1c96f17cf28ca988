"""How numbers are written: money, percentages, addresses, and the pads that align a column on its decimal point.

Everything a reader sees goes through here, so that a sentence, a table and a chart cannot write one number in two ways.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

MINUS = "\u2212"
THIN = "\u202f"  # narrow no-break space, between a number and %
FIGURE, POINT = "\u2007", "\u2008"  # spaces as wide as a digit and as a point
UNKNOWN = "not known"

_SMALLEST = 0.005  # of a unit; anything below is shown as "under 0.01"
_UNITS = (
    ("tn", "trillion", 1e12, 999.5e9),
    ("bn", "billion", 1e9, 999.5e6),
    ("m", "million", 1e6, 999_500.0),
    ("k", "thousand", 1e3, 99_999.5),
)
"""Letters, word, US dollars, and the amount from which a sentence uses it: what would round to 1,000 of the next, dollars up to 100,000."""
_COLUMN_FROM = {"bn": 1e11, "tn": 1e14}
"""A column keeps the smaller unit for longer than a sentence does."""
_MOST_FIGURES = 999_500.0
"""Of any unit; above, a number is written with a power of ten, for nobody counts its commas: `7.35e32`."""


@dataclass(frozen=True)
class Money:
    """How the amounts of one page, table or chart are written, by the largest of them: in $, $k, $m, $bn or $tn.

    Attributes
    ----------
    unit, heading : what stands at the head of a column: `$m`, `$ million`.
    usd : US dollars in one unit.
    """

    unit: str
    heading: str
    usd: float

    def column(self, usd: float) -> str:
        """The number alone for a column headed by the unit: `6,120`, `65.5`, `0.62`, `0`, `<0.01`; whole dollars from 100 on."""
        if not math.isfinite(usd):
            return UNKNOWN
        amount = abs(usd) / self.usd
        if 0 < amount < _SMALLEST:
            return "<0.01" if usd > 0 else f"{MINUS}<0.01"
        if self.usd == 1:
            return fixed(usd, 0 if amount >= 100 or amount == 0 else 2)
        return _sign(usd) + (_figures(amount) if amount else "0")

    def words(self, usd: float) -> str:
        """The amount inside a sentence of the page."""
        return money(usd)


def money_for(largest_usd: float) -> Money:
    """The unit for amounts of which this is the largest: thousands from 100,000, millions from a million, billions from a hundred, trillions from a hundred."""
    for letters, word, usd, least in _UNITS:
        if abs(largest_usd) >= _COLUMN_FROM.get(letters, least):
            return Money(f"${letters}", f"$ {word}", usd)
    return Money("$", "$", 1.0)


def money(usd: float) -> str:
    """`$92.67`, `$15,400`, `$154k`, `$65.5m`, `$24.1bn`, `$1.20tn`, `$7.35e32`: the unit by size, from $100k three significant figures; `under $0.01` for less than half a cent."""
    if not math.isfinite(usd):
        return UNKNOWN
    if 0 < abs(usd) < _SMALLEST:
        return f"above {MINUS}$0.01" if usd < 0 else "under $0.01"
    letters, amount = _scaled(usd)
    return f"{_sign(usd)}${amount}{letters}"


def fixed(value: float, decimals: int) -> str:
    """A number with a fixed count of decimals, true minus and thousands commas: inside one chart all numbers have the same."""
    text = f"{abs(value):,.{decimals}f}"
    return _sign(value if float(text.replace(",", "")) else 0.0) + text


def decimals_for(largest: float) -> int:
    """Decimals that give the largest number of a chart or column three significant figures: 0, 1 or 2."""
    return 0 if abs(largest) >= 99.95 else 1 if abs(largest) >= 9.995 else 2


def percent(ratio: float) -> str:
    """`61 %`, `9.7 %`, `0.07 %`; what is not all is never written as 100 %, what is not nothing never as 0 %."""
    if not math.isfinite(ratio):
        return UNKNOWN
    value = abs(ratio) * 100
    value = 100.0 if abs(value - 100) < 1e-10 else value  # what floats leave over
    if 0 < value < 0.00995:
        return f"under 0.01{THIN}%"
    if 99.95 <= value < 100:
        return f"over {_sign(ratio)}99.9{THIN}%"
    decimals = 1 if 99.5 <= value < 100 else 0 if value >= 9.95 or value == 0 else 1 if value >= 0.995 else 2
    return f"{_sign(ratio)}{value:,.{decimals}f}{THIN}%"


def percent_number(ratio: float, decimals: int) -> str:
    """The number alone for a column headed `%`: fixed decimals, `0` for nothing, `<0.01` for less than can be shown."""
    least = 10.0**-decimals
    if 0 < 100 * ratio < 0.995 * least:
        return f"<{least:.{decimals}f}"
    return fixed(100 * ratio, decimals) if ratio else "0"


def change(ratio: float) -> str:
    """A relative change with its sign: `−30 %`, `+2.5 %`, `0 %`; at most one decimal."""
    value = round(abs(ratio) * 100, 1)
    sign = "" if value == 0 else MINUS if ratio < 0 else "+"
    return f"{sign}{value:g}{THIN}%"


def health_factor(value: float) -> str:
    """Three decimals; `none` where there is no debt (infinite or missing)."""
    return f"{value:.3f}" if math.isfinite(value) else "none"


def count(number: int, one: str = "", many: str = "") -> str:
    """`148,212`, or with a noun `1 position`, `148,212 positions`."""
    noun = one if number == 1 else many or f"{one}s"
    return f"{number:,} {noun}" if one else f"{number:,}"


def short(address: str) -> str:
    """`0x3f9a…c41e` for the address inside any key; a text without an address as it is."""
    found = re.search(r"0x[0-9a-fA-F]{40}", address)
    return f"{found[0][:6]}…{found[0][-4:]}" if found else address


def shortened(text: str) -> str:
    """A text with each address in it as `0x3f9a…c41e`."""
    return re.sub(r"0x[0-9a-fA-F]{40}(?![0-9a-fA-F])", lambda found: short(found[0]), text)


def sentence(text: str) -> str:
    """The text with a capital at its beginning: for words of our own alone. What may begin with a name, a path or a symbol stands behind a colon or another word."""
    return text[:1].upper() + text[1:]


_SPELLED = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def spelled(number: int) -> str:
    """`no`, `one` to `ten` in words, larger numbers in figures."""
    return _SPELLED[number] if number < len(_SPELLED) else count(number)


def part_in(ratio: float) -> str:
    """A tiny share as what it is better than: `1 part in 10¹¹`."""
    power = min(18, math.floor(-math.log10(ratio))) if ratio > 0 else 18
    return f"1 part in 10{str(power).translate(_RAISED)}"


def listing(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else list(names))


def unbroken(text: str) -> str:
    """The text with spaces that must not end a line made unbreakable: before a signed change, around a slash."""
    return text.replace(f" {MINUS}", f"\u00a0{MINUS}").replace(" / ", "\u00a0/\u00a0")


def pads(texts: Sequence[str]) -> list[str]:
    """What each number of a column lacks to the right of its last digit, written with zeros: `212` beside `9.71` lacks `.00`."""
    fractions = [match[1] if (match := re.search(r"\.(\d+)\D*$", text)) else "" for text in texts]
    widest = max(map(len, fractions), default=0)
    return [
        ""
        if not widest or not re.search(r"\d", text)
        else "0" * (widest - len(fraction))
        if fraction
        else "." + "0" * widest
        for text, fraction in zip(texts, fractions, strict=True)
    ]


def aligned(texts: Sequence[str]) -> list[str]:
    """The column with spaces as wide as the missing digits behind each number; right-aligned text then meets at the point."""
    return [text + pad.replace("0", FIGURE).replace(".", POINT) for text, pad in zip(texts, pads(texts), strict=True)]


def ratio(part: float, whole: float) -> float:
    """A share; 0 of nothing."""
    return part / whole if whole > 0 else 0.0


def adding_up(parts: Sequence[float], decimals: int) -> list[float]:
    """The parts rounded so that what is printed adds up to the rounded total (largest remainder; ties to the earlier part)."""
    unit = 10.0**-decimals
    exact = [part / unit for part in parts]
    down = [math.floor(value) for value in exact]
    missing = round(math.fsum(exact)) - sum(down)
    order = sorted(range(len(parts)), key=lambda position: (down[position] - exact[position], position))
    for position in order[:missing]:
        down[position] += 1
    return [round(value * unit, decimals) for value in down]


def ticks(largest: float, at_most: int = 6) -> list[float]:
    """Round axis values from 0 to at least `largest`, at most `at_most` of them, steps of 1, 2, 2.5 or 5 times a power of ten."""
    if largest <= 0:
        return [0.0, 1.0]
    raw = largest / (at_most - 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10, 20) if factor * power >= raw * (1 - 1e-9))
    return [round(number * step, 12) for number in range(math.ceil(largest / step - 1e-9) + 1)]


def _scaled(usd: float) -> tuple[str, str]:
    """Letters of the unit, and the number before them."""
    if abs(usd) >= 999.5e12:
        return "", _with_power(abs(usd))
    for letters, _, size, least in _UNITS:
        if abs(usd) >= least:
            return letters, _figures(abs(usd) / size)
    return "", _dollars(abs(usd))


def _dollars(usd: float) -> str:
    return f"{usd:,.0f}" if usd >= 99.995 or usd == 0 else f"{usd:,.2f}"


def _figures(value: float) -> str:
    return _with_power(value) if value >= _MOST_FIGURES else f"{value:,.{decimals_for(value)}f}"


def _with_power(value: float) -> str:
    return f"{value:.2e}".replace("e+", "e")


def _sign(value: float) -> str:
    return MINUS if value < 0 else ""
