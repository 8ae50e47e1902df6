"""The list of commands in a group's help: each with its whole first sentence, over several lines where it is long."""

from __future__ import annotations

from gettext import gettext
from typing import Any

from typer.core import TyperGroup

_WHOLE = 10_000


class Group(TyperGroup):
    """A group whose help does not break a sentence off with "..." where the line ends."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 typer's own click has no public names
        """Write the list; called while the help is made."""
        rows = [
            (name, command.get_short_help_str(_WHOLE))
            for name in self.list_commands(ctx)
            if (command := self.get_command(ctx, name)) is not None and not command.hidden
        ]
        with formatter.section(gettext("Commands")):
            formatter.write_dl(rows)
