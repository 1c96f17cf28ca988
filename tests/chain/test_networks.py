"""The chain registry, where a node's address comes from, and that no key of it is ever shown."""

import pytest

from chain.errors import InputError, UnknownNameError
from chain.networks import checked_url, network, networks, node_url, redact


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://mainnet.example.io/v3/0123456789abcdef", "https://mainnet.example.io"),
        ("https://user:secret@node.example/", "https://node.example"),
        ("http://127.0.0.1:8545/?apikey=secret", "http://127.0.0.1:8545"),
        ("http://[::1:8545/secret", "(no readable address)"),
        ("http://host:port/secret", "(no readable address)"),
        ("secret", "(no readable address)"),
        ("", "(no readable address)"),
    ],
)
def test_only_scheme_and_host_are_shown(url: str, shown: str) -> None:
    assert redact(url) == shown


@pytest.mark.parametrize(
    "url", ["ws://node.example/secret", "file:///secret", "node.example/secret", "https:///secret"]
)
def test_an_address_that_is_not_http_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(InputError, match="http") as caught:
        checked_url(url)
    assert "secret" not in str(caught.value)


def test_the_node_comes_from_the_option_then_from_the_environment() -> None:
    everything = {
        "AFTERSHOCK_RPC_1": "http://own:1",
        "ETH_RPC_URL": "http://eth:1",
        "WEB3_PROVIDER_URI": "http://web3:1",
    }
    assert node_url("eip155:1", everything, "http://given:1") == "http://given:1"
    assert node_url("eip155:1", everything) == "http://own:1"
    assert node_url("eip155:1", {**everything, "AFTERSHOCK_RPC_1": ""}) == "http://eth:1"
    assert node_url("eip155:31337", everything) == "http://web3:1"
    with pytest.raises(InputError, match="AFTERSHOCK_RPC_31337 or WEB3_PROVIDER_URI"):
        node_url("eip155:31337", {"ETH_RPC_URL": "http://eth:1"})


def test_an_unknown_chain_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean eip155:1"):
        network("eip155:11")


def test_the_registry_can_be_used() -> None:
    for chain, facts in networks().items():
        assert facts.chain == f"eip155:{facts.chain_id}" == chain
        assert facts.block_interval_seconds > 0 <= facts.finality_lag_blocks
        assert len(facts.multicall3) == 42 and facts.multicall3 == facts.multicall3.lower()
