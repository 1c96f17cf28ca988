"""The page on two real networks: who ranks first over time, how sure that is, and why most of it says little.

python -m tests.real.networks          writes docs/results/networks.md, networks.csv, networks-flow.svg and networks-pools.svg
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from chain.files.frames import file_hash
from graph.debtrank import debtrank
from reports.charts.svg import Plane, frame, line, text
from tests.real.files import DATA
from tests.real.line_ends import headed, named_ends
from tests.real.network_days import FLOWS, PASSED, POOLS, TVL, Flows, flows, pools, standing
from tests.real.network_ranks import (
    DRAWS,
    MEASURES,
    SEED,
    agreement,
    changes,
    days_of,
    is_first_of_month,
    lasting,
    sure,
    tokens_of_pools,
)

RESULTS = Path(__file__).resolve().parents[2] / "docs" / "results"
WINDOWS = {"May 2021": ("2021-05-01", "2021-05-31"), "May and June 2022": ("2022-05-01", "2022-06-30")}
EVENTS = {"2021-05-19": "19 May", "2022-05-09": "9 May", "2022-06-13": "13 June"}
ASKED = ("2021-05-19", "2022-05-11", "2022-06-13")
TOP = 10
SINCE = "2024-06-01"
CHANGE = ("2025-06-15", "2025-06-16")
BEFORE_AND_AFTER = ("2024-06-01", "2025-06-15", "2025-06-16", "2025-07-09", "2025-07-10", "2025-10-01")
ROLES = {"WETH": "s900", "USDC": "s700", "USDT": "s400", "WBTC": "ink2", "DAI": "ink3"}
POOL_ROLES = {"Ethereum USDT": "s900", "Ethereum USDC": "s700", "Ethereum WETH": "s400", "Base WETH": "ink2"}


def lines_of(
    plane: Plane,
    shares: pd.DataFrame,
    roles: Mapping[str, str],
    title: str,
    unit: str,
    events: Mapping[str, str],
    role: str,
) -> list[str]:
    """One panel: shares by day (rows) of the tokens that have a role, named at their right end; `role` is that of the events."""
    body = [text(plane.left, plane.top - 44, title, bold=True)]
    body += [text(plane.left - 30, plane.top - 26, unit, size=12, role="ink2")]
    for percent in range(0, int(100 * plane.up) + 1, 10):
        y = plane.y(percent / 100)
        body += [line([(plane.left, y), (plane.left + plane.width, y)], "rule")]
        body += [text(plane.left - 6, y + 4, f"{percent}", anchor="end", size=12, role="ink2")]
    days = list(shares.index)
    for day, said in events.items():
        if day in days:
            x = plane.x(days.index(day))
            body += [line([(x, plane.top), (x, plane.top + plane.height)], role, 1, "3 3")]
            body += [text(x, plane.top - 6, said, anchor="middle", size=12, role=role)]
    for day, anchor in ((days[0], "start"), (days[-1], "end")):
        x = plane.x(days.index(day))
        body += [text(x, plane.top + plane.height + 18, day, anchor=anchor, size=12, role="ink2")]
    for token in roles:
        values = shares[token]
        for _, run in values.dropna().groupby(values.isna().cumsum()):  # a line stops where the source has nothing
            marks = [(plane.x(days.index(day)), plane.y(float(value))) for day, value in run.items()]
            body += [line(marks, roles[token], 2)]
    ends = [(token, plane.y(float(shares[token].iloc[-1])), role) for token, role in roles.items()]
    return body + named_ends(plane, ends)


def flow_picture(table: pd.DataFrame) -> str:
    """PageRank of five tokens in both windows."""
    windows = [table.loc[first:last] for first, last in WINDOWS.values()]
    leaders = pd.concat([part.groupby(level="date")["pagerank"].idxmax().map(lambda at: at[1]) for part in windows])
    first, days = leaders.value_counts().index[0], int(leaders.value_counts().iloc[0])
    on = f"all {len(leaders)}" if days == len(leaders) else f"{days} of {len(leaders)}"
    title = f"{first} ranks first on {on} days of both windows, crises included"
    subtitle = "PageRank of five tokens by what was swapped for them in Uniswap V2 and V3, day by day"
    body = headed(title, subtitle, 760, 398)
    for left, width, name, part in zip((46, 402), (230, 290), WINDOWS, windows, strict=True):
        shares = part["pagerank"].unstack("token").reindex(columns=list(ROLES))
        plane = Plane(left, 116, width, 250, len(shares) - 1, 0.5)
        body += lines_of(plane, shares, ROLES, name, "PageRank, %", EVENTS, "h700")
    return frame(body, "networks-flow", f"{title}. {subtitle}", (760, 398), False)


def pool_picture(every: pd.DataFrame, same: pd.DataFrame) -> str:
    """Share of the USD in pools, of all pools that the source has and of those that it always had."""
    token = "Ethereum WETH"
    parts = [[100 * table.loc[(day, token), "held"] for day in CHANGE] for table in (every, same)]
    title = f"The source takes in more protocols, and {token} falls from {parts[0][0]:.0f} to {parts[0][1]:.0f}\u202f%"
    subtitle = f"Part of the USD in pools by token; on the same day in the same pools: {parts[1][0]:.1f} to {parts[1][1]:.1f}\u202f%"
    body = headed(title, subtitle, 760, 398)
    for left, (name, table) in zip(
        (46, 410), (("All pools", every), ("The same pools all the time", same)), strict=True
    ):
        shares = table["held"].unstack("token").reindex(columns=list(POOL_ROLES)).loc[SINCE:]
        plane = Plane(left, 116, 200, 250, len(shares) - 1, 0.6)
        roles = {token: role for token, role in POOL_ROLES.items() if shares[token].notna().any()}
        events = {CHANGE[1]: "more protocols"} if table is every else {}
        body += lines_of(plane, shares, roles, name, "part of the USD, %", events, "ink2")
    return frame(body, "networks-pools", f"{title}. {subtitle}", (760, 398), False)


def window_rows(table: pd.DataFrame) -> pd.DataFrame:
    """The TOP tokens by PageRank of every day in both windows, with their ranks in all three measures."""
    ranks = table.groupby("date")[list(MEASURES)].rank(ascending=False, method="min").astype(int)
    rows = table.join(ranks.add_suffix("_rank"))
    rows = pd.concat([rows.loc[first:last] for first, last in WINDOWS.values()])
    rows = rows[rows["pagerank_rank"] <= TOP].reset_index().sort_values(["date", "pagerank_rank", "token"])
    digits = dict.fromkeys(MEASURES, 6) | {"tvl_usd": 0, "bought_usd": 0}
    return rows.round(digits)


def _counts(found: Mapping[str, int]) -> list[str]:
    return [f"| {what} | {count:,} |" for what, count in found.items()]


def _first(table: pd.DataFrame, measure: str) -> str:
    winners = table.groupby("date")[measure].idxmax().map(lambda at: at[1]).value_counts()
    return ", ".join(f"{token} {count}" for token, count in winners.items())


def _change_rows(table: pd.DataFrame) -> list[str]:
    rows = []
    for measure in MEASURES:
        moved = changes(table[measure])
        is_first = is_first_of_month(moved.index) > 0
        ordinary = moved[~is_first]
        cells = [f"{moved[day]:.3f} ({(ordinary < moved[day]).mean():.0%})" for day in EVENTS]
        rows.append(
            f"| {measure} | {_first(table, measure)} | {agreement(table, measure, 'bought_usd'):.4f} | {ordinary.median():.3f} | "
            f"{moved[is_first].median():.3f} | " + " | ".join(cells) + " |"
        )
    return rows


def _sure_rows(flow: Flows) -> list[str]:
    rows = []
    for day in ASKED:
        for measure in ("pagerank", "debtrank"):
            found = sure(flow, day, measure).head(6)
            cells = [
                f"{row.node} {row.score:.3f} [{row.score_low:.3f}, {row.score_high:.3f}], {row.rank_low}–{row.rank_high}"
                for row in found.itertuples()
            ]
            rows.append(f"| {day} | {measure} | " + " | ".join(cells) + " |")
    return rows


def _sensitivity(flow: Flows) -> list[str]:
    rows = []
    for passed in (0.25, PASSED, 0.9):
        cells = []
        for day in ASKED:
            network = standing(flow.network(day), passed)
            found = pd.Series(debtrank(network), index=network.names).nlargest(5)
            cells.append(", ".join(f"{token} {value:.2f}" for token, value in found.items()))
        rows.append(f"| {passed:g} | " + " | ".join(cells) + " |")
    return rows


def _span(flow: Flows, token: str) -> str:
    days = flow.usd.index.get_level_values("date")[(flow.usd.index.get_level_values(1) == token)]
    return f"{token} {days.min()} to {days.max()}"


def _pool_rows(every: pd.DataFrame, same: pd.DataFrame) -> list[str]:
    def best(table: pd.DataFrame, day: str, column: str) -> str:
        return ", ".join(f"{token} {value:.2f}" for token, value in table.loc[day][column].nlargest(4).items())

    return [
        f"| {day} | {best(every, day, 'pagerank')} | {best(every, day, 'held')} | {best(same, day, 'held')} |"
        for day in BEFORE_AND_AFTER
    ]


def _coming_and_going(usd: "pd.Series[float]") -> "pd.Series[float]":
    """By date: pools that came or left since the day before, in parts of those that were there."""
    sets = usd.reset_index().groupby("date")["pool"].agg(set)
    parts = [len(now ^ before) / len(before) for before, now in zip(sets.iloc[:-1], sets.iloc[1:], strict=True)]
    return pd.Series(parts, index=sets.index[1:])


def _source_moves_ranks(every: pd.DataFrame, usd: "pd.Series[float]") -> str:
    moved, new = changes(every["held"]), _coming_and_going(usd)
    largest = moved.nlargest(10).index
    first = every.groupby("date")["held"].idxmax().map(lambda at: at[1])
    other = first.index[1:][(first.iloc[1:].to_numpy() != first.iloc[:-1].to_numpy())]
    return (
        f"Of the ten days on which the parts changed most, {int((new[largest] > 0.1).sum())} are days on which more than a tenth of the pools came into the source or left it "
        f"(the median day's change is {moved.median():.3f}). The first place changed hands {len(other)} times, {int((new[other] > 0.1).sum())} of them on such a day. "
    )


def write(folder: Path) -> None:
    """The table, the pictures and the page; every number in the page is computed here."""
    flow, pool = flows(), pools()
    table = days_of(flow, flow.days)
    every, same_pools = tokens_of_pools(pool, pool.days), lasting(pool, SINCE)
    same = tokens_of_pools(same_pools, same_pools.days)
    window_rows(table).to_csv(folder / "networks.csv", index=False, lineterminator="\n")
    (folder / "networks-flow.svg").write_text(flow_picture(table) + "\n", encoding="utf-8")
    (folder / "networks-pools.svg").write_text(pool_picture(every, same) + "\n", encoding="utf-8")
    kept = same_pools.usd.index.get_level_values("pool").nunique()
    last_of_may = WINDOWS["May 2021"][1]
    one = days_of(flows(exchange="uniswap_v2"), (*ASKED, last_of_may))
    both = table.loc[[*ASKED, last_of_may]]
    usdc = [f"{rows.loc[(last_of_may, 'USDC'), 'pagerank']:.0%}" for rows in (both, one)]
    alone = [
        "; ".join(f"{day}: " + ", ".join(rows.loc[day]["pagerank"].nlargest(5).index) for day in ASKED)
        for rows in (both, one)
    ]
    hashes = ", ".join(f"{Path(name).name} `{file_hash(DATA / name)[:16]}`" for name in (FLOWS, TVL, POOLS))
    lines: Sequence[str] = [
        "# Two real networks, ranked over time",
        "",
        "**In one sentence:** the rankings compute, repeat and have error bars, and in both crises they say almost nothing that trading volume does not say; the networks were not made for the question, and how the source chose its pools moves the ranking more than either crisis did.",
        "",
        f"## Token flow: Uniswap V2 and V3, {len(flow.days)} days, {flow.days[0]} to {flow.days[-1]}",
        "",
        (
            "An edge is what was swapped on a day, not a claim: holder is the token sold, `claim_on` the token bought, so the second is what the first depends on for an exit. "
            "PageRank and Katz run on that (Katz hardly tells tokens apart: it counts the largest amounts only, so its change in a day is near 0). Losses need equity, which the files do not have; **assumed**: equity of a token is its USD in the pools, and "
            f"{PASSED:.0%} of what stands against another token (in proportion to the flow both ways) is lost with it. DebtRank is the share of all USD in the pools that is then lost elsewhere."
        ),
        "",
        "![PageRank in both windows](networks-flow.svg)",
        "",
        "| measure | days in first place | rank correlation with USD bought, median day | change in a day, median | at the first of a month | "
        + " | ".join(f"{day} (days that changed less)" for day in EVENTS)
        + " |",
        "|---|---|--:|--:|--:|" + "--:|" * len(EVENTS),
        *_change_rows(table),
        "",
        'A change is half the sum of the changes of all shares (0 to 1). "Days that changed less" leaves firsts of a month out, on which the source chooses its pools anew by the month\'s volume, known only afterwards.',
        "",
        (
            "How sure the order of a day is: score [5 %, 95 %], rank range; each pair's flow drawn with the deviation of its daily change in the week before, "
            f"{DRAWS} draws, seed {SEED}. USD in the pools is taken as known."
        ),
        "",
        "| day | measure | 1 | 2 | 3 | 4 | 5 | 6 |",
        "|---|---|---|---|---|---|---|---|",
        *_sure_rows(flow),
        "",
        "DebtRank's first five by the share assumed to be lost:",
        "",
        "| share | " + " | ".join(ASKED) + " |",
        "|--:|" + "---|" * len(ASKED),
        *_sensitivity(flow),
        "",
        f"PageRank's first five, both exchanges: {alone[0]}. V2 alone: {alone[1]}. USDC's rise in the left picture is the source's, too: V3 enters it on 2021-05-05; on {last_of_may} USDC has {usdc[0]} with both, {usdc[1]} in V2 alone.",
        "",
        "| checked in the files | found |",
        "|---|--:|",
        *_counts(flow.found),
        "",
        (
            f"**What it does not show.** The crises themselves: {_span(flow, 'UST')}, {_span(flow, 'LUNA')}, {_span(flow, 'stETH')}; UST leaves the source before it breaks; other exchanges (Curve) and lending are not in it. "
            "Nor who would have lost: the measure with an assumed equity stands and falls with the assumption. WETH is first because nearly every pair is against it. No forecast is tested here."
        ),
        "",
        f"## DEX pools: {len(pool.days)} days, {pool.days[0]} to {pool.days[-1]}",
        "",
        (
            "Holder is the pool, `claim_on` the token (by chain and symbol), half of the pool's USD each, as the file has only the sum. **The source starts after both crises, so the windows cannot be asked.** "
            "Tokens hold nothing here, so losses end after one step: DebtRank of a token is its part of the USD, and no more is to be learnt from it. PageRank gives every pool the same weight, whatever is in it."
        ),
        "",
        "![Part of the USD by token](networks-pools.svg)",
        "",
        f"| day | PageRank, all pools | part of the USD, all pools | part of the USD, the {kept} pools that have a row on 95 % of the days since {SINCE} |",
        "|---|---|---|---|",
        *_pool_rows(every, same),
        "",
        _source_moves_ranks(every, pool.usd)
        + "Only pools that were alive in October 2025 have a history at all, so a token that failed with its pools is in none.",
        "",
        "| checked in the file | found |",
        "|---|--:|",
        *_counts(pool.found),
        "",
        f"Command: `python -m tests.real.networks` (data in ../shared/data; skipped elsewhere). Data, sha256: {hashes}. Every day of both windows: [table](networks.csv).",
        "",
    ]
    (folder / "networks.md").write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    write(RESULTS)
