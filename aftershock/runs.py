"""What runs a simulation: risk of liquidation, cascades, reports. The public names are those of `aftershock`."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from aftershock import choices, risks
from aftershock.questions import graph
from aftershock.risks import Risk
from aftershock.version import __version__
from chain.errors import ConvergenceError, InputError, many
from chain.snapshot import Snapshot
from graph.protocol_graph import ProtocolGraph
from reports.file_warnings import FileWarnings
from reports.outlook import Outlook
from reports.record import Assessment
from simulations import cascade, health
from simulations import scenarios as scenario_files
from simulations.book import Book
from simulations.book_of_graph import from_graph, refuse_claims
from simulations.frontier import against_falls
from simulations.gas import UNITS, gas
from simulations.opening import Opening, opening
from simulations.result import CascadeResult, Round
from simulations.scenarios import Assumptions, Scenario
from simulations.shocks import find, name_of, parse

LARGEST_FALL = "largest_fall"
FALLS = tuple(percent / 100 for percent in range(51))
PASS_THROUGHS = (0.0, 1.0)  # what nobody can observe: a report runs its worst scenario at both ends too


def risk(
    source: Snapshot | ProtocolGraph,
    name: str,
    asset: str | None = None,
    falls: Sequence[float] = risks.FALLS,
    gas_usd: float | None = None,
    gas_gwei: float | None = None,
    gas_units: int = UNITS,
    scenario: str | Scenario | None = None,
    progress: Callable[[Round], None] = lambda _: None,
    tell: Callable[[str], None] = lambda _: None,
) -> Risk:
    """The risk of a market, or of all markets of a protocol: exposure, what a fall makes liquidatable and what of it liquidation cannot mend.

    Parameters
    ----------
    asset : what falls; by default ETH where a fall of it moves collateral of these markets, otherwise the largest collateral that they hold.
    falls : ratios from 0 (as it stands at the block) to below 1.
    gas_usd, gas_gwei, gas_units : cost of one liquidation, either in USD or as a price of gas for so many units; $5 if neither is given.
    scenario : what a cascade is run for, too; `largest_fall` for the largest shipped fall of `asset`. None for no cascade.
    progress : called with each round of it.
    tell : told after each fall how many are worked out, before the cascade begins.

    Raises
    ------
    InputError
        If the name is no market or protocol, a fall is not a ratio from 0 to below 1, or the cost of gas is given twice.
    """
    require_falls(falls)
    asked = graph(source)
    refuse_claims(asked)
    table, key = asked.nodes["market"], asked.find(name)
    keys = table.loc[(table["node"] == key) | (table["protocol"] == key), "node"].tolist()
    if not len(asked.snapshot["positions"]):
        raise InputError(f"nothing was posted or borrowed in {asked.snapshot.name}, so there is nothing to liquidate")
    if not keys:
        raise InputError(
            f"{name} is neither a market nor a protocol with markets; name one of {_listed(asked, table['node'].tolist())}"
        )
    held = from_graph(asked)
    _require_simulated(held, keys)
    cost = gas(held, Assumptions().gas_usd if gas_usd is None and gas_gwei is None else gas_usd, gas_gwei, gas_units)
    falling = name_of(held, asset) if asset else choices.main_asset(held, keys)
    found = risks.risk_of(held, asked.label(key), keys, falling, falls, cost, tell)
    chosen: Scenario | None = None if isinstance(scenario, str) else scenario
    if isinstance(scenario, str):
        chosen = choices.largest_fall(held, falling) if scenario == LARGEST_FALL else scenario_files.get(scenario)
    result = None if chosen is None else cascade.run(held, chosen, progress)
    return risks.joined(found, asked, name, result)


def _require_simulated(held: Book, keys: Sequence[str]) -> None:
    """InputError, with the reason, where none of these markets is in the book."""
    if not {market.key for market in held.markets} & set(keys):
        why = [note for note in held.notes for key in keys if note.startswith(f"{key} ")]
        raise InputError(f"{', '.join(why) or ', '.join(keys)}; ask `query exposure` about it, or name another market")


def simulate(
    source: Snapshot | ProtocolGraph,
    scenario: str | Scenario | None = None,
    shocks: Sequence[str] = (),
    progress: Callable[[Round], None] = lambda _: None,
    **assumptions: Any,
) -> CascadeResult:
    """Run one scenario to calm.

    Parameters
    ----------
    scenario : name of a shipped scenario, path of a TOML file, or a Scenario; or give `shocks` as written on the command line.
    assumptions : replace those of the scenario: pass_through, gas_usd, max_rounds.

    Raises
    ------
    InputError
        If both or neither of scenario and shocks are given, or one of them cannot be applied.
    """
    return cascade.run(from_graph(graph(source)), chosen_scenario(scenario, shocks, assumptions), progress)


def require_falls(falls: Sequence[float]) -> None:
    """InputError if one is no ratio from 0 to below 1."""
    for fall in falls:
        if not 0 <= fall < 1:
            raise InputError(f"a fall of {100 * fall:g} % cannot be; give 0 to below 100")


def chosen_scenario(scenario: str | Scenario | None, shocks: Sequence[str], assumptions: Mapping[str, Any]) -> Scenario:
    """The scenario that arguments mean; exactly one of name and shocks must be given."""
    if (scenario is None) == (not shocks):
        raise InputError("give either a scenario or at least one shock, for example ETH=-20%")
    if scenario is None:
        return scenario_files.of_shocks([parse(shock) for shock in shocks], Assumptions(**assumptions))
    known = scenario_files.get(scenario) if isinstance(scenario, str) else scenario
    return replace(known, assumptions=replace(known.assumptions, **assumptions))


def report(
    source: Snapshot | ProtocolGraph,
    market: str | None = None,
    scenario_names: Sequence[str] = (),
    asset: str | None = None,
    progress: Callable[[str, str], None] = lambda *_: None,
    known: Sequence[CascadeResult] = (),
    outlook: Outlook | None = None,
    given: str | None = None,
    warned: FileWarnings | None = None,
) -> Assessment:
    """Assess one market under several scenarios: the record from which reports are drawn (`reports.render.write`).

    Parameters
    ----------
    market : any name of it; may be left out where there is one market.
    scenario_names : names or files; by default all shipped scenarios that move collateral of the market, or falls of `asset` if none does.
    asset : what falls in the at-risk curve; by default ETH where a fall of it moves collateral of the market, otherwise the largest collateral that it holds.
    progress : called with a stage and what it found.
    known : cascades of this very source that were run already; they are not run again.
    outlook : a volatility forecast and the tail of bad debt under it (`aftershock.outlooks`), to be told too.
    given : folder or file of the source as it was typed, for the command that reproduces the report; by default the snapshot's name.
    warned : what `aftershock check` has against the file that the source is.
    """
    from reports.assessment import assess
    from reports.at_risk import at_risk_of
    from reports.cascades import worst_first
    from reports.frontier import frontier_of
    from reports.market_rows import of_market

    asked = graph(source)
    refuse_claims(asked)
    key = market_key(asked, market)
    held = from_graph(asked)
    _require_simulated(held, [key])
    usual = choices.main_asset(held, [key])
    falling = name_of(held, asset) if asset else usual
    curve, fallen = health.at_risk(held, falling, FALLS, key), held.assets[find(held, falling)[0]]
    cost = gas(held, usd=Assumptions().gas_usd)
    applicable, named = choices.applicable(held, [key], falling), dict[Scenario, str]()
    for name in sorted(set(scenario_names)):
        named.setdefault(scenario_files.in_book(held, scenario_files.get(name)), name)
    results, begin, by_scenario = [], opening(held), {result.scenario: result for result in known}
    for chosen in list(named) or applicable:
        results.append(by_scenario.get(chosen) or cascade.run(begin, chosen, _tell(progress, chosen.title)))
        progress(chosen.title, f"calm after {many(results[-1].calm_after, 'round')}")
    (_, worst), *_ = worst_first(results, key, asked.snapshot)
    return assess(
        asked.snapshot,
        of_market(asked, key),
        at_risk_of(curve, fallen.symbol, fallen.price_usd),
        results,
        frontier=frontier_of(against_falls(held, falling, risks.FALLS, cost.usd, [key]), key, fallen.symbol, cost.text),
        command=_report_command(
            _short_name(asked, key),
            [] if set(named) == set(applicable) else list(named.values()),
            None if falling == usual else falling,
            given or asked.snapshot.name,
            () if outlook is None else outlook.options,
        ),
        warned=warned,
        tool=f"aftershock {__version__}",
        chain_name=_chain_name(key),
        left_out=[one.title for one in applicable if named and one not in named],
        outlook=outlook,
        at_other_shares=_at_other_shares(begin, worst.scenario, progress),
    )


def _at_other_shares(
    begin: Opening, scenario: Scenario, progress: Callable[[str, str], None]
) -> dict[float, CascadeResult | None]:
    """The scenario again where the outside market absorbs all and nothing of what sales do to prices; None where it is not calm in its rounds."""
    found: dict[float, CascadeResult | None] = {}
    for share in PASS_THROUGHS:
        if share != scenario.assumptions.pass_through:
            title = f"{scenario.title}, λ {share:g}"
            other = replace(scenario, assumptions=replace(scenario.assumptions, pass_through=share))
            try:
                found[share] = cascade.run(begin, other, _tell(progress, title))
            except ConvergenceError:
                found[share] = None
    return found


def _report_command(market: str, scenarios: Sequence[str], asset: str | None, source: str, more: Sequence[str]) -> str:
    """The command as it follows from the content, however it was typed: what would be chosen by itself is left out; files and folders as they were given, so that it runs."""
    words = ["aftershock", "report", market]
    for name in scenarios:
        words += ["--scenario", name]
    if asset is not None:
        words += ["--asset", asset]
    if source != "sample":
        words += ["--snapshot", source]
    return shlex.join([*words, *more])


def _short_name(asked: ProtocolGraph, market: str) -> str:
    """What a person would call a market: its protocol if that has no other, its instance or its label if that is nothing else, else the key."""
    table = asked.nodes["market"]
    protocol = str(table.set_index("node").at[market, "protocol"])
    if (table["protocol"] == protocol).sum() == 1 and protocol != "file":
        return protocol
    stated = asked.snapshot["markets"].set_index("market")["instance"].get(market)
    for name in (stated, asked.label(market)):
        try:
            if isinstance(name, str) and asked.find(name) == market:
                return name
        except InputError:
            continue
    return market


def _tell(progress: Callable[[str, str], None], title: str) -> Callable[[Round], None]:
    return lambda step: progress(title, f"round {step.number}")


def market_key(asked: ProtocolGraph, name: str | None) -> str:
    """The one market that a name means; it may be left out where there is one. InputError names the markets otherwise."""
    markets = asked.nodes["market"]["node"].tolist()
    if name is None and len(markets) == 1:
        return str(markets[0])
    if name is None:
        raise InputError(f"there are {len(markets)} markets; name one of {_listed(asked, markets)}")
    key = asked.find(name)
    inside = asked.nodes["market"].loc[asked.nodes["market"]["protocol"] == key, "node"].tolist()
    if key in markets or len(inside) == 1:
        return key if key in markets else str(inside[0])
    raise InputError(f"{name} is not one market; name one of {_listed(asked, inside or markets)}")


def _listed(asked: ProtocolGraph, markets: Sequence[str]) -> str:
    return ", ".join(_short_name(asked, market) for market in markets)


def _chain_name(market: str) -> str:
    from chain.networks import networks

    chain = ":".join(market.split(":")[:2])
    return networks()[chain].name if chain in networks() else chain
