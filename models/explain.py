"""What moved a forecast: which features of which nodes, and which edges; and how far such an account can be trusted.

A network's correction is taken apart by integrated gradients (Captum; through PyG's explainer where there is a graph), from the training
mean of every feature of every node to what was there: the parts add up to the correction, in log variance. What an edge does is what changes
when it is taken out. (PyG 2.8 can weigh edges in the same account, but on heterogeneous data it passes their weights through a sigmoid, so
the account is of another network than the one that answers; the sums here were off by 0.67.) Any other model is asked by permutation: how much
worse it becomes when a feature is dealt out anew.

References
----------
Sundararajan, M., Taly, A., Yan, Q. (2017). Axiomatic attribution for deep networks. ICML, arXiv:1703.01365, equation 1 and proposition 1.
Breiman, L. (2001). Random forests. Machine Learning 45, 5-32, doi:10.1023/A:1010933404324, section 10: permutation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from captum.attr import IntegratedGradients
from numpy.typing import NDArray
from torch import Tensor, nn
from torch_geometric.explain import CaptumExplainer, Explainer

from chain.errors import InputError, unknown_name
from models.forecaster import Fitted
from models.networks.build import corrections
from models.networks.forecaster import NetworkFitted
from models.networks.graph import GraphNetwork
from models.networks.relations import ASSET
from models.samples import Samples
from models.scores import qlike
from models.training import one_thread

Floats32 = NDArray[np.float32]
Part = tuple[str, str, int, str, int | None, str, float]
"""(what, kind of node, its place, name, place of the target, kind of the target, log variance)"""
REPEATS = 3
STEPS = 50
"""Points on the way from nothing to what was there, where gradients are taken."""


def attributions(fitted: NetworkFitted, samples: Samples, as_of_s: int, asset: str) -> pd.DataFrame:
    """What the network added to the base's log variance for one asset at one instant, part by part.

    Returns
    -------
    One row for each feature of each node and for each edge: what ("feature" or "edge"), kind and node (of the source, for an edge), name (of the
    feature, or of the relation), target (for an edge), log_variance. Largest first, by size. The features add up to the network's correction
    less that for a world at its training mean, but for the error of integration (see `fidelity`); edges are no part of that sum.

    Raises
    ------
    InputError : the instant is not among the samples, or the network answers quantiles. UnknownNameError : no such asset.
    """
    at, place = _where(fitted, samples, as_of_s, asset)
    x = _scaled(fitted, samples)[at : at + 1]
    parts: list[pd.DataFrame] = []
    for member in fitted.modules:
        with one_thread():
            parts.append(
                _of_graph(fitted, member, x, as_of_s, place)
                if isinstance(member, GraphNetwork)
                else _of_rows(fitted, member, x, place, samples.assets)
            )
    table = parts[0].copy()
    table["log_variance"] = np.mean([part["log_variance"].to_numpy() for part in parts], axis=0)
    order = np.argsort(-table["log_variance"].abs().to_numpy(), kind="stable")
    return table.iloc[order].reset_index(drop=True)


@dataclass(frozen=True)
class Fidelity:
    """How true an account is, in log variance.

    Attributes
    ----------
    gap : largest difference, over the forecasts looked at, between the sum of the features' parts and the change that they should add up to.
    named : mean size of the change of the correction when the parts named as largest are put to their training mean.
    random : the same for as many features drawn at random: an account that knows something is well above it.
    """

    gap: float
    named: float
    random: float


def fidelity(
    fitted: NetworkFitted,
    samples: Samples,
    asked: Sequence[tuple[int, str]],
    rng: np.random.Generator,
    take_away: int = 5,
) -> Fidelity:
    """Test accounts by taking away what they name.

    Parameters
    ----------
    asked : (instant, asset) of the forecasts whose account is tested.
    take_away : how many features of the asset itself are put to their training mean.
    """
    gaps: list[float] = []
    named: list[float] = []
    drawn: list[float] = []
    x = _scaled(fitted, samples)
    for as_of_s, asset in asked:
        at, place = _where(fitted, samples, as_of_s, asset)
        table = attributions(fitted, samples, as_of_s, asset)
        here = x[at : at + 1]
        now, mean = (_correction(fitted, here, as_of_s, place, at_mean) for at_mean in (False, True))
        gaps.append(abs(float(table[table["what"] == "feature"]["log_variance"].sum()) - (now - mean)))
        own = table[(table["what"] == "feature") & (table["node"] == asset)]["name"].tolist()
        for names, into in ((own[:take_away], named), (rng.choice(own, take_away, replace=False).tolist(), drawn)):
            without = here.copy()
            without[:, place, [fitted.names.index(name) for name in names]] = 0.0
            into.append(abs(_correction(fitted, without, as_of_s, place) - now))
    return Fidelity(max(gaps), float(np.mean(named)), float(np.mean(drawn)))


def permutation_importance(
    fitted: Fitted,
    samples: Samples,
    rng: np.random.Generator,
    groups: Mapping[str, Sequence[str]] | None = None,
) -> pd.DataFrame:
    """By how much mean QLIKE rises when features are dealt out anew over instants, the same way for all assets; for any model.

    Parameters
    ----------
    samples : fresh ones, of which the outcome is known.
    groups : features that are dealt out together, by a name for them; each by itself if None. Alike features hide each other: group them.

    Returns
    -------
    group, features, qlike_rise (mean of REPEATS deals), spread (their standard deviation). Largest first.
    """
    wanted = dict(groups) if groups is not None else {name: (name,) for name in samples.names}
    base = float(np.nanmean(qlike(samples.y, fitted.predict(samples))))
    rows = []
    for group, names in wanted.items():
        columns, rises = samples.columns(names), []
        for _ in range(REPEATS):
            dealt = samples.x.copy()
            dealt[:, :, columns] = dealt[rng.permutation(len(dealt))][:, :, columns]
            rises.append(float(np.nanmean(qlike(samples.y, fitted.predict(replace(samples, x=dealt))))) - base)
        rows.append((group, len(names), float(np.mean(rises)), float(np.std(rises))))
    table = pd.DataFrame(rows, columns=["group", "features", "qlike_rise", "spread"])
    return table.sort_values("qlike_rise", ascending=False, ignore_index=True, kind="stable")


def _where(fitted: NetworkFitted, samples: Samples, as_of_s: int, asset: str) -> tuple[int, int]:
    if fitted.levels:
        raise InputError(
            "Accounts are made of a forecast of the variance, not of quantiles; explain the network with the gamma loss."
        )
    if asset not in samples.assets:
        raise unknown_name("asset", asset, samples.assets)
    found = np.flatnonzero(samples.as_of_s == as_of_s)
    if not len(found):
        raise InputError(
            f"There is no forecast at {np.datetime64(as_of_s, 's')} UTC among the samples; name one of their instants."
        )
    return int(found[0]), samples.assets.index(asset)


def _scaled(fitted: NetworkFitted, samples: Samples) -> Floats32:
    return fitted.scale(samples.with_features(fitted.names).x)


def _correction(fitted: NetworkFitted, x: Floats32, as_of_s: int, place: int, at_mean: bool = False) -> float:
    """The mean correction of the members for one asset; `at_mean`: with every feature of every node at its training mean."""
    answers, graphs = [], fitted.batches
    for member in fitted.modules:
        with torch.inference_mode(), one_thread():
            if graphs is None:
                answered = member(torch.from_numpy(np.zeros_like(x) if at_mean else x))[0]
            else:
                inputs, ends, values = graphs.at(np.array([as_of_s]), torch.from_numpy(x))
                answered = member({kind: each * (not at_mean) for kind, each in inputs.items()}, ends, values)
            answers.append(float(answered[place, 0]))
    return float(np.mean(answers))


def _of_rows(fitted: NetworkFitted, member: nn.Module, x: Floats32, place: int, assets: Sequence[str]) -> pd.DataFrame:
    """Assets do not see each other: only the asset's own row has a part."""

    def answer(rows: Tensor) -> Tensor:
        return corrections(member, None, np.zeros(len(rows), np.int64), rows.unsqueeze(1))[:, 0, 0]

    row = torch.from_numpy(x[0, place : place + 1])
    found = IntegratedGradients(answer).attribute(row, n_steps=STEPS)[0].detach().numpy()
    rows: list[Part] = [
        ("feature", ASSET, place, name, None, "", float(value)) for name, value in zip(fitted.names, found, strict=True)
    ]
    return _table(rows, {ASSET: assets})


def _of_graph(fitted: NetworkFitted, member: GraphNetwork, x: Floats32, as_of_s: int, place: int) -> pd.DataFrame:
    assert fitted.batches is not None
    history = fitted.batches.history
    inputs, ends, values = fitted.batches.at(np.array([as_of_s]), torch.from_numpy(x))
    explainer = Explainer(
        member,
        CaptumExplainer(IntegratedGradients, n_steps=STEPS),
        explanation_type="model",
        node_mask_type="attributes",
        model_config={"mode": "regression", "task_level": "node", "return_type": "raw"},
    )
    found = explainer(inputs, ends, index=place, values=values)
    names = {ASSET: fitted.names} | {nodes.kind: nodes.names for nodes in history.others}
    rows: list[Part] = [
        ("feature", kind, node, name, None, "", float(value))
        for kind in inputs
        for node, each in enumerate(found[kind].node_mask.detach().numpy())
        for name, value in zip(names[kind], each, strict=True)
    ]
    with torch.inference_mode():
        whole = float(member(inputs, ends, values)[place, 0])
        for kinds in history.types:
            for edge, (source, target) in enumerate(ends[kinds].T.tolist()):
                others = torch.arange(ends[kinds].shape[1]) != edge
                without = ends | {kinds: ends[kinds][:, others]}, values | {kinds: values[kinds][others]}
                change = whole - float(member(inputs, *without)[place, 0])
                rows.append(("edge", kinds[0], source, kinds[1], target, kinds[2], change))
    return _table(rows, {ASSET: history.assets} | {nodes.kind: nodes.keys for nodes in history.others})


def _table(rows: Sequence[Part], keys: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """The rows with nodes by their keys; the target of an edge is an asset or another node, as its relation says."""
    named = [
        (what, kind, keys[kind][node], name, "" if target is None else keys[end][target], value)
        for what, kind, node, name, target, end, value in rows
    ]
    return pd.DataFrame(named, columns=["what", "kind", "node", "name", "target", "log_variance"])
