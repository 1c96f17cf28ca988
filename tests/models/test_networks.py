"""Networks before and after learning: where they start, what they see, and that the ablations differ in their edges only."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from chain.errors import InputError, UnknownNameError
from models.features.past import with_past
from models.forecaster import Fitted, Forecaster
from models.networks.attention import table_of
from models.networks.batches import GraphBatches
from models.networks.build import answers, build, corrections, parameters
from models.networks.graph import GraphNetwork
from models.networks.layout import Layout, Scale, lay_out, scale_of
from models.networks.relations import (
    ASSET,
    Edges,
    GraphHistory,
    category_edges,
    correlation_edges,
    flow_edges,
    from_day_after,
    identity,
    shuffled,
)
from models.networks.sequence import encoder_of
from models.networks.shape import NETWORKS, Shape
from tests.models.network_worlds import ASSETS, DAY_S, SMALL, Level, forecaster, ring, world

NAMES = world().names
SCALES = {"market": scale_of(ring().others[0].x, ring().others[0].names)}


def network(name: str, history: GraphHistory | None = None, seed: int = 0) -> torch.nn.Module:
    return build(name, lay_out(NAMES), 1, SMALL, history or ring(), seed).eval()


def loosened(module: torch.nn.Module) -> torch.nn.Module:
    """The network with a last layer that is no longer zero, so that what it sees shows in what it says."""
    with torch.no_grad():
        module.get_parameter("head.linear.weight").fill_(0.1)
    return module


def answer(module: torch.nn.Module, x: np.ndarray, history: GraphHistory | None = None) -> np.ndarray:
    graphs = GraphBatches(history or ring(), SCALES)
    with torch.inference_mode():
        return corrections(module, graphs, world().as_of_s[: len(x)], torch.from_numpy(x)).numpy()


@pytest.mark.parametrize("name", NETWORKS)
def test_the_untrained_network_stands_where_its_base_stands(name: str) -> None:
    samples = world()
    x = scale_of(samples.x, samples.names)(samples.x)
    assert np.array_equal(answer(network(name), x), np.zeros((80, 5, 1)))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_weight_can_learn(name: str) -> None:
    """No part of a network is cut off from its answer."""
    module = loosened(network(name))
    x = torch.from_numpy(scale_of(world().x, NAMES)(world().x))
    corrections(module, GraphBatches(ring(), SCALES), world().as_of_s, x).square().sum().backward()  # type: ignore[no-untyped-call]
    dead = [key for key, weight in module.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert dead == []


def test_a_forecaster_and_what_it_fits_keep_the_protocol() -> None:
    fitted = forecaster("mlp").fit(world(), None, np.random.default_rng(0))
    assert isinstance(forecaster("mlp"), Forecaster)
    assert isinstance(fitted, Fitted)
    assert forecaster("graph", label="ring").name == "graph (ring) on level"


def test_assets_see_their_neighbours_only_through_edges() -> None:
    """A and E hear B; in one layer nobody else does."""
    x = np.random.default_rng(0).standard_normal((2, 5, len(NAMES))).astype(np.float32)
    for name, heard in {"graph": {"B", "A", "E"}, "mlp": {"B"}, "gru": {"B"}}.items():
        module = loosened(network(name))
        changed = x.copy()
        changed[:, 1] += 1.0
        moved = np.abs(answer(module, changed) - answer(module, x)).max(axis=(0, 2)) > 1e-7
        assert {asset for asset, did in zip(ASSETS, moved, strict=True) if did} == heard


def test_graphs_of_one_batch_do_not_mix() -> None:
    """Instants answered together and one by one get the same answer, each with the graph of its day."""
    module = loosened(network("graph-gru"))
    days = world().as_of_s[38:42]  # the second graph is known from the third of these on
    x = np.random.default_rng(0).standard_normal((4, 5, len(NAMES))).astype(np.float32)
    x[2:] = x[:2]
    graphs = GraphBatches(ring(), SCALES)
    with torch.inference_mode():
        together = corrections(module, graphs, days, torch.from_numpy(x)).numpy()
        alone = [
            corrections(module, graphs, days[row : row + 1], torch.from_numpy(x[row : row + 1])).numpy()[0]
            for row in range(4)
        ]
    assert np.allclose(together, np.stack(alone), atol=1e-6)
    assert np.abs(together[0] - together[2]).max() > 1e-4
    # The same edges throughout: what still differs is what the markets say on each day.
    only_nodes = GraphBatches(replace(ring(), graphs=ring().graphs[:1] * 2), SCALES)
    with torch.inference_mode():
        told = corrections(module, only_nodes, days, torch.from_numpy(x)).numpy()
    assert np.abs(told[0] - told[2]).max() > 1e-4
    assert np.allclose(told[:2], together[:2], atol=1e-6)


def test_the_graph_layer_is_pyg_s_own() -> None:
    """One layer against PyG's HeteroConv with the same weights."""
    from torch_geometric.nn import HeteroConv

    module = loosened(network("graph"))
    assert isinstance(module, GraphNetwork)
    x = torch.randn(3, 5, len(NAMES))
    inputs, ends, values = GraphBatches(ring(), SCALES).at(world().as_of_s[:3], x)
    layer = module.layers[0]
    assert isinstance(layer, torch.nn.ModuleDict)
    twin = HeteroConv({kinds: layer["__".join(kinds)] for kinds in ring().types[:1]}, aggr="sum")
    with torch.inference_mode():
        state = {
            ASSET: module.activate(module.enter[ASSET](module.present(inputs[ASSET]))),
            "market": module.activate(module.enter["market"](inputs["market"])),
        }
        heard = twin({ASSET: state[ASSET]}, ends, values)[ASSET]
        lists = ("market", "lists", ASSET)
        heard = heard + layer["__".join(lists)]((state["market"], state[ASSET]), ends[lists])
        final = module.head(state[ASSET] + module.activate(heard), module.present(inputs[ASSET]))
        assert torch.allclose(final, module(inputs, ends, values), atol=1e-6)


def test_ablations_have_the_same_parameters_and_as_many_edges() -> None:
    history = ring(markets=False)
    changed = {"identity": identity(history), "shuffled": shuffled(history, np.random.default_rng(1))}
    counts = {parameters(network("graph", graph)) for graph in (history, *changed.values())}
    assert len(counts) == 1
    for graph in changed.values():
        for before, after in zip(history.graphs, graph.graphs, strict=True):
            assert np.array_equal(before[0].ends[1], after[0].ends[1])
            assert np.array_equal(before[0].values, after[0].values)
    assert all((graph[0].ends[0] == graph[0].ends[1]).all() for graph in changed["identity"].graphs)
    assert (changed["shuffled"].graphs[0][0].ends[0] != history.graphs[0][0].ends[0]).any()
    assert np.array_equal(changed["shuffled"].graphs[0][0].ends, changed["shuffled"].graphs[1][0].ends)


def test_the_same_seed_builds_the_same_network_and_leaves_torch_alone() -> None:
    state = torch.random.get_rng_state()
    first, second, other = (network("graph-lstm", seed=seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


def test_the_past_of_a_feature_is_what_it_was() -> None:
    samples = world(past=0)
    grown = with_past(samples, ("z",), 2, DAY_S)
    assert grown.names == ("z", "noise", "holes", "z@1", "z@2")
    assert np.array_equal(grown.x[2:, :, 4], samples.x[:-2, :, 0])
    assert np.isnan(grown.x[:2, :, 4]).all()
    late = with_past(samples.between(int(samples.as_of_s[10]), int(samples.as_of_s[20])), ("z",), 1, DAY_S, samples)
    assert np.array_equal(late.x[:, :, 3], samples.x[9:19, :, 0])
    with pytest.raises(InputError, match="both must be at least 1"):
        with_past(samples, ("z",), 0, DAY_S)


def test_the_layout_runs_from_the_oldest_to_now() -> None:
    assert lay_out(("a", "b", "a@1", "b@1", "a@2", "b@2")) == Layout((0, 1), ((4, 5), (2, 3), (0, 1)))
    assert lay_out(("a",)) == Layout((0,), ())
    for names, lost in {("a", "a@2"): "a@1", ("a@1",): "lacks the feature 'a'", ("a", "a@x"): "count of steps"}.items():
        with pytest.raises(InputError, match=lost):
            lay_out(names)


def test_scaling_is_that_of_known_training_rows() -> None:
    x = np.array([[1.0, 5.0, np.nan], [3.0, 5.0, 100.0], [np.nan, 5.0, 300.0]])
    scale = scale_of(x, ("a", "b", "a@1"))
    assert np.allclose(scale(x), [[-1, 0, 0], [1, 0, 6], [0, 0, 6]])
    assert isinstance(scale, Scale)


def test_correlation_edges_agree_with_pandas() -> None:
    import pandas as pd

    rng = np.random.default_rng(5)
    returns = rng.standard_normal((300, 6)) + rng.standard_normal((300, 1)) * np.linspace(0, 2, 6)
    returns[::7, 2] = np.nan
    edges = correlation_edges(returns, 2)
    table = pd.DataFrame(returns).corr().to_numpy() - 2 * np.eye(6)
    for target in range(6):
        mine = edges.ends[1] == target
        assert set(edges.ends[0][mine]) == set(np.argsort(-table[target])[:2])
        assert np.allclose(edges.values[mine, 0], table[edges.ends[0][mine], target], atol=0.02)
    assert correlation_edges(np.full((300, 3), np.nan), 2).ends.shape == (2, 0)


def test_flow_and_category_edges() -> None:
    flow = flow_edges(
        ASSETS, ["A", "A", "B", "C", "Z", "C"], ["B", "B", "A", "B", "A", "C"], [1.0, 2.0, 5.0, 1.0, 9.0, 9.0]
    )
    assert flow.ends.tolist() == [[0, 1, 2], [1, 0, 1]]
    assert flow.values[:, 0].tolist() == [0.75, 1.0, 0.25]
    category = category_edges(ASSETS, {"A": "x", "B": "y", "C": "x", "D": "x"})
    assert category.ends.shape == (2, 6)
    assert set(category.values[:, 0]) == {0.5}


def test_a_graph_of_a_day_is_used_from_the_next_day_on() -> None:
    assert from_day_after(5 * DAY_S) == 6 * DAY_S
    history = GraphHistory(ASSETS, np.array([DAY_S, 2 * DAY_S]), (), ((), ()))
    assert history.at(np.array([DAY_S, 2 * DAY_S - 1, 2 * DAY_S, 9 * DAY_S])).tolist() == [0, 0, 1, 1]
    with pytest.raises(InputError, match="No graph is known at 0 s"):
        history.at(np.array([0]))


def test_bad_input_says_what_to_do() -> None:
    edges = Edges(np.array([[0], [7]]), np.zeros((1, 1)))
    with pytest.raises(InputError, match="a node that is not there"):
        GraphHistory(ASSETS, np.array([0]), ((ASSET, "near", ASSET),), ((edges,),))
    with pytest.raises(InputError, match="known kinds of nodes are asset"):
        GraphHistory(ASSETS, np.array([0]), ((ASSET, "in", "pool"),), ((edges,),))
    with pytest.raises(InputError, match="must rise"):
        GraphHistory(ASSETS, np.array([1, 1]), (), ((), ()))
    with pytest.raises(UnknownNameError, match="did you mean graph"):
        build("grph", lay_out(NAMES), 1, SMALL, ring(), 0)
    with pytest.raises(InputError, match="needs a graph history"):
        build("graph", lay_out(NAMES), 1, SMALL, None, 0)
    with pytest.raises(InputError, match="no look-back sequence"):
        build("gru", lay_out(("z",)), 1, SMALL, None, 0)
    with pytest.raises(InputError, match="heads must divide"):
        Shape(hidden=7, heads=2)
    with pytest.raises(InputError, match="build the graph for the assets of the samples"):
        few = world().at(np.arange(80) < 60)
        forecaster("graph", history=GraphHistory(("X",), np.array([0]), (), ((),))).fit(
            few, None, np.random.default_rng(0)
        )


def test_level_is_the_mean() -> None:
    """The base of these tests against NumPy, so that the others may lean on it."""
    samples = world()
    found = Level().fit(samples, None, np.random.default_rng(0)).predict(samples)
    assert found.shape == samples.y.shape
    assert np.allclose(found[0], np.nanmean(samples.y, axis=0))


@pytest.mark.parametrize("name", ["graph", "graph-gru"])
def test_what_a_network_answers_by_tables_is_what_its_pyg_layers_answer(name: str) -> None:
    """Two graphs over time, two relations, nodes of two kinds, an asset that nobody reaches."""
    bare = tuple(
        tuple(Edges(edges.ends[:, edges.ends[1] != 2], edges.values[edges.ends[1] != 2]) for edges in graph)
        for graph in ring().graphs
    )
    history = replace(ring(), graphs=bare)
    module = loosened(network(name, history))
    graphs = GraphBatches(history, SCALES)
    x = torch.randn(60, 5, len(NAMES), generator=torch.Generator().manual_seed(1))
    days = world().as_of_s[10:70]
    with torch.inference_mode():
        told, twin = answers(module, graphs, days, x), corrections(module, graphs, days, x)
    assert len(np.unique(history.at(days))) == 2 and graphs.tables(0) is not None
    assert torch.allclose(told, twin, atol=1e-5) and float(told.std()) > 0.01


def test_edges_that_would_be_mostly_padding_stay_edges() -> None:
    star = Edges(np.stack([np.arange(1, 40), np.zeros(39, dtype=np.int64)]), np.ones((39, 1)))
    assert table_of(star, 40) is None
    table = table_of(Edges(np.array([[1, 2, 0], [0, 0, 2]]), np.array([[1.0], [2.0], [3.0]])), 3)
    assert table is not None
    assert table.sources.tolist() == [[1, 2], [0, 0], [0, 0]] and table.heard.flatten().tolist() == [1, 0, 1]
    assert table.values[2, 0].item() == 3.0 and torch.isinf(table.there[2, 1]).all()


def test_instants_in_any_order_each_get_the_edges_of_their_own_graph() -> None:
    rng = np.random.default_rng(8)
    made = [Edges(rng.integers(0, 4, (2, count)), rng.random((count, 1))) for count in (3, 0, 5)]
    history = GraphHistory(
        ("A", "B", "C", "D"), np.array([0, 10, 20]), (("asset", "r", "asset"),), tuple((e,) for e in made)
    )
    instants = [25, 3, 12, 21, 0]
    _, ends, values = GraphBatches(history, {}).at(np.array(instants), torch.zeros(5, 4, 1))
    place = ends["asset", "r", "asset"].numpy()
    for row, instant in enumerate(instants):
        mine, graph = place[1] // 4 == row, made[instant // 10]
        assert (place[:, mine] - 4 * row == graph.ends).all() and mine.sum() == len(graph.values)
        assert np.allclose(values["asset", "r", "asset"].numpy()[mine], graph.values)


@pytest.mark.parametrize(("units", "gates"), [("lstm", 4), ("gru", 3)])
def test_recurrent_units_have_the_gates_of_their_papers(units: str, gates: int) -> None:
    """Each gate has a matrix from the input, one from the state, and PyTorch's two offsets."""
    encoder = encoder_of(units, Layout((0, 1, 2), ((0, 1, 2), (3, 4, 5))), Shape(hidden=8, heads=2))
    assert parameters(encoder) == gates * 8 * (3 + 8 + 2)
    state = encoder(torch.zeros(5, 2, 3))
    assert state.shape == (5, 8) and bool((state.abs() < 1).all())
