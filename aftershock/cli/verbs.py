"""Verbs that are imported when they are called: each is the module of its name, with `run` and an `EXAMPLE`."""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup


def verbs(*names: str) -> type[TyperGroup]:
    """A group of these verbs, in this order, before what else is in the group; help of the group imports them all."""

    class Verbs(TyperGroup):
        """The group."""

        def list_commands(self, ctx: Any) -> list[str]:
            """Names, without importing anything."""
            return [*names, *(name for name in super().list_commands(ctx) if name not in names)]

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            """The verb; a name that is none brings all of them, so that the nearest can be suggested."""
            known = cmd_name in names or cmd_name in self.commands
            for name in [cmd_name] if known else names:
                if name not in self.commands:
                    self.commands[name] = _verb(name)
            return super().get_command(ctx, cmd_name)

    return Verbs


def _verb(name: str) -> Any:
    module = import_module(f"aftershock.cli.{name.replace('-', '_')}")
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    alone.command(name, epilog=module.EXAMPLE)(module.run)
    return typer.main.get_command(alone)
