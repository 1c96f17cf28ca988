"""The page and the table of the network panel, from its results alone."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.volatility.record import openings, p_of
from benchmarks.volatility.tables import models_table, quantiles_table, regimes_table

NAMES = {"validation": "volatility-flows-validation", "held out": "volatility-flows"}
SPANS = {"validation": "2021-10-01 to 2022-03-31", "held out": "2022-04-01 to 2022-06-30"}
PRICES = {"closes": "daily closes", "hours": "hourly bars"}
HELD_OUT = "network panel, 2022-04 to 2022-06"
UNSCORED = (
    "Distributions (quantiles, coverage, CRPS, regimes) were not scored on this window: that would be a further look."
)
LEAST_DAYS = 90
"""A model that has seen fewer days says little about how far its later forecasts miss."""
UNMOVED = 1e-6
"""A network whose ratio is one within this kept its untrained weights."""


def write_page(found: dict[str, Any], folder: Path) -> None:
    """Write the page and the CSV of one window."""
    name = NAMES[found["window"]]
    lines = [_head(found)]
    for part in found["parts"]:
        lines += ["", *_part(part)]
    lines += ["", *_record(found)]
    (folder / f"{name}.md").write_text("\n".join(lines) + "\n")
    with (folder / f"{name}.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["prices", "horizon_hours", "model", "against", "ratio", "p", "each_seed"])
        for part in found["parts"]:
            writer.writerows([part["prices"], part["horizon"], *row] for row in _rows(part))
    if any("calibration" in part for part in found["parts"]):
        _write_coverage(found, folder / f"{name}-coverage.csv")


def _write_coverage(found: dict[str, Any], path: Path) -> None:
    """What 90 % intervals hold, by prices, horizon, kind, token and regime."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["prices", "horizon_hours", "quantiles_of", "rule", "asset", "regime", "rows", "coverage_90"])
        for part in found["parts"]:
            for name, c in part["calibration"].items():
                for asset, regimes in c["by_asset"].items():
                    for regime, (rows, share) in regimes.items():
                        place = [part["prices"], part["horizon"], *name.split(", "), asset, regime]
                        writer.writerow([*place, rows, f"{share:.4f}"])


def _rows(part: dict[str, Any]) -> list[list[str]]:
    rows = []
    for reference, scores in part["scores"].items():
        rows += [[s["name"], reference, _six(s["ratio"]), _six(s["test"]["p"]), ""] for s in scores]
    for reference, group in (("gamma GLM", "networks"), ("log-HAR", "random")):
        rows += [
            [name, reference, _six(s["together"]), _six(s["p"]), " ".join(_six(each) for each in s["each"])]
            for name, s in part[group].items()
        ]
    rows += [[name, f"its twin, {twin}", _six(ratio), _six(p), ""] for name, twin, ratio, p in part["twins"]]
    rows += [[name, other, _six(ratio), _six(p), ""] for name, other, ratio, p in part["relations"]]
    return rows


def _head(found: dict[str, Any]) -> str:
    window = found["window"]
    told, twins = [], []
    for part in found["parts"]:
        own = {s["name"]: s for s in part["scores"]["log-HAR"]}[part["answers"]]
        told.append(
            f"{PRICES[part['prices']]}, {part['horizon']} h: {part['answers']} {own['ratio']:.3f} (p {p_of(own['test']['p'])})"
        )
        twins += [(ratio, p) for name, twin, ratio, p in part["twins"] if twin == "shuffled"]
    least, p = min(twins)
    better = sum(ratio < 1 and p < 0.05 for ratio, p in twins)
    graphs = (
        f"Of {len(twins)} graph networks over real flows {better or 'none'} {'is' if better < 2 else 'are'} better than the shuffled twin with p < .05; "
        f"the best has {least:.4f} of its twin (p {_p_of_ratio(least, p)})"
    )
    chosen = (
        "Everything was chosen on this window; what it shows is therefore flattering."
        if window == "validation"
        else f"Nothing was chosen on this window; the choices were made on [October 2021 to March 2022](volatility-flows-validation.md). It was opened {_times(openings(HELD_OUT))} ([log](volatility-openings.csv)): the second look was at the networks alone, which for a defect had learnt nothing when they were first scored; every other row is that of the first look."
    )
    if not any("calibration" in part for part in found["parts"]):
        chosen += f" {UNSCORED}"
    tokens = {part["prices"]: part["assets"] for part in found["parts"]}
    first = {part["prices"]: part["first"] for part in found["parts"]}
    return (
        f"# Volatility on the network of token flows, {SPANS[window]}\n\n"
        f"**In one sentence:** {graphs}. QLIKE of what was best on validation over that of log-HAR fitted a token at a time: {'; '.join(told)}.\n\n{chosen}\n\n"
        "Flows are USD swapped on Uniswap (versions 2 and 3) in each month's fifty largest pools, by day; a row of day d is used from d + 1 on. "
        "Two sets of prices. *Daily closes* are those that come with the flows: 31 columns, of which two (BTC, ETH) repeat tokens that have flows, thirteen are pegged or all but pegged, renBTC repeats WBTC, FUN has no "
        f"flow before October 2021, and APE, ENS, LOOKS and LUNA begin later: left are {len(tokens['closes'])} tokens ({', '.join(tokens['closes'])}), instants from {first['closes']}. They have no highs, lows or volumes, so there is no range feature and no range "
        "proxy, and the variance of a day is one squared return: nearly noise. "
        f"*Hourly bars* are the main panel's, for the {len(tokens['hours'])} of its symbols that have flows ({', '.join(tokens['hours'])}), instants from {first['hours']}; the variance of a day is the sum of 24 squared returns. Of {found['flows']['tokens']} tokens with flows, "
        f"{found['flows']['unpriced']} have a price in neither file (the most swapped: {', '.join(found['flows']['largest'])}) and cannot be nodes. Pegged tokens are no nodes either; what flowed to and from dollars is a feature. "
        "A node must be known by October 2021; LUNA and MIR, which died, are in.\n\n"
        "Every model is refitted at the start of each quarter on all outcomes known by then and asked every midnight UTC (daily closes: learns on midnights; hourly bars: every twelve hours). Every network starts at the gamma GLM of its row "
        "and corrects it; one fit takes seconds. p: Diebold and Mariano on daily means over tokens, Newey-West, small-sample correction, two-sided. MCS: p-value in the model confidence set, of the models that answer 90 % of the outcomes."
    )


def _part(part: dict[str, Any]) -> list[str]:
    rows = [
        f"## {PRICES[part['prices']].capitalize()}, {part['horizon']} hours ahead",
        "",
        f"{part['days']} midnights, {len(part['assets'])} tokens, {part['rows']:,} known outcomes; {part['seconds']:,} s. Best on validation: **{part['answers']}**.",
        "",
        *models_table(part, part["answers"]),
        *_distribution(part),
    ]
    rows += [
        "",
        "| network, three seeds | each seed : gamma GLM | mean | deviation | log-mean of the three | p | outcomes above | parameters |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for name, s in part["networks"].items():
        size = part["parameters"].get(name)
        rows.append(f"| {name} | {_seeds(s)} | {100 * s['above']:.1f} % | {'–' if size is None else f'{size:,}'} |")
    rows += ["", "| real edges against | log-mean ratio | p |", "|---|--:|--:|"]
    rows += [f"| {name} : {twin} | {r:.4f} | {_p_of_ratio(r, p)} |" for name, twin, r, p in part["twins"]]
    rows += [f"| {name} : {other} | {r:.4f} | {_p_of_ratio(r, p)} |" for name, other, r, p in part["relations"]]
    if not part["random"]:
        return rows
    rows += ["", "| other models that draw, seeds 0, 1, 2 | each : log-HAR | mean | deviation | log-mean | p |"]
    rows += ["|---|---|--:|--:|--:|--:|"]
    rows += [f"| {name} | {_seeds(s)} |" for name, s in part["random"].items()]
    return rows


def _distribution(part: dict[str, Any]) -> list[str]:
    """Quantiles of what was best on validation, its score by regime, and the regimes themselves where there are ranges; nothing where they were not scored."""
    if "calibration" not in part:
        return []
    regime = ", ".join(f"{name} {ratio:.3f} ({count:,} rows)" for name, (count, ratio) in part["by_regime"].items())
    learnt = part["learnt_from"]
    little = (
        "; that is too little history to calibrate before the window: what they hold was mostly learnt inside it"
        if learnt["fitted_days"] < LEAST_DAYS
        else ""
    )
    level = "range of a day" if part["prices"] == "hours" else "variance of the last week, as closes have no ranges"
    rows = [
        "",
        (
            f"Quantiles of {part['answers']}, conformal: learnt from {learnt['days']} midnights of fresh forecasts before the window, from {learnt['first']} on, the first by models that had seen "
            f"{learnt['fitted_days']} days{little}. By regime at the instant of the forecast (Markov switching on the market's {level}, fitted before the window), QLIKE over that of log-HAR: {regime}."
        ),
        "",
        *quantiles_table(part["calibration"]),
    ]
    if "regimes" in part:
        rows += [
            "",
            "Probability that some day within the horizon lies above the threshold, half way between the two regimes' means, for the market of these tokens:",
            "",
            *regimes_table(part["regimes"]),
        ]
    return rows


def _seeds(s: dict[str, Any]) -> str:
    each = " ".join(f"{ratio:.4f}" for ratio in s["each"])
    return f"{each} | {s['mean']:.4f} | {s['deviation']:.4f} | {s['together']:.4f} | {_p(s)}"


def _p(s: dict[str, Any]) -> str:
    return _p_of_ratio(s["together"], s["p"])


def _p_of_ratio(ratio: float, p: float) -> str:
    return "the same forecast" if abs(ratio - 1) < UNMOVED else p_of(p)


def _record(found: dict[str, Any]) -> Sequence[str]:
    run = found["run"]
    hashes = "; ".join(f"{name} {value[:16]}" for name, value in run["data"].items())
    name = NAMES[found["window"]]
    scored = any("calibration" in part for part in found["parts"])
    coverage = f"; coverage by token and regime: [{name}-coverage.csv]({name}-coverage.csv)" if scored else ""
    return [
        (
            f"“The same forecast”: the tail of the training window chose epoch 0 for every seed, so the network is the regression itself.\n\nCommand: `{run['command']}`; seeds as said, else {run['seed']}; data, sha256: {hashes}; "
            f"{run['seconds']:,} s on two shared cores ({run['machine']}), forecasts that were kept from an earlier run not counted. All scores: [{name}.csv]({name}.csv){coverage}."
        )
    ]


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _six(value: float) -> str:
    return f"{value:.6g}"
