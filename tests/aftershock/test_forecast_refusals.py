"""Price files with something wrong in them: each is refused with the file, the row, the value and what to do."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import aftershock
from aftershock.forecasting.forecasts import forecast_file
from models.panel import Panel
from tests.aftershock.forecast_inputs import frame_of, put

BAD: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "zero": (lambda f: put(f, f["timestamp"] == f["timestamp"].min(), close=0.0), "close is 0.0; give a finite price"),
    "negative": (lambda f: put(f, f["timestamp"] == f["timestamp"].min(), low=-3.0), "low is -3.0; give a finite"),
    "twice": (
        lambda f: pd.concat([f, f.head(1).assign(close=1.5)]),
        r"row \d+: \w+ has two prices at .*, the other in row \d+; keep",
    ),
    "two volumes": (
        lambda f: pd.concat([f, f.head(1).assign(volume=7e9)]),
        r"row \d+: BTC has two values of volume at 2022-01-01 01:00:00, the other in row 2; keep",
    ),
    "two volumes, the other way round": (
        lambda f: pd.concat([f.head(1).assign(volume=np.nan), f]),
        r"row 3: BTC has two values of volume at 2022-01-01 01:00:00, the other in row 2; keep",
    ),
    "a volume beyond all measure": (
        lambda f: put(f, (f["symbol"] == "LINK") & (f["timestamp"] == f["timestamp"].max()), volume=1e20),
        r"bad.csv row 4320: volume is 1e\+20, and that of LINK is [\d.]+ in the middle; correct it or leave it empty \(1 such row\)",
    ),
    "two moods": (
        lambda f: pd.concat([f.assign(sentiment=1.0), f.head(1).assign(sentiment=2.0)]),
        r"row \d+: BTC has two values of sentiment at",
    ),
    "nameless": (
        lambda f: f.assign(symbol=f["symbol"].replace("AAA", " ")),
        r"row \d+: symbol is empty; name the asset",
    ),
    "shifted": (lambda f: f.assign(timestamp=f["timestamp"] + 600), "no multiple of 3600 s"),
    "millis": (lambda f: f.assign(timestamp=f["timestamp"] * 1000), "is no time between 2009 and 2100"),
    "text": (lambda f: f.assign(timestamp="13th"), "row 2: timestamp is '13th', which is no instant"),
    "slashes": (
        lambda f: f.assign(timestamp="18/08/2023 03:00"),
        "row 2: timestamp is '18/08/2023 03:00', and whether day or month",
    ),
    "dots": (
        lambda f: f.assign(timestamp="08.09.2023 03:00"),
        r"row 2: timestamp is '08\.09\.2023 03:00', and whether day or month",
    ),
    "dashes": (
        lambda f: f.assign(timestamp="08-09-23 03:00"),
        "row 2: timestamp is '08-09-23 03:00', and whether day or month",
    ),
    "no day": (lambda f: f.assign(timestamp="03:00"), "row 2: timestamp is '03:00', which is no instant"),
    "zone in letters": (
        lambda f: f.assign(timestamp="2022-08-09 03:00 EST"),
        "row 2: timestamp is '2022-08-09 03:00 EST', which is no instant",
    ),
    "two closes": (
        lambda f: f.assign(more=1.0).rename(columns={"more": "close"}),
        "bad.csv has 2 columns named close; leave the right one",
    ),
    "swapped": (
        lambda f: f.rename(columns={"high": "low", "low": "high"}),
        r"bad.csv row 2: high is \S+ and low \S+ of BTC; put the larger one under high \(",
    ),
    "crossed": (
        lambda f: put(f, f["timestamp"] == f["timestamp"].max(), low=90.0, high=80.0),
        r"high is 80 and low 90 of BTC; .*\(4 such rows",
    ),
    "book": (lambda f: f.assign(imbalance=2.0), "imbalance is 2.0; give a number from -1 to 1"),
    "spread": (lambda f: f.assign(spread_bps="wide"), "spread_bps is 'wide'; give a number of at least zero"),
    "stray": (
        lambda f: put(f, f["timestamp"] == f["timestamp"].max(), timestamp=4_070_908_800).head(1440),
        r"bad.csv row 1440: BTC has a bar that ends at 2099-01-01 00:00 UTC, 76.8 years after .* 2022-03-01 23:00 UTC, .* 1,439 instants; correct",
    ),
    "daily": (
        lambda f: f[f["timestamp"] % 86_400 == 0],
        "bad.csv has prices 1 d apart, and the models look back on hourly ones",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_cannot_be_used_is_refused_with_the_row_and_what_to_do(
    name: str, panel: Panel, tmp_path: Path
) -> None:
    change, message = BAD[name]
    change(frame_of(panel)).to_csv(tmp_path / "bad.csv", index=False)
    with pytest.raises(aftershock.AftershockError, match=message) as refused:
        forecast_file(tmp_path / "bad.csv", "close")
    assert "bad.csv" in str(refused.value) and "\n" not in str(refused.value)
