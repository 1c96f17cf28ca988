"""Debt at risk of the stETH accounts against the price of ether and a depeg of stETH, with and without the impact of forced sales.

    python -m tests.real.steth_stress          writes docs/results/steth-june-2023.md, .csv and .svg

Stable coins and debts that the source does not list keep their dollars, everything else falls with ether. With impact: every account below
1 is liquidated once for half of its debt, its stETH is sold for ether and the ether for dollars, the marginal prices after the sale are the
new prices (nobody outside buys), and more accounts may fall below 1; this repeats until nobody does. The least fixed point of that map.
The impact on stETH and the impact on ether are switched on one after the other: ether trades in a world much larger than these venues.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from chain.files.event_files import read_depth
from chain.files.frames import file_hash
from reports.charts.svg import Plane, frame, line, text
from tests.real.files import DATA
from tests.real.line_ends import headed, named_ends
from tests.real.steth_book import FILES, FOLDER, Account, accounts, rebuild

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "docs" / "results"
QUOTES = "dex-quotes-oneinch-crvusd/oneinch_quotes.csv.gz"
WSTETH, WETH, USDC = (
    "0x7f39c581f595b53c5cb19bd0b3f8da6c935e2ca0",
    "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2",
    "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48",
)
"""The tokens of the quotes: pool_metadata files of the same folder name them."""
CLOSE_FACTOR, BONUS = 0.5, 0.075
FALLS = tuple(percent / 100 for percent in range(0, 65, 5))
DEPEGS = (0.0, 0.05, 0.10, 0.20)
BINS = 14
SOLD = "stETH and ether"
"""The impact of sales on both."""
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Depth:
    """Average impact of selling an amount, as a rising curve in logarithms through the medians of quotes.

    Beyond the largest quote nothing is known: the last marginal price is kept, so that what follows from it is a lower bound of the harm.
    """

    amounts: FloatArray
    impacts: FloatArray

    def marginal_price(self, amount: float) -> float:
        """Price of the last unit of a sale, 1 being the price of the first; never below 0."""
        if amount <= 0:
            return 1.0
        amount = min(amount, float(self.amounts[-1]))
        x, y = np.log(self.amounts), np.log(self.impacts)
        at = int(np.clip(np.searchsorted(x, np.log(amount)), 1, len(x) - 1))
        slope = (y[at] - y[at - 1]) / (x[at] - x[at - 1])
        average = float(np.exp(y[at - 1] + slope * (np.log(amount) - x[at - 1])))
        return float(max(0.0, 1.0 - average * (1.0 + slope)))


def depth(quotes: pd.DataFrame) -> Depth:
    """The curve of one pair; amounts in whole tokens, `price` of the smallest quotes is 1."""
    first = (quotes["amount_out"] / quotes["amount_in"]).max()
    impact = (1 - quotes["amount_out"] / quotes["amount_in"] / first).clip(lower=1e-6)
    size = np.log(quotes["amount_in"])
    place = pd.cut(size, BINS, labels=False)
    amounts, impacts = np.exp(size.groupby(place).median()), impact.groupby(place).median()
    rising = np.maximum.accumulate(impacts.to_numpy())
    return Depth(amounts.to_numpy(), rising * (1 + 1e-9 * np.arange(len(rising))))


def depth_file(target: Path, source: Path = DATA / QUOTES) -> None:
    """The source's quotes in the columns of our depth files: stETH for ether, ether for USDC.

    Quotes of a day are restated at one price: amount_out is amount_in at the pair's median price less the source's own price_impact.
    One wstETH counts as so much stETH as its median price in ether (it wraps about 1.147).
    """
    table = pd.read_csv(source)
    rows = []
    for sold, bought, names, unit in ((WSTETH, WETH, ("stETH", "ETH"), 1e18), (WETH, USDC, ("ETH", "USDC"), 1e18)):
        mine = table[(table["src"] == sold) & (table["dst"] == bought)]
        wrapped = float(mine["price"].median()) if sold == WSTETH else 1.0
        price = 1.0 if sold == WSTETH else float(mine["price"].median()) * 1e12
        amount = mine["in_amount"] / unit * wrapped
        rows.append(
            pd.DataFrame(
                {
                    "sold_asset": names[0],
                    "bought_asset": names[1],
                    "amount_in": amount,
                    "amount_out": amount * price * (1 - mine["price_impact"]),
                }
            )
        )
    pd.concat(rows).to_csv(target, index=False)


@dataclass(frozen=True)
class Arrays:
    """Legs of all accounts as arrays; values in ether at the block."""

    account: npt.NDArray[np.int64]
    value: FloatArray
    limit: FloatArray
    is_debt: npt.NDArray[np.bool_]
    is_steth: npt.NDArray[np.bool_]
    in_dollars: npt.NDArray[np.bool_]
    steth_price: float
    eth_usd: float
    size: int


def arrays(book: Sequence[Account]) -> Arrays:
    """The book for many shocks; ether in dollars is the inverse of the source's USDC price in ether."""
    legs = [(number, *leg) for number, one in enumerate(book) for leg in one.legs]
    names = [leg[1] for leg in legs]
    price = next(leg[4] for leg in legs if leg[1] == "stETH")
    usdc = next(leg[4] for leg in legs if leg[1] == "usdc")
    follows_ether = {"stETH", "weth", "wbtc"}
    return Arrays(
        np.array([leg[0] for leg in legs]),
        np.array([leg[3] * leg[4] for leg in legs]),
        np.array([leg[5] for leg in legs]),
        np.array([leg[2] == "debt" for leg in legs]),
        np.array([name == "stETH" for name in names]),
        np.array([name not in follows_ether and not name.startswith("other:") for name in names]),
        price,
        1 / usdc,
        len(book),
    )


@dataclass(frozen=True)
class Point:
    """One shock and what it does; USD at the prices after it. `beyond_quotes` says that more is sold than the largest quote."""

    fall: float
    depeg: float
    impact: str
    debt_at_risk_usd: float
    accounts: int
    bad_debt_usd: float
    sold_steth: float
    steth_in_eth: float
    eth_usd: float
    beyond_quotes: bool


def stress(held: Arrays, fall: float, depeg: float, steth: Depth | None = None, ether: Depth | None = None) -> Point:
    """One shock; a price is moved by sales where its depth is given."""
    sold_steth, sold_ether, steth_factor, ether_factor = 0.0, 0.0, 1 - depeg, 1 - fall
    while True:
        value = held.value * np.where(held.is_steth, steth_factor, 1.0) / np.where(held.in_dollars, ether_factor, 1.0)
        sums = {
            name: np.bincount(held.account, weights=np.where(mask, value * weight, 0.0), minlength=held.size)
            for name, mask, weight in (
                ("debt", held.is_debt, 1.0),
                ("collateral", ~held.is_debt, 1.0),
                ("weighted", ~held.is_debt, held.limit),
                ("steth", held.is_steth & ~held.is_debt, 1.0),
                ("dollar debt", held.is_debt & held.in_dollars, 1.0),
            )
        }
        below = (sums["weighted"] < sums["debt"]) & (sums["debt"] > 0)
        taken = np.minimum(sums["steth"], CLOSE_FACTOR * (1 + BONUS) * sums["debt"])[below]
        share = np.divide(sums["dollar debt"], sums["debt"], out=np.zeros(held.size), where=sums["debt"] > 0)[below]
        next_steth = max(sold_steth, float(taken.sum() / (held.steth_price * steth_factor)))
        next_ether = max(sold_ether, float((taken * share).sum()))
        calm = next_steth <= sold_steth * (1 + 1e-9) and next_ether <= sold_ether * (1 + 1e-9)
        sold_steth, sold_ether = next_steth, next_ether
        if calm:
            break
        steth_factor = (1 - depeg) * (steth.marginal_price(sold_steth) if steth else 1.0)
        ether_factor = (1 - fall) * (ether.marginal_price(sold_ether) if ether else 1.0)
    price = held.eth_usd * ether_factor
    return Point(
        fall,
        depeg,
        "none" if steth is None else "stETH" if ether is None else SOLD,
        float(sums["debt"][below].sum() * price),
        int(below.sum()),
        float(np.maximum(sums["debt"] - sums["collateral"], 0).sum() * price),
        sold_steth,
        held.steth_price * steth_factor,
        price,
        any(
            curve is not None and sold > curve.amounts[-1] for curve, sold in ((steth, sold_steth), (ether, sold_ether))
        ),
    )


def depths(folder: Path) -> tuple[Depth, Depth]:
    """(stETH for ether, ether for USDC), through our own depth file in `folder`."""
    depth_file(folder / "depth.csv")
    quotes = read_depth(folder / "depth.csv")
    return depth(quotes[quotes["sold_asset"] == "stETH"]), depth(quotes[quotes["sold_asset"] == "ETH"])


def points(held: Arrays, steth: Depth, ether: Depth) -> list[Point]:
    """Every fall and depeg, without and with impact."""
    return [
        stress(held, fall, depeg, *pair)
        for pair in ((None, None), (steth, None), (steth, ether))
        for depeg in DEPEGS
        for fall in FALLS
    ]


def picture(found: Sequence[Point]) -> str:
    """Debt at risk against the fall of ether: without a depeg and with one of 10 %, without (blue) and with (orange) impact."""
    at = {(one.fall, one.depeg, one.impact): one.debt_at_risk_usd / 1e6 for one in found}
    before, after, depegged = (
        f"${at[0.3, depeg, impact]:,.0f}m" for depeg, impact in ((0.0, "none"), (0.0, SOLD), (0.1, SOLD))
    )
    title = f"At ether −30\u202f% sales lift the debt at risk from {before} to {after}, a depeg to {depegged}"
    subtitle = "Debt of stETH accounts at Aave V2 below health factor 1, June 2023; dashed: stETH 10\u202f% below ether"
    body = headed(title, subtitle, 760, 420)
    plane = Plane(52, 84, 530, 280, 100 * FALLS[-1], 1.06 * max(at[fall, 0.1, SOLD] for fall in FALLS))
    body += [text(8, 70, "debt at risk, $ million", size=12, role="ink2")]
    for tick in range(0, 61, 10):
        body.append(text(plane.x(tick), 382, f"{tick}", anchor="middle", size=12, role="ink2"))
    body += [text(plane.left + plane.width / 2, 404, "fall of ether, %", anchor="middle", size=12, role="ink2")]
    step = 10 ** np.floor(np.log10(plane.up)) / 2
    for level in np.arange(0, plane.up, step):
        body += [
            line([(plane.left, plane.y(level)), (plane.left + plane.width, plane.y(level))], "rule"),
            text(plane.left - 6, plane.y(level) + 4, f"{level:,.0f}", anchor="end", size=12, role="ink2"),
        ]
    ends = []
    for depeg, dash, more in ((0.0, "", ""), (0.10, "6 4", ", depeg")):
        for impact, role, name in (("none", "s700", "as shocked"), (SOLD, "h700", "with sales")):
            curve = [(plane.x(100 * fall), plane.y(at[fall, depeg, impact])) for fall in FALLS]
            body.append(line(curve, role, 2.5, dash))
            ends.append((f"{name}{more}", curve[-1][1], role))
    body += named_ends(plane, ends)
    return frame(body, "steth-june-2023", f"{title}. {subtitle}", (760, 420), False)


def write(folder: Path, scratch: Path) -> None:
    """The table as CSV, the picture and the page."""
    found = rebuild(accounts())
    held = arrays(found.completed)
    steth, ether = depths(scratch)
    results = points(held, steth, ether)
    table = pd.DataFrame([vars(one) for one in results])
    table.round({"debt_at_risk_usd": 0, "bad_debt_usd": 0, "sold_steth": 1, "steth_in_eth": 6, "eth_usd": 2}).to_csv(
        folder / "steth-june-2023.csv", index=False, lineterminator="\n"
    )
    (folder / "steth-june-2023.svg").write_text(picture(results) + "\n", encoding="utf-8")
    (folder / "steth-june-2023.md").write_text(page(found.table, held, results, steth, ether), encoding="utf-8")


def page(table: pd.DataFrame, held: Arrays, results: Sequence[Point], steth: Depth, ether: Depth) -> str:
    """The Markdown page; every number in it is computed here."""
    whole = table[table["complete"]]
    error = (whole["health_factor_found"] / whole["health_factor"] - 1).abs()
    kept = table[~table["left_out"]]
    gap = {side: 1 - kept[f"{side}_found"].sum() / kept[side].sum() for side in ("collateral", "debt")}
    at = {(one.fall, one.depeg, one.impact): one for one in results}
    lines = [
        "# stETH at Aave V2, June 2023: a real book under stress",
        "",
        (
            f"Rebuilt from amounts, prices and per-asset thresholds: {len(whole)} of {len(table)} accounts have both totals within 1e-6, and their health factor is off by "
            f"at most {error.max():.1e}, median {error.median():.0e}; the average threshold, rounded down, is the stated one in {(whole['threshold_bps'] == whole['threshold_found_bps']).mean():.1%} of them."
        ),
        (
            f"The other {len(table) - len(whole)} hold or owe assets that the files do not list ({gap['collateral']:.0%} of all collateral, {gap['debt']:.1%} of all debt). By what is listed alone they are far off:"
        ),
        "",
        "| accounts | collateral off, median | 90 of 100 below | debt off, median | 90 of 100 below | health factor off, median | 90 of 100 below |",
        "|---|--:|--:|--:|--:|--:|--:|",
        *(
            f"| {len(rows)} {name} | "
            + " | ".join(_errors(rows, side) for side in ("collateral", "debt", "health_factor"))
            + " |"
            for name, rows in (("complete", whole), ("not complete", kept[~kept["complete"]]), ("all", kept))
        ),
        "",
        (
            "For the stress below, what is not listed is one asset of unknown name in each such account, with the threshold that the stated average implies: their health factors then agree by construction, which proves nothing about them. "
            f"{int(table['left_out'].sum())} accounts list more than their total (an asset that does not count as collateral) and are left out. "
            "The file's own health factor is its collateral times the average threshold in whole basis points over its debt, exactly; ours uses each asset's own, so a complete account may differ by one basis point of threshold, and by no more."
        ),
        "",
        "![Debt at risk against the fall of ether](steth-june-2023.svg)",
        "",
        "Debt at risk, $m: as shocked → with the impact of sales on stETH → and on ether. A star: more is sold than the largest quote; beyond it the last marginal price is kept, so the number is a lower bound.",
        "",
        "| ether | " + " | ".join(f"stETH −{depeg:.0%}" if depeg else "stETH at par" for depeg in DEPEGS) + " |",
        "|---|" + "--:|" * len(DEPEGS),
    ]
    for fall in FALLS[::2]:
        cells = []
        for depeg in DEPEGS:
            three = [at[fall, depeg, impact] for impact in ("none", "stETH", SOLD)]
            cells.append(
                " → ".join(f"{one.debt_at_risk_usd / 1e6:,.1f}{'*' if one.beyond_quotes else ''}" for one in three)
            )
        lines.append(f"| −{fall:.0%} | " + " | ".join(cells) + " |")
    lines += [
        "",
        (
            f"Ether at ${held.eth_usd:,.0f}, {held.size} accounts, one pass of half of each debt at 7.5 % bonus. "
            f"Largest quotes: {steth.amounts[-1]:,.0f} stETH (median of the last bin; average impact {steth.impacts[-1]:.2%}, "
            f"last marginal price {steth.marginal_price(1e18):.3f}), {ether.amounts[-1]:,.0f} ether ({ether.impacts[-1]:.2%}, {ether.marginal_price(1e18):.3f})."
        ),
        "",
        (
            "**What this is not.** The quotes are of 20 November 2023, the book of June 2023. Only accounts with stable or mixed debts are in the two files; those that owe ether alone (b1) are not. "
            "No outside buyer steps in (pass-through 1), and no keeper asks whether it pays. Wrapped bitcoin and unlisted collateral fall with ether; unlisted debt keeps its dollars."
        ),
        "",
        "Command: `python -m tests.real.steth_stress` (data in ../shared/data; skipped elsewhere). Data, sha256: "
        + ", ".join(
            f"{name.rsplit('/', 1)[-1]} `{file_hash(DATA / name)[:16]}`"
            for name in (*(f"{FOLDER}/{one}" for one in FILES), QUOTES)
        )
        + ". All points: [table](steth-june-2023.csv).",
    ]
    return "\n".join(lines) + "\n"


def _errors(rows: pd.DataFrame, column: str) -> str:
    """Median and ninth decile of the relative error of a rebuilt column, as two cells."""
    error = (rows[f"{column}_found"] / rows[column] - 1).abs()
    return " | ".join(f"{value:.0%}" if value >= 0.01 else f"{value:.0e}" for value in error.quantile([0.5, 0.9]))


if __name__ == "__main__":
    from tempfile import TemporaryDirectory

    RESULTS.mkdir(exist_ok=True)
    with TemporaryDirectory() as scratch:
        write(RESULTS, Path(scratch))
