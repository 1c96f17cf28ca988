"""The verdict: readings held against thresholds, sentences chosen by the levels they are in, and a grade with its reasons.

First what is lost already, if anything is, and what is paused, if anything is; then the ordinary day, then prices that no fall moves, if
there are any; then the danger and its cause, then what bounds it. No sentence says more than the readings do: a level picks the words, the record fills in the numbers.
"""

from math import fsum

from reports import thresholds
from reports.amounts import UNKNOWN, change, listing, money, percent, ratio, sentence, spelled, unbroken
from reports.at_risk import AtRisk
from reports.cascades import Cascade, ScenarioLine
from reports.confidence import confidence
from reports.dependence import Dependence
from reports.record import Assessment, Reading, Verdict
from reports.thresholds import Thresholds
from reports.unmoved import said

_NEAR_PERCENT = 2.5  # a scenario this near to the ordinary fall is taken for it
_FEW = 3
_NOTHING = {
    "capacity": "no pool",
    "under_water": "nothing is supplied",
}  # what to say where a reading divides by nothing


def judge(found: Assessment) -> Verdict:
    """Hold an assessment's parts against its thresholds and say what follows. Its scenarios come worst first.

    Where an `outlook` stands in the report it says how likely a loss is, so that the grade does not miss a probability.
    """
    limits, at_risk, exposure = thresholds.of_dict(found.thresholds), found.at_risk, found.exposure
    scenarios, cascade, is_part = found.scenarios, found.cascade, bool(found.coverage.left_out)
    worst, ordinary = scenarios[0], _ordinary(scenarios, at_risk.symbol, limits)
    supplied = found.coverage.total_usd
    leading = exposure.feeds[0].share_ratio if exposure.feeds else 0.0
    watched = at_risk.at(limits.watch_fall_percent)
    few = fsum(cascade.of_position(line) for line in cascade.positions[:_FEW])
    values = {
        "bad_debt": ratio(worst.bad_debt_usd, supplied),
        "under_water": _of(found.under_water_usd, supplied),
        "ordinary_bad_debt": ratio(ordinary.bad_debt_usd, supplied) if ordinary else 0.0,
        "at_risk": at_risk.share_at(limits.watch_fall_percent),
        "capacity": _of(watched, at_risk.capacity_at(limits.watch_fall_percent)),
        "one_feed": leading,
        "indirect": worst.indirect_ratio,
        "few_positions": ratio(few, cascade.total_usd),
    }
    level = {name: limits.measures[name].level(value) for name, value in values.items()}
    frozen = said(exposure.unmoved, exposure.unmoved_debt_usd)
    grade, reason, rules = confidence(found, limits)
    return Verdict(
        sentences=(
            *([unbroken(_lost_already(found.under_water_usd, supplied))] if level["under_water"] != "none" else []),
            *([unbroken(_paused(exposure, at_risk, limits))] if exposure.paused else []),
            unbroken(_ordinary_day(ordinary, at_risk, supplied, level, limits)),
            *([unbroken(frozen)] if frozen else []),
            unbroken(_danger(scenarios, at_risk, exposure, supplied, level, is_part)),
            *([unbroken(_hangs_on(cascade))] if _is_range(cascade) else []),
            unbroken(_bound(cascade, at_risk, few, level, limits)),
        ),
        readings=tuple(
            Reading(
                name=name,
                title=measure.title,
                value=values[name],
                shown=UNKNOWN
                if name == "capacity" and not at_risk.is_bounded
                else percent(values[name])
                if values[name] != float("inf")
                else _NOTHING[name],
                limits=measure.limits,
                level=level[name],
                crossed=measure.crossed(values[name]),
            )
            for name, measure in limits.measures.items()
        ),
        grade=grade,
        reason=reason,
        rules=rules,
    )


def _lost_already(under_water_usd: float, supplied: float) -> str:
    share = f", {percent(under_water_usd / supplied)} of supply" if supplied > 0 else ""
    return f"Before any shock **{money(under_water_usd)}** is owed beyond the collateral that secures it{share}; the bad debt below comes on top."


def _paused(exposure: Dependence, at_risk: AtRisk, limits: Thresholds) -> str:
    """What is switched off, and what that holds back at the watched fall."""
    said = listing(exposure.paused)
    held, fall = at_risk.paused_at(limits.watch_fall_percent), _fall(at_risk, limits.watch_fall_percent)
    waits = f"at {fall} **{money(held)}** of collateral falls due that nobody can take"
    return f"Now **{said}**: {waits if held else f'down to {fall} that holds no liquidation back'}."


def _ordinary(scenarios: tuple[ScenarioLine, ...], symbol: str, limits: Thresholds) -> ScenarioLine | None:
    """The scenario that is an ordinary bad day: a fall of the curve's asset alone, near the ordinary size."""
    away = {line.name: abs(line.largest_fall_percent - limits.ordinary_fall_percent) for line in scenarios}
    near = [line for line in scenarios if line.shocked == (symbol,) and away[line.name] <= _NEAR_PERCENT]
    return min(near, key=lambda line: away[line.name], default=None)


def _ordinary_day(
    line: ScenarioLine | None,
    at_risk: AtRisk,
    supplied: float,
    level: dict[str, str],
    limits: Thresholds,
) -> str:
    day = line.title if line else f"{at_risk.symbol} {change(-limits.ordinary_fall_percent / 100)}"
    held = line.paused_debt_usd if line else at_risk.paused_at(limits.ordinary_fall_percent)
    amount = line.liquidated_usd if line else at_risk.at(limits.ordinary_fall_percent) - held
    if amount <= 0 and not held and (line is None or line.bad_debt_usd <= 0):
        return f"On an ordinary bad day ({day}) **nothing** is liquidated and nobody loses."
    share = at_risk.share_at(line.largest_fall_percent if line else limits.ordinary_fall_percent, amount)
    start = f"On an ordinary bad day ({day}) {_first_round(amount, held, line is not None, share)}"
    if line is None:
        return f"{start}; no scenario of that size was run, so what it costs lenders is not known."
    if line.bad_debt_usd <= 0:
        return f"{start}, and no bad debt is left."
    if level["ordinary_bad_debt"] == "none":
        return f"{start}, and bad debt stays at {percent(line.bad_debt_usd / supplied)} of supply ({money(line.bad_debt_usd)})."
    return f"{start}, and lenders are left with **{money(line.bad_debt_usd)}** of bad debt, {percent(line.bad_debt_usd / supplied)} of supply."


def _first_round(amount: float, held: float, was_run: bool, share: float) -> str:
    """What is taken (in a run, or of the curve), its share of the collateral, and what a pause holds back: of a run the debt that waits, of the curve the collateral."""
    verb = "is liquidated" if was_run else "can be taken in a first round"
    taken = f"**{money(amount)}** of collateral {verb}, {percent(share)} of it"
    waits = "of debt could be liquidated and waits" if was_run else "of collateral falls due"
    if not held:
        return taken
    if amount <= 0.005:
        return f"**nothing** {verb}: **{money(held)}** {waits}, held back by a pause"
    return f"{taken}, while **{money(held)}** {waits}, held back by a pause"


def _danger(
    lines: tuple[ScenarioLine, ...],
    at_risk: AtRisk,
    exposure: Dependence,
    supplied: float,
    level: dict[str, str],
    is_part: bool,
) -> str:
    worst, scenarios, cause = lines[0], len(lines), _cause(exposure, level["one_feed"])
    several = f"{'the ' if is_part else ''}{spelled(scenarios)} scenarios{' run' if is_part else ''}"
    run = f"the worst of {several}" if scenarios > 1 else "the one scenario run"
    held = (
        f", with **{money(worst.paused_debt_usd)}** of debt waiting for the end of a pause"
        if worst.paused_debt_usd
        else ""
    )
    if worst.liquidated_usd == 0 and worst.bad_debt_usd <= 0:
        if held:
            return f"The danger is what waits: {run}, {worst.title}, liquidates nothing{held}; {cause}."
        if scenarios > 1:
            return f"The danger lies beyond what was tried: none of {several} liquidates anything, {worst.title} included; {cause}."
        return f"The danger lies beyond what was tried: {run}, {worst.title}, liquidates nothing; {cause}."
    lost = f"{percent(ratio(worst.bad_debt_usd, supplied))} of supply"
    if level["bad_debt"] == "none":
        left = "no bad debt" if worst.bad_debt_usd <= 0 else f"{money(worst.bad_debt_usd)} of bad debt, {lost}"
        full = at_risk.full_at_percent
        room = (
            f"the pools are full at {_fall(at_risk, full)}"
            if full is not None
            else f"the pools take all that falls due down to {_fall(at_risk, at_risk.points[-1].fall_percent)}"
        )
        end = held or (f", and {room}" if at_risk.is_bounded else "")
        return (
            f"The danger is size before loss: {cause}; {run}, {worst.title}, liquidates **{money(worst.liquidated_usd)}** "
            f"and leaves {left}{end}."
        )
    alone = worst.shocked == (at_risk.symbol,)
    among = f", the worst of the {spelled(scenarios)} scenarios run," if is_part and scenarios > 1 else ""
    loss = f"{worst.title}{among} leaves lenders **{money(worst.bad_debt_usd)}** of bad debt, {lost}"
    path = _path(worst, at_risk, level["indirect"], alone) + held
    if alone and level["one_feed"] == "one feed":
        return f"The danger is one price: {cause}; {loss}, and {path}."
    start = "The danger is one price" if len(worst.shocked) == 1 else "The danger is several prices at once"
    return f"{start}: {loss}, and {path}{_driver(worst)}; {cause}."


def _cause(exposure: Dependence, level: str) -> str:
    if not exposure.feeds:
        return "no price feed of the collateral is known"
    feed = exposure.feeds[0]
    symbols = list(dict.fromkeys(part.symbol for part in exposure.posted if part.feed == feed.name))
    named = listing(symbols) if len(symbols) <= 4 else f"{', '.join(symbols[:3])} and {len(symbols) - 3} more"
    if level == "one feed":
        return f"one feed, {feed.name}, values {named}, **{percent(feed.share_ratio)}** of the collateral"
    return f"the largest feed, {feed.name}, values {percent(feed.share_ratio)} of the collateral ({named})"


def _driver(worst: ScenarioLine) -> str:
    """How far the price goes that most of the loss hangs on, where sales take it further than the shock did."""
    if not worst.leading_change_ratio < -worst.largest_fall_percent / 100 - 0.01:
        return ""
    part = "all" if worst.leading_ratio >= 1 - 1e-9 else percent(worst.leading_ratio)
    part = f"{part} of it" if worst.leading_ratio > 0 else "the largest part of it"
    return f", {part} against {worst.leading_symbol}, which forced sales take to {change(worst.leading_change_ratio)}"


def _path(worst: ScenarioLine, at_risk: AtRisk, level: str, alone: bool) -> str:
    """`alone`: the scenario shocks the curve's asset and nothing else, so the curve's crossing belongs to it, if it falls so far."""
    later, first = percent(worst.indirect_ratio), percent(1 - worst.indirect_ratio)
    full = at_risk.full_at_percent if alone and not worst.paused_debt_usd else None
    if worst.indirect_usd < 0.005 * worst.bad_debt_usd:
        return "all of it comes in the first round"
    if level == "feeds on itself":
        is_past = full is not None and full < worst.largest_fall_percent
        past = f"past {_fall(at_risk, full)} forced sales outrun the pools and " if full is not None and is_past else ""
        return f"{past}the loss feeds on itself: **{later}** of it comes after the first round"
    if level == "mixed":
        return f"{first} of it comes in the first round, **{later}** in later ones"
    return f"**{first}** of it comes in the first round, {later} in later ones"


def _bound(cascade: Cascade, at_risk: AtRisk, few: float, level: dict[str, str], limits: Thresholds) -> str:
    room = _room(at_risk, cascade.scenario.title if level["bad_debt"] != "none" else "", limits)
    lines = cascade.positions[:_FEW]
    if not lines:
        return f"{sentence(room)}."
    what = "bad debt" if cascade.by_bad_debt else "liquidations"
    whole = few >= cascade.total_usd * (1 - 1e-9)
    part = "**all**" if whole else f"**{percent(few / cascade.total_usd)}**"
    carried = f"{part} of the {what} at {cascade.scenario.title}"
    if level["few_positions"] == "few":
        names = listing([f"`{line.name}`" if line.name.startswith("0x") else line.name for line in lines])
        who = "one position" if len(lines) == 1 else f"{spelled(len(lines))} positions"
        return (
            f"Watch {who} first ({names}): {'it carries' if len(lines) == 1 else 'they carry'} {carried}, "
            f"{money(few)}{'' if whole else f' of {money(cascade.total_usd)}'}; and {room}."
        )
    spread = "the loss is spread, " if level["few_positions"] == "many" else ""
    largest = (
        "the largest position carries" if len(lines) == 1 else f"the {spelled(len(lines))} largest positions carry"
    )
    return f"{sentence(room)}; {spread}{largest} {carried}."


def _is_range(cascade: Cascade) -> bool:
    return len({part.bad_debt_usd for part in cascade.range}) > 1


def _hangs_on(cascade: Cascade) -> str:
    """The worst scenario's bad debt between a world that absorbs all that sales do to prices and one that absorbs nothing."""
    line = cascade.scenario
    absorb = {0.0: "all that sales do to prices", 1.0: "nothing of it"}
    said = [
        f"{'a loss that does not end' if part.bad_debt_usd is None else f'**{money(part.bad_debt_usd)}**'} where outside markets absorb "
        f"{absorb.get(part.pass_through, f'{percent(1 - part.pass_through)} of it')} (λ {part.pass_through:g})"
        for part in cascade.range
        if part.pass_through != line.pass_through
    ]
    return f"That is at λ {line.pass_through:g}, and nobody can observe λ: {line.title} leaves {listing(said)}."


def _room(at_risk: AtRisk, losing: str, limits: Thresholds) -> str:
    """What the pools can take of what falls due at the watched fall, before anybody sells; `losing` is the worst scenario where that leaves bad debt.

    No bound on growth follows from it: later rounds sell more, into pools that have fallen."""
    fall, watch = _fall(at_risk, limits.watch_fall_percent), limits.watch_fall_percent
    due, capacity, held = at_risk.at(watch), at_risk.capacity_at(watch), at_risk.paused_at(watch)
    if held:
        return f"what the pools can take at {fall} is not told: **{money(held)}** of the {money(due)} that falls due cannot be taken while the pause lasts"
    if due == 0:
        return f"nothing falls due at {fall}"
    if not at_risk.is_bounded:
        return f"no pool was read that trades what falls, so the {money(due)} that falls due at {fall} counts as sold outside at the market price"
    if capacity <= 0:
        return f"no pool takes any of the {money(due)} that falls due at {fall} within the liquidation bonus"
    if due > capacity:
        return f"the pools can take only **{money(capacity)}** of the {money(due)} that falls due at {fall} in a first round"
    later = f"; later rounds are not in that, and {losing} leaves bad debt all the same" if losing else ""
    return f"the {money(due)} that falls due at {fall} in a first round is **{percent(due / capacity)}** of what the pools can take then, {money(capacity)}{later}"


def _fall(at_risk: AtRisk, fall_percent: float) -> str:
    return f"{at_risk.symbol} {change(-fall_percent / 100)}"


def _of(part: float, whole: float) -> float:
    """A share that is without end where there is something and nothing to hold it against."""
    return part / whole if whole > 0 else (float("inf") if part > 0 else 0.0)
