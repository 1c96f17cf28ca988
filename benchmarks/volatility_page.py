"""The page and the table of the volatility evaluation, from its results alone."""

import csv
from pathlib import Path
from typing import Any

NAMES = {"validation": "volatility-validation", "test": "volatility"}
SPANS = {"validation": "2022-07-01 to 2022-12-31", "test": "2023-01-01 to 2023-12-30"}


def write_page(found: dict[str, Any], folder: Path) -> None:
    """Write the page and the CSV of one window."""
    window = found["window"]
    lines = [_head(found), ""]
    for horizon, part in found["horizons"].items():
        lines += [*_horizon(int(horizon), part), ""]
    lines += [*_regimes(found["regimes"]), "", *_swans(found["swans"]), "", *_openings(folder), "", *_record(found)]
    (folder / f"{NAMES[window]}.md").write_text("\n".join(lines) + "\n")
    with (folder / f"{NAMES[window]}.csv").open("w", newline="") as file:
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


def _head(found: dict[str, Any]) -> str:
    window = found["window"]
    told = []
    for horizon, part in found["horizons"].items():
        own = next(s for s in part["scores"]["log-HAR"] if s["name"] == part["default"])
        cover = part["calibration"]["variance, adaptive"]["coverage_90"]
        told.append(
            f"{horizon} h {own['ratio']:.3f} (p {_p(own['test']['p'])}; 90 % intervals of the variance hold {100 * cover:.1f} %)"
        )
    chosen = (
        "Everything was chosen on this window; what it shows is therefore flattering."
        if window == "validation"
        else "Nothing was chosen on this window; the choices were made on [2022-07 to 2022-12](volatility-validation.md)."
    )
    return (
        f"# Volatility forecasts, {SPANS[window]}\n\n"
        f"**In one sentence:** QLIKE of what answers by default over that of log-HAR fitted an asset at a time: {'; '.join(told)}.\n\n{chosen}\n\n"
        f"Outcome: sum of squared hourly log returns over the horizon ({len(found['run']['assets'])} assets: those of the panel that trade from April 2021 to the end of 2022 and are not pegged to the dollar; "
        "dead tokens that stopped before are not among them, so this says nothing about a token that dies). An hour ahead the outcome is the range proxy ln(high/low)²/(4 ln 2), for every model, in fitting and in scoring. "
        "Every model is refitted at the start of each quarter on all outcomes known by then, on a six-hour grid of instants (an hour ahead: three), and asked every midnight UTC (an hour ahead: every six hours). "
        "p: Diebold and Mariano on daily means over assets, Newey-West, small-sample correction, two-sided. MCS: p-value in the model confidence set (in it above 0.10). "
        "The baselines have no random part that matters (boosting draws nothing with these settings), so one seed stands for all. No graph of protocols enters here; the correlation graph is beside its shuffled twin."
    )


def _horizon(horizon: int, part: dict[str, Any]) -> list[str]:
    rows = [
        f"## {horizon} hour{'s' if horizon > 1 else ''} ahead",
        "",
        f"Answers by default: **{part['default']}**.",
        "",
        "| model | QLIKE | log-MSE | to log-HAR | without its worst instant | p | to pooled log-HAR | p | to gamma GLM | p | MCS |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    others = {reference: {s["name"]: s for s in scores} for reference, scores in part["scores"].items()}
    for s in part["scores"]["log-HAR"]:
        cells = [
            f"{s['qlike']:.4f}",
            f"{s['log_mse']:.4f}",
            f"{s['ratio']:.3f}",
            f"{s['ratio_without_worst']:.3f}",
            _p(s["test"]["p"]),
        ]
        for reference in ("pooled log-HAR", "gamma GLM"):
            other = others[reference][s["name"]]
            cells += [f"{other['ratio']:.3f}", _p(other["test"]["p"])]
        name = f"**{s['name']}**" if s["name"] == part["default"] else s["name"]
        missing = "" if s["answered"] > 0.9999 else f" (answers {100 * s['answered']:.1f} %)"
        rows.append(
            f"| {name}{missing} | "
            + " | ".join(cells)
            + f" | {part['confidence_set'].get(s['name'], float('nan')):.3f} |"
        )
    regime = ", ".join(f"{name} {ratio:.3f} ({count:,} rows)" for name, (count, ratio) in part["by_regime"].items())
    asset = sorted((ratio, name) for name, (_, ratio) in part["by_asset"].items())
    rows += [
        "",
        (
            f"By regime at the instant of the forecast (Markov switching fitted before the window): {regime}. "
            f"By asset: best {asset[0][1]} {asset[0][0]:.3f}, median {asset[len(asset) // 2][0]:.3f}, worst {asset[-1][1]} {asset[-1][0]:.3f}; "
            f"{sum(ratio < 1 for ratio, _ in asset)} of {len(asset)} below 1."
        ),
        "",
        "| quantiles of | 90 % intervals hold | asset that is held least, most | calm, turbulent | below the 1 % / 5 % quantile | CRPS | PIT, ten equal parts |",
        "|---|--:|---|---|---|--:|---|",
    ]
    for name, c in part["calibration"].items():
        regimes = ", ".join(f"{k} {100 * v:.1f} %" for k, v in c["by_regime"].items())
        low = f"{100 * c['below_1']:.2f} % / " if c["below_1"] is not None else ""
        rows.append(
            f"| {name} | {100 * c['coverage_90']:.1f} % | {c['least_asset'][0]} {100 * c['least_asset'][1]:.1f} %, {c['most_asset'][0]} {100 * c['most_asset'][1]:.1f} % | {regimes} | "
            f"{low}{100 * c['below_5']:.2f} % | {c['crps']:.4f} | {' '.join(f'{100 * v:.0f}' for v in c['pit'])} |"
        )
    drift = part["drift"]
    rows += [
        "",
        f"Frozen at the start of the window and never refitted, QLIKE is {drift['ratio_frozen_to_refitted']:.3f} of the refitted model's (p {_p(drift['p'])}). "
        + (
            f"The drift detector asks the frozen model for a refit on {', '.join(drift['alarms'])}."
            if drift["alarms"]
            else "The drift detector asks for no refit."
        ),
    ]
    return rows


def _regimes(regimes: dict[str, Any]) -> list[str]:
    rows = [
        "## Regimes",
        "",
        "Probability that some day within the horizon lies above the threshold, half way between the two regimes' means. AUPRC: area under precision and recall; a forecast that knows nothing has the share of events.",
        "",
        "| within | days, events | forecast | Brier | AUPRC |",
        "|---|---|---|--:|--:|",
    ]
    for hours, part in regimes.items():
        for name in ("Markov switching", "climatology", "logistic"):
            auprc = part[name]["auprc"]
            rows.append(
                f"| {hours} h | {part['days']}, {part['events']} | {name} | {part[name]['brier']:.4f} | {'–' if auprc is None else f'{auprc:.3f}'} |"
            )
    return rows


def _swans(swans: list[dict[str, Any]]) -> list[str]:
    rows = [
        "## Black swans",
        "",
        "24 hours ahead, asked at the eight midnights from the day before each date; models know nothing of the seven days before it. QLIKE, and in brackets the largest outcome over its forecast.",
        "",
        "| date | panel, assets, days of history | log-HAR | gamma GLM | boosting on GLM |",
        "|---|---|---|---|---|",
    ]
    for s in swans:
        cells = [
            f"{s[name]['qlike']:.3f} ({s[name]['largest_y_over_f']:.0f}×)"
            for name in ("log-HAR", "gamma GLM", "boosting on GLM")
        ]
        rows.append(
            f"| {s['date']} | {s['panel']}, {s['assets']}, {s['days_of_history']:,} | " + " | ".join(cells) + " |"
        )
    return rows


def _openings(folder: Path) -> list[str]:
    path = folder / "volatility-openings.csv"
    lines = path.read_text().splitlines()[1:] if path.is_file() else []
    return [
        f"The test year was opened {len(lines)} time{'s' if len(lines) != 1 else ''} so far ([log](volatility-openings.csv))."
    ]


def _record(found: dict[str, Any]) -> list[str]:
    run = found["run"]
    hashes = "; ".join(f"{name} {value[:16]}" for name, value in run["data"].items())
    return [
        (
            f"Command: `{run['command']}`; seed {run['seed']}; data, sha256: {hashes}; {run['seconds']:,} s on two shared cores ({run['machine']}), forecasts that were kept from an earlier run not counted. "
            f"All scores: [{NAMES[found['window']]}.csv]({NAMES[found['window']]}.csv)."
        )
    ]


def _p(value: float) -> str:
    return "–" if value != value else ("<.0001" if value < 1e-4 else f"{value:.4f}")
