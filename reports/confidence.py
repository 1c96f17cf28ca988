"""The confidence grade: rules that each name the best grade possible while they apply; the strictest of those that apply decides, and says why."""

from reports.amounts import count, listing, percent
from reports.record import Assessment, Rule
from reports.thresholds import GRADES, Thresholds

_BETTER = {"B": "A", "C": "B", "D": "C"}


def confidence(found: Assessment, limits: Thresholds) -> tuple[str, str, tuple[Rule, ...]]:
    """Grade, the reason why it is not one better, and every rule with what was found."""
    subject, coverage, exposure = found.subject, found.coverage, found.exposure
    outlook, warned = found.outlook, found.file_findings
    known, stale = coverage.known_ratio, sorted({part.feed for part in exposure.posted if part.feed_state == "stale"})
    share = f"{percent(known)} of supply is verified or derived"
    findings = {
        "generated_data": (
            bool(subject.caption),
            f"the numbers are captioned “{subject.caption}”"
            if subject.caption
            else "data of a user’s file"
            if subject.block is None
            else "data of a chain",
        ),
        "failed_check": (
            coverage.failures > 0,
            f"{count(coverage.failures, 'comparison')} with the chain failed"
            if coverage.failures
            else "every comparison with the chain passed"
            if coverage.compared
            else "no comparison with a chain was made",
        ),
        "known_below_half": (known < limits.known["half"], f"{share}, the limit is {percent(limits.known['half'])}"),
        "known_below_most": (known < limits.known["most"], f"{share}, the limit is {percent(limits.known['most'])}"),
        "known_below_nearly_all": (
            known < limits.known["nearly_all"],
            f"{share}, the limit is {percent(limits.known['nearly_all'])}",
        ),
        "stale_feed": (
            bool(stale),
            f"the {'feed' if len(stale) == 1 else 'feeds'} {listing(stale)} {'is older than its' if len(stale) == 1 else 'are older than their'} heartbeat"
            if stale
            else "no feed of the collateral is older than its heartbeat",
        ),
        "one_protocol": (
            coverage.markets <= 1,
            "one market was read; others that sell into the same pools are not in it"
            if coverage.markets <= 1
            else f"{coverage.markets} markets were read together",
        ),
        "no_probability": (
            outlook is None,
            "scenarios are stated, not drawn: no number here says how likely they are"
            if outlook is None
            else f"the outlook says how likely a loss is, over {outlook.draws:,} draws from a volatility forecast; scenarios are stated",
        ),
    }
    rules = tuple(Rule(name, limits.confidence[name], *findings[name]) for name in limits.confidence)
    grade = max([rule.best for rule in rules if rule.applies], default="A", key=GRADES.index)
    reasons = [rule.finding for rule in rules if rule.applies and rule.best == grade]
    reason = f"Not {_BETTER[grade]}, because {listing(reasons)}." if grade != "A" else "No rule lowers it."
    if warned is not None and warned.found:
        reason += f" No rule here weighs that aftershock check has {warned.counted} against {warned.path.name}."
    return grade, reason, rules
