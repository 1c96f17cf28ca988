"""The page and the table of the volatility evaluation, from its results alone."""

import csv
from pathlib import Path
from typing import Any

from benchmarks.volatility.by_regime import regimes_page, write_regimes
from benchmarks.volatility.pictures import reliability, transforms
from benchmarks.volatility.record import openings, p_of, replications
from benchmarks.volatility.tables import models_table, quantiles_table, regimes_table
from benchmarks.volatility.verdict import END, FITTED_ONCE, verdict, write_seeds

NAMES = {"validation": "volatility-validation", "test": "volatility"}
SPANS = {"validation": "2022-07-01 to 2022-12-31", "test": "2023-01-01 to 2023-12-30"}


def write_page(found: dict[str, Any], folder: Path) -> None:
    """Write the page and the tables of one window."""
    name = NAMES[found["window"]]
    _write_scores(found, folder / f"{name}.csv")
    write_seeds(found, folder / f"{name}-seeds.csv")
    write_coverage(found, folder / f"{name}-coverage.csv")
    write_regimes(found["horizons"], folder / f"{name}-regimes.csv")
    asked_for = [*verdict(folder), END, ""] if found["window"] == "test" else []
    lines = [*_head(found), "", *asked_for, *_method(found), ""]
    for horizon, part in found["horizons"].items():
        lines += [*_horizon(int(horizon), part), ""]
    lines += [*_pictures(found, folder), "", *_coverage(found["horizons"]), ""]
    lines += [*regimes_page(found["horizons"], f"{name}-regimes.csv"), ""]
    lines += [
        *_regimes(found["regimes"]),
        "",
        *_study(found["study"]),
        "",
        *_swans(found["swans"]),
        "",
        _openings(),
        "",
        *_record(found),
    ]
    (folder / f"{name}.md").write_text("\n".join(lines) + "\n")


def _write_scores(found: dict[str, Any], path: Path) -> None:
    """Every baseline against every reference, and what answers as it would be without a refit."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            [
                "horizon_hours",
                "model",
                "reference",
                "answered",
                "qlike",
                "log_mse",
                "ratio",
                "ratio_without_worst",
                "dm_statistic",
                "p",
            ]
        )
        for horizon, part in found["horizons"].items():
            for reference, scores in part["scores"].items():
                for s in scores:
                    writer.writerow(
                        [
                            horizon,
                            s["name"],
                            reference,
                            *(f"{s[k]:.6g}" for k in ("answered", "qlike", "log_mse", "ratio", "ratio_without_worst")),
                            *(f"{s['test'][k]:.6g}" for k in ("statistic", "p")),
                        ]
                    )
            frozen = f"{part['default']}{FITTED_ONCE}"
            writer.writerow([horizon, frozen, "log-HAR", "", "", "", f"{frozen_ratio(part):.6g}", "", "", ""])


def _pictures(found: dict[str, Any], folder: Path) -> list[str]:
    """Draw both pictures; what the page says of them."""
    name, span = NAMES[found["window"]], SPANS[found["window"]]
    for picture, draw in (("reliability", reliability), ("pit", transforms)):
        (folder / f"{name}-{picture}.svg").write_text(draw(found["horizons"], span) + "\n", encoding="utf-8")
    return [
        "## Do intervals hold what they promise",
        "",
        f"![Coverage against nominal level]({name}-reliability.svg)",
        "",
        f"![Probability integral transform]({name}-pit.svg)",
        "",
        f"Their numbers are in the tables above; by asset and regime in [{name}-coverage.csv]({name}-coverage.csv).",
    ]


def _head(found: dict[str, Any]) -> list[str]:
    """Title and the finding in one sentence."""
    told = []
    for horizon, part in found["horizons"].items():
        own = next(s for s in part["scores"]["log-HAR"] if s["name"] == part["default"])
        cover = part["calibration"]["variance, adaptive"]["coverage_90"]
        told.append(
            f"{horizon} h {own['ratio']:.3f} (p {p_of(own['test']['p'])}; 90 % intervals of the variance hold {100 * cover:.1f} %)"
        )
    return [
        f"# Volatility forecasts, {SPANS[found['window']]}",
        "",
        f"**In one sentence:** QLIKE of what answers by default over that of log-HAR fitted an asset at a time: {'; '.join(told)}.",
    ]


def _method(found: dict[str, Any]) -> list[str]:
    """What the window was used for, and how everything on the page was measured."""
    chosen = (
        "Baselines and networks were chosen on this window, the regression and the trees on [all quarters before 2023](volatility-choice.md), this window among them; what it shows is therefore flattering."
        if found["window"] == "validation"
        else _looks(openings("2023"), replications("2023"))
    )
    measured = (
        f"Outcome: sum of squared hourly log returns over the horizon ({len(found['run']['assets'])} assets: those of the panel that trade from April 2021 to the end of 2022 and are not pegged to the dollar; "
        "dead tokens that stopped before are not among them, so this says nothing about a token that dies). An hour ahead the outcome is the range proxy ln(high/low)²/(4 ln 2), for every model, in fitting and in scoring. "
        "Every model is refitted at the start of each quarter on all outcomes known by then, on a six-hour grid of instants (an hour ahead: three), and asked every midnight UTC (an hour ahead: every six hours). "
        "p: Diebold and Mariano on daily means over assets, Newey-West, small-sample correction, two-sided. MCS: p-value in the model confidence set (in it above 0.10). "
        "Baselines are of one seed; what draws is shown for three below each table (boosting draws nothing with these settings). Networks stand on the gamma GLM, start exactly there and are refitted on the same dates; *identity* and *shuffled* are "
        "the graph network with as many parameters and no neighbours, or other ones for each seed. No graph of protocols enters here; token flows have [a panel of their own](volatility-flows.md)."
    )
    return [chosen, "", measured]


def frozen_ratio(part: dict[str, Any]) -> float:
    """QLIKE of the default model, fitted once before the window, over that of log-HAR refitted each quarter."""
    refitted: float = next(s["ratio"] for s in part["scores"]["log-HAR"] if s["name"] == part["default"])
    return refitted * float(part["drift"]["ratio_frozen_to_refitted"])


def _looks(times: int, replications: int) -> str:
    """How clean the test year still is."""
    first = "Nothing was chosen by what this year showed: the choices were made on [the quarters before 2023](volatility-choice.md) and on [2022-07 to 2022-12](volatility-validation.md)."
    chosen = times - replications
    if chosen < 2:
        return first
    more = (
        f", and {replications} more for [a replication](volatility-study.md) that chose nothing" if replications else ""
    )
    return (
        f"{first} **The year has been opened {chosen} times** for models that were chosen{more}. What answers was changed in between because [the first look](volatility-first-look.md) had shown it short: "
        "this look is therefore less clean than the first, and its p-values flatter."
    )


def _horizon(horizon: int, part: dict[str, Any]) -> list[str]:
    rows = [
        f"## {horizon} hour{'s' if horizon > 1 else ''} ahead",
        "",
        f"Answers by default: **{part['default']}**.",
        "",
        *models_table(part, part["default"]),
    ]
    regime = ", ".join(
        f"{kind} {s['ratio']:.3f} ({s['rows']:,} rows)" for kind, s in part["scores_by_regime"][part["default"]].items()
    )
    asset = sorted((ratio, name) for name, (_, ratio) in part["by_asset"].items())
    rows += [
        "",
        (
            f"By regime at the instant of the forecast (Markov switching fitted before the window): {regime}. "
            f"By asset: best {asset[0][1]} {asset[0][0]:.3f}, median {asset[len(asset) // 2][0]:.3f}, worst {asset[-1][1]} {asset[-1][0]:.3f}; "
            f"{sum(ratio < 1 for ratio, _ in asset)} of {len(asset)} below 1."
        ),
        "",
        *quantiles_table(part["calibration"]),
    ]
    drift = part["drift"]
    rows += [
        "",
        f"Frozen at the start of the window and never refitted, QLIKE is {drift['ratio_frozen_to_refitted']:.3f} of the refitted model's (p {p_of(drift['p'])}), {frozen_ratio(part):.3f} of log-HAR's, which is refitted. "
        + (
            f"The drift detector asks the frozen model for a refit on {', '.join(drift['alarms'])}."
            if drift["alarms"]
            else "The drift detector asks for no refit."
        ),
        *_networks(part),
        "",
        f"{part['seconds']:,} s.",
    ]
    return rows


def _regimes(regimes: dict[str, Any]) -> list[str]:
    return [
        "## Regimes",
        "",
        "Probability that some day within the horizon lies above the threshold, half way between the two regimes' means. AUPRC: area under precision and recall; a forecast that knows nothing has the share of events.",
        "",
        *regimes_table(regimes),
    ]


def _swans(swans: list[dict[str, Any]]) -> list[str]:
    rows = [
        "## Black swans",
        "",
        "24 hours ahead, asked at the eight midnights from the day before each date; models know nothing of the seven days before it. An asset needs 90 days of history by then. QLIKE, and in brackets the largest outcome over its forecast.",
        "",
        "| date | panel | days of history | assets | too young (days they have) | log-HAR | gamma GLM | boosting on GLM |",
        "|---|---|--:|--:|---|---|---|---|",
    ]
    for s in swans:
        young = s.get("too_young", {})
        said = f"all {len(young)}" if young and not s["assets"] else ", ".join(f"{n} {d}" for n, d in young.items())
        days = f"{s['days_of_history']:,}" if "days_of_history" in s else "–"
        start = f"| {s['date']} | {s['panel']} | {days} | {s['assets']} | {said or '–'} | "
        if "why" in s:
            rows.append(f"{start}{s['why']} | – | – |")
            continue
        cells = [
            f"{s[name]['qlike']:.3f} ({s[name]['largest_y_over_f']:.0f}×)"
            for name in ("log-HAR", "gamma GLM", "boosting on GLM")
        ]
        rows.append(start + " | ".join(cells) + " |")
    return rows


def _study(study: dict[str, Any]) -> list[str]:
    return [
        "## As a study of the same data asks",
        "",
        "A day ahead; log-HAR and linear models refitted every month, trees every quarter; ratio of QLIKE to log-HAR refitted every month.",
        "",
        "| model | ratio | p |",
        "|---|--:|--:|",
        *(f"| {name} | {ratio:.3f} | {p_of(p)} |" for name, (ratio, p) in study.items()),
    ]


def _networks(part: dict[str, Any]) -> list[str]:
    if not part["random"]:
        return []
    rows = [
        "",
        "| three seeds | of | each seed | mean | deviation | log-mean of the three | p | outcomes above | parameters |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for reference, group in (("log-HAR", "random"), ("gamma GLM", "networks")):
        for name, s in part[group].items():
            each = " ".join(f"{ratio:.4f}" for ratio in s["each"])
            size = part["parameters"].get(name)
            rows.append(
                f"| {name} | {reference} | {each} | {s['mean']:.4f} | {s['deviation']:.4f} | {s['together']:.4f} | {p_of(s['p'])} | {100 * s['above']:.1f} % | "
                f"{'–' if size is None else f'{size:,}'} |"
            )
    if not part["twins"]:
        return rows
    rows += ["", "| real edges against their twin | log-mean ratio | p |", "|---|--:|--:|"]
    rows += [f"| {name} : {twin} | {ratio:.4f} | {p_of(p)} |" for name, twin, ratio, p in part["twins"]]
    return rows


def _coverage(horizons: dict[str, Any]) -> list[str]:
    """90 % intervals of the variance by asset and regime; those of the return are in the CSV."""
    kinds = ("calm", "turbulent")
    rows = [
        "## Coverage by asset and regime",
        "",
        "Share of outcomes inside the 90 % interval of the variance, %, adaptive; returns and the number of rows are in the CSV. Turbulent instants are few and fall on the same days for every asset.",
        "",
        f"| asset | {' | '.join(f'{h} h, {kind}' for h in horizons for kind in kinds)} |",
        "|---|" + "--:|" * (2 * len(horizons)),
    ]
    tables = [part["calibration"]["variance, adaptive"]["by_asset"] for part in horizons.values()]
    for asset in tables[0]:
        cells = [
            f"{100 * table[asset][kind][1]:.1f}" if kind in table[asset] else "–" for table in tables for kind in kinds
        ]
        rows.append(f"| {asset} | {' | '.join(cells)} |")
    return rows


def write_coverage(found: dict[str, Any], path: Path) -> None:
    """Coverage by horizon, kind, asset and regime."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["horizon_hours", "quantiles_of", "rule", "asset", "regime", "rows", "coverage_90"])
        for horizon, part in found["horizons"].items():
            for name, c in part["calibration"].items():
                for asset, regimes in c["by_asset"].items():
                    for regime, (rows, share) in regimes.items():
                        writer.writerow([horizon, *name.split(", "), asset, regime, rows, f"{share:.4f}"])


def _openings() -> str:
    times, again = openings("2023"), replications("2023")
    without = f", {again} of them for a replication that chose nothing" if again else ""
    return f"The test year was opened {times} time{'s' if times != 1 else ''} so far{without} ([log](volatility-openings.csv))."


def _record(found: dict[str, Any]) -> list[str]:
    run = found["run"]
    hashes = "; ".join(f"{name} {value[:16]}" for name, value in run["data"].items())
    return [
        (
            f"Command: `{run['command']}`; seed {run['seed']}; data, sha256: {hashes}; {run['seconds']:,} s on two shared cores ({run['machine']}), forecasts that were kept from an earlier run not counted. "
            f"All scores: [{NAMES[found['window']]}.csv]({NAMES[found['window']]}.csv)."
        )
    ]
