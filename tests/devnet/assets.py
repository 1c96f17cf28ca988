"""The tokens of the world and their price feeds: WETH9, mintable tokens, a staking vault, Chainlink's mock feeds."""

from collections.abc import Mapping

from web3.contract import Contract

from tests.devnet.contracts import artifact
from tests.devnet.market import FEEDS, PRICE_DECIMALS, RESERVES, raw_price
from tests.devnet.transactions import Ledger

FIRST_STAKE_WEI = 1_000 * 10**18
DEPLOYER_ETHER_WEI = 10**9 * 10**18


def deploy_tokens(ledger: Ledger) -> dict[str, Contract]:
    """Deploy the six tokens and return them by symbol, in the order of `market.RESERVES`."""
    wrapped = ledger.deploy(artifact("WETH9"))
    tokens = {"WETH": wrapped, "lstETH": ledger.deploy(artifact("StakedEther"), wrapped.address)}
    for symbol, reserve in RESERVES.items():
        if symbol not in tokens:
            tokens[symbol] = ledger.deploy(
                artifact("TestnetERC20"), reserve.name, symbol, reserve.decimals, ledger.deployer
            )
    return {symbol: tokens[symbol] for symbol in RESERVES}


def deploy_feeds(ledger: Ledger) -> dict[str, Contract]:
    """Deploy the feeds at opening prices and return them by symbol of the priced asset (``ETH``, ``BTC``, ...)."""
    return {
        symbol: ledger.deploy(artifact("MockV3Aggregator"), PRICE_DECIMALS, raw_price(feed.opening_usd))
        for symbol, feed in FEEDS.items()
    }


def price_sources(
    ledger: Ledger, tokens: Mapping[str, Contract], feeds: Mapping[str, Contract]
) -> tuple[dict[str, str], Contract]:
    """Return where the lending market reads each token's price, and the adapter of the staked token."""
    adapter = ledger.deploy(
        artifact("RatioPriceAdapter"), feeds["ETH"].address, tokens["lstETH"].address, "lstETH / ETH / USD"
    )
    sources = {symbol: str(feeds[reserve.feed].address) for symbol, reserve in RESERVES.items()}
    return {**sources, "lstETH": str(adapter.address)}, adapter


def fund(ledger: Ledger, tokens: Mapping[str, Contract], symbol: str, amount: int) -> None:
    """Put `amount` smallest units of a token into the deployer's hands, by the way the token itself provides."""
    if amount <= 0:
        return
    if symbol == "WETH":
        ledger.call("wrap ether", tokens["WETH"], "deposit", value=amount)
    elif symbol == "lstETH":
        ledger.mine()
        cost = int(tokens["lstETH"].functions.previewMint(amount).call())
        fund(ledger, tokens, "WETH", cost)
        ledger.call("approve the vault", tokens["WETH"], "approve", tokens["lstETH"].address, cost)
        ledger.call("stake", tokens["lstETH"], "mint", amount, ledger.deployer)
    else:
        ledger.call(f"mint {symbol}", tokens[symbol], "mint(address,uint256)", ledger.deployer, amount)


def open_vault(ledger: Ledger, tokens: Mapping[str, Contract], rate: float) -> None:
    """Make the first deposit into the staking vault and bring it to `rate` assets a share."""
    ledger.node.request("anvil_setBalance", ledger.deployer, hex(DEPLOYER_ETHER_WEI))
    fund(ledger, tokens, "lstETH", FIRST_STAKE_WEI)
    pay_staking_rewards(ledger, tokens, rate)


def pay_staking_rewards(ledger: Ledger, tokens: Mapping[str, Contract], rate: float) -> None:
    """Donate as much wrapped ether to the staking vault as brings it to `rate` assets a share."""
    ledger.mine()
    vault = tokens["lstETH"]
    shares, held = int(vault.functions.totalSupply().call()), int(vault.functions.totalAssets().call())
    missing = shares * round(rate * 10**9) // 10**9 - held
    if missing <= 0:
        raise ValueError(f"the vault is already at {held / shares:.6f} assets a share, over {rate}")
    fund(ledger, tokens, "WETH", missing)
    ledger.call("pay staking rewards", tokens["WETH"], "transfer", vault.address, missing)
    ledger.mine()


def publish(ledger: Ledger, feeds: Mapping[str, Contract], prices_usd: Mapping[str, float]) -> None:
    """Publish a new round on each feed named in `prices_usd`."""
    for symbol, price in prices_usd.items():
        ledger.call(f"publish {symbol}", feeds[symbol], "updateAnswer", raw_price(price))
    ledger.mine()
