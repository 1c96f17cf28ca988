"""Tables that several pages of the volatility evaluation share: models against references, quantiles, probabilities of regimes."""

from typing import Any

from benchmarks.volatility.record import p_of

BESIDE = ("pooled log-HAR", "gamma GLM")


def models_table(part: dict[str, Any], chosen: str) -> list[str]:
    """Every model against log-HAR, pooled log-HAR and the gamma GLM; `chosen` in bold. MCS is empty for a model that answers too few outcomes to be in it."""
    rows = [
        f"| model | QLIKE | log-MSE | to log-HAR | without its worst instant | p | {' | '.join(f'to {name} | p' for name in BESIDE)} | MCS |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    others = {reference: {s["name"]: s for s in scores} for reference, scores in part["scores"].items()}
    for s in part["scores"]["log-HAR"]:
        cells = [f"{s['qlike']:.4f}", f"{s['log_mse']:.4f}", f"{s['ratio']:.3f}", f"{s['ratio_without_worst']:.3f}"]
        cells.append(p_of(s["test"]["p"]))
        for reference in BESIDE:
            other = others[reference][s["name"]]
            cells += [f"{other['ratio']:.3f}", p_of(other["test"]["p"])]
        name = f"**{s['name']}**" if s["name"] == chosen else s["name"]
        missing = "" if s["answered"] > 0.9999 else f" (answers {100 * s['answered']:.1f} %)"
        in_set = part["confidence_set"].get(s["name"])
        rows.append(f"| {name}{missing} | {' | '.join(cells)} | {'–' if in_set is None else f'{in_set:.3f}'} |")
    return rows


def quantiles_table(calibration: dict[str, Any]) -> list[str]:
    """Coverage, low quantiles, CRPS, quantile loss and PIT, by what the quantiles are of and how they were made."""
    rows = [
        "| quantiles of | 90 % intervals hold | asset that is held least, most | calm, turbulent | below the 1 % / 5 % quantile | CRPS | quantile loss × 1,000 at 1, 5, 95, 99 % | PIT, ten equal parts |",
        "|---|--:|---|---|---|--:|---|---|",
    ]
    for name, c in calibration.items():
        regimes = ", ".join(f"{kind} {100 * of['coverage_90']:.1f} %" for kind, of in c["by_regime"].items())
        rows.append(
            f"| {name} | {100 * c['coverage_90']:.1f} % | {c['least_asset'][0]} {100 * c['least_asset'][1]:.1f} %, {c['most_asset'][0]} {100 * c['most_asset'][1]:.1f} % | {regimes} | "
            f"{100 * c['below_1']:.2f} % / {100 * c['below_5']:.2f} % | {c['crps']:.4f} | {' '.join(f'{1000 * v:.1f}' for v in c['pinball'].values())} | "
            f"{' '.join(f'{100 * v:.0f}' for v in c['pit'])} |"
        )
    return rows


def regimes_table(regimes: dict[str, Any]) -> list[str]:
    """Probability of a day above the threshold within some hours: Markov switching against climatology and a logistic regression."""
    rows = [
        "| within the next | days on which it was asked, and on how many it came | forecast | Brier | AUPRC |",
        "|---|---|---|--:|--:|",
    ]
    for hours, part in regimes.items():
        for name in ("Markov switching", "climatology", "logistic"):
            auprc = part[name]["auprc"]
            rows.append(
                f"| {hours} h | {part['days']}, {part['events']} | {name} | {part[name]['brier']:.4f} | {'–' if auprc is None else f'{auprc:.3f}'} |"
            )
    return rows
