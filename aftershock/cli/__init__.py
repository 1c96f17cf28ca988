"""The command line: one verb a question, a thin skin over `aftershock`. Exit codes: 0 fine, 1 threshold crossed, 2 usage, 3 data incomplete."""

import gc
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from aftershock.cli.plain_text import encode_what_can_be
from aftershock.cli.verbs import verbs
from chain.errors import DATA_INCOMPLETE, USAGE, AftershockError

CLOSED_PIPE = 141

app = typer.Typer(
    name="aftershock",
    help="DeFi systemic risk: who is exposed to what, what a shock sets off, and a report a DAO can act on. Works offline on the embedded sample.",
    epilog="Start with: aftershock demo",
    cls=verbs(
        *("demo", "doctor", "snapshot", "history", "check", "simulate", "scenarios", "replay", "forecast"),
        *("report", "what-if", "diff", "timeline", "export"),
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
query = typer.Typer(cls=verbs("exposure", "paths", "shared", "systemic", "risk", "names"), no_args_is_help=True)
app.add_typer(query, name="query", help="Ask the protocol graph.")
train = typer.Typer(cls=verbs("volatility"), no_args_is_help=True)
app.add_typer(train, name="train", help="Train a model on your own data.")


def _show_version(is_asked: bool) -> None:
    if is_asked:
        from aftershock.version import __version__

        typer.echo(f"aftershock {__version__}")
        raise typer.Exit


@app.callback()
def _group(
    ctx: typer.Context,
    version: Annotated[  # noqa: ARG001 - its callback answers
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    if ctx.invoked_subcommand == "query":  # multiplies no matrices: threads that wait for some are a tenth of its work
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@query.callback()
def _questions() -> None:
    pass


@train.callback()
def _training() -> None:
    pass


def main() -> None:
    """Entry point: runs a verb; an error is one sentence on standard error and its exit code.

    A reader that closes the pipe (`| head`) gives 141, as if ended by SIGPIPE: exit code 1 keeps its one meaning.
    """
    encode_what_can_be()
    gc.set_threshold(
        100_000
    )  # almost all that is made is kept: searching it for cycles every 700 objects takes a twentieth
    try:
        app()
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):
            _pipe_is_closed()
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            _pipe_is_closed()
        if ended.code == USAGE and (late := _behind_dashes(sys.argv)):
            sys.stderr.write(f"Everything behind -- is taken for a name, {late} too; put options before it\n")
        raise
    except AftershockError as error:
        _end(str(error), error.exit_code)
    except OSError as error:
        _end(f"{error.filename or 'output'}: {error.strerror or error}", DATA_INCOMPLETE)
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        _end("stopped; nothing was written", 130)
    finally:
        gc.freeze()  # what ends with the process anyway is not searched for cycles first: a tenth of a question's time


def _behind_dashes(words: Sequence[str]) -> str:
    """The first word behind a lone `--` that looks like an option by its long name; empty if there is none."""
    behind = words[words.index("--") + 1 :] if "--" in words else ()
    return next((word for word in behind if word.startswith("--")), "")


def _pipe_is_closed() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(CLOSED_PIPE)


def _end(sentence: str, code: int) -> None:
    from aftershock.cli.terminal import printable

    sys.stderr.write(f"aftershock: {printable(sentence)}\n")
    sys.exit(code)
