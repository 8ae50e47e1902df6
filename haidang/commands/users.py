"""Commands about who may use the pages. The running daemon writes; these ask it to."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from haidang.commands.common import ConfigOption, JsonOption, print_json, print_table, read_config
from haidang.commands.requests import request

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Users of the pages, and tokens of programs.")


@app.command()
def link(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the user; whoever is first may choose one.")] = "",
    role: Annotated[
        Literal["viewer", "operator", "admin"] | None,
        typer.Option(
            help="viewer looks, operator acknowledges and plans, admin sees users; default: as it is, or viewer."
        ),
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a link that adds a user, or sets another password.

    It works once, within a day.
    """
    answer = request(read_config(config), "user.link", name=name, role=role or "")
    if as_json:
        print_json(answer)
        return
    typer.echo(answer["link"])
    if not answer["served"]:
        typer.echo("the pages are not served now: put their address before the path", err=True)


@app.command("list")
def list_users(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show who can sign in."""
    found = request(read_config(config), "user.list")["users"]
    if as_json:
        print_json(found)
    else:
        print_table(
            ("name", "role", "second factor", "known by"),
            (
                (one["name"], one["role"], "code" if one["totp"] else "-", "provider" if one["oidc"] else "password")
                for one in found
            ),
            none="nobody can sign in yet: haidang user link NAME makes a link",
        )  # fmt: skip


@app.command()
def adopt(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As the provider calls them.")],
    config: ConfigOption = None,
) -> None:
    """Let a user come through the OpenID provider.

    Whom the provider calls so is this user from their next sign-in there, within a day. For a user who had a password
    until now, one whose access was taken away, and one whom the provider knows anew.
    """
    request(read_config(config), "user.adopt", name=name)
    typer.echo(f"{name} may come through the provider, once within a day")


@app.command("totp-off")
def totp_off(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the user.")], config: ConfigOption = None
) -> None:
    """Ask a user for no one-time code any more.

    For who has lost the telephone and the recovery codes; the password stays.
    """
    request(read_config(config), "user.totp_off", name=name)
    typer.echo(f"{name} is asked for no one-time code any more")


@app.command()
def remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the user, or of the program with --token.")],
    token: Annotated[bool, typer.Option("--token", help="A program's token of that name instead of a user.")] = False,
    config: ConfigOption = None,
) -> None:
    """Take access away, at once."""
    request(read_config(config), "user.remove", name=name, token=token)
    typer.echo(f"{'the token of ' if token else ''}{name} may do nothing any more")


@app.command()
def token(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the program; an earlier token of it ends.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SCOPE",
            help="What it may; can be given again. read: /api/v1 and its event stream; operate: also acknowledge, note "
            "and plan; admin: also see users and the audit; hook: only hand events in. Default: read.",
        ),
    ] = None,
    days: Annotated[
        int | None, typer.Option(min=1, max=3650, help="How long it is good; default: until it is removed.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a token with which a program may use /api/v1."""
    answer = request(read_config(config), "user.token", name=name, scopes=list(scope or ["read"]), days=days)
    if as_json:
        print_json(answer)
    else:
        typer.echo(answer["token"])


@app.command()
def tokens(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show which programs have a token.

    What it may, until when it is good, and when the program last came.
    """
    found = request(read_config(config), "user.tokens")["tokens"]
    if as_json:
        print_json(found)
    else:
        print_table(
            ("name", "scopes", "created", "until", "last seen"),
            ((one["name"], " ".join(one["scopes"]), one["created"], one["until"] or "-", one["seen"] or "never")
             for one in found),
            none="no program has a token: haidang user token NAME makes one",
        )  # fmt: skip
