"""Options that several verbs share, each written once."""

from pathlib import Path
from typing import Annotated

import typer

from chain.errors import InputError

Source = Annotated[
    str, typer.Option("--snapshot", help="Snapshot folder; the embedded sample by default.", metavar="FOLDER")
]
Exposures = Annotated[
    Path | None,
    typer.Option(
        "--exposures", help="Own exposures instead of a snapshot: holder, claim_on, amount_usd.", metavar="FILE"
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
Shocks = Annotated[
    list[str],
    typer.Option(
        "--shock",
        help="Change of a price; may be given several times, changes of one asset multiply.",
        metavar="ASSET=CHANGE%",
    ),
]
ScenarioName = Annotated[
    str | None, typer.Option("--scenario", help="Shipped scenario, or a TOML file.", metavar="NAME|FILE")
]
PassThrough = Annotated[
    float | None,
    typer.Option(
        help="Share of on-chain price impact that outside markets do not absorb: 0 price taker, 1 closed world.",
        metavar="0..1",
    ),
]
Gas = Annotated[float | None, typer.Option("--gas-usd", help="Cost of one liquidation.", metavar="USD")]
FailAbove = Annotated[float | None, typer.Option(help="Exit with 1 if bad debt is above this.", metavar="USD")]
Folder = Annotated[Path, typer.Option("--out", help="Folder to write to; made if it does not exist.", metavar="FOLDER")]


def opened(source: str, exposures: Path | None) -> str:
    """What to load: the file of exposures where one is given; InputError if a snapshot is named too."""
    if exposures is None:
        return source
    if source != "sample":
        raise InputError(f"give either --snapshot {source} or --exposures {exposures}, not both")
    if not exposures.is_file():
        raise InputError(
            f"--exposures {exposures} is no file; give a CSV or Parquet file with holder, claim_on, amount_usd"
        )
    return str(exposures)
