"""The commands and their options. Each one's work stands in a module of its own, loaded when it is called."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from gettext import gettext as _
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.core

UsageError: Any = typer.BadParameter.__base__


class _Words:
    """A help page's fixed words, in the user's language."""

    def get_help_option(self, ctx: Any) -> Any:
        """The option `--help`."""
        option = super().get_help_option(ctx)  # type: ignore[misc]
        if option is not None:
            option.help = _("Show this message and exit.")
        return option

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        """The first line of the page."""
        pieces = self.collect_usage_pieces(ctx)  # type: ignore[attr-defined]
        formatter.write_usage(ctx.command_path, " ".join(pieces), f"{_('Usage:')} ")


class Page(_Words, typer.core.TyperCommand):
    """One command."""


USAGE_ERRORS = (
    *("No such option: {}", "No such command {}.", "Missing argument {}.", "Invalid value for {}: {}"),
    *("Option {} requires an argument.", "Got unexpected extra argument(s) ({})"),
)
"""What the library says of a command line that is wrong, which it does not translate."""


class Commands(_Words, typer.core.TyperGroup):
    """Ends every command alike: an error is one line on stderr, in the server's own words."""

    def main(self, *args: Any, **more: Any) -> Any:
        """Run the command line, and exit."""
        try:
            sys.exit(super().main(*args, **{**more, "standalone_mode": False}))
        except UsageError as error:
            from geekai_cli._screen import note

            if error.ctx:
                note(error.ctx.get_usage())
                note(_("Try '{} -h' for help.").format(error.ctx.command_path))
            note(_("Error: {}").format(_in_words(error.format_message())))
            sys.exit(2)

    def invoke(self, ctx: Any) -> Any:
        """Run a command; what went wrong becomes its exit code."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()  # a reader who left is noticed here, and not at the interpreter's end
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
        except Exception as error:
            from geekai_cli._screen import complain
            from geekai_core import ConfigurationError, GeekAIError

            if not isinstance(error, (GeekAIError, OSError)) or isinstance(error, BrokenPipeError):
                raise
            complain(error)
            raise typer.Exit(2 if isinstance(error, ConfigurationError) else 1) from None
        return result


def _in_words(message: str) -> str:
    """One of `USAGE_ERRORS` in the user's language; any other as it is."""
    for form in USAGE_ERRORS:
        if found := re.fullmatch(re.escape(form).replace(r"\{\}", "(.*)"), message, re.DOTALL):
            return _(form).format(*found.groups())
    return message


app = typer.Typer(
    cls=Commands,
    help=_("GeekAI (极客智坊) from a terminal. The key comes from GEEKAI_API_KEY, the host from GEEKAI_BASE_URL."),
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
Id = Annotated[str, typer.Argument(help=_("The id of the answer or the task."))]
Tried = Annotated[str | None, typer.Option("--model", "-m", help=_("Also ask this model (billed)."))]
Json = Annotated[bool, typer.Option("--json", help=_("Print JSON."))]
BaseUrl = Annotated[str | None, typer.Option("--base-url", metavar="URL", help=_("The host. [GEEKAI_BASE_URL]"))]


def command(**settings: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a function a command of its name, with its docstring as the help, translated."""
    return lambda function: app.command(cls=Page, help=_(function.__doc__ or ""), **settings)(function)


def _version(wanted: bool) -> None:
    if wanted:
        from geekai_core import __version__

        typer.echo(f"geekai {__version__}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help=_("Print the version."))]


@app.callback()
def _geekai(version: Version = False) -> None:
    pass


@command()
def models(
    text: Annotated[str, typer.Argument(help=_("Only models whose id, name or owner holds this."))] = "",
    capability: Annotated[list[str] | None, typer.Option(help=_("Only models listed with it; repeatable."))] = None,
    min_context: Annotated[int, typer.Option(help=_("Only models listed with a context of so many tokens."))] = 0,
    base_url: BaseUrl = None,
    json: Json = False,
) -> None:
    """List the models with context, capabilities and price."""
    from geekai_cli.models import run

    run(text, capability or [], min_context, base_url, json)


@command()
def chat(
    question: Annotated[str | None, typer.Argument(help=_("What to ask. Default: the piped text, or a talk."))] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help=_("The model. [GEEKAI_MODEL]"))] = None,
    system: Annotated[str | None, typer.Option(help=_("What the model reads first."))] = None,
    search: Annotated[bool, typer.Option("--search", help=_("Search the web first. Searches are billed."))] = False,
    think: Annotated[bool, typer.Option("--think", help=_("Turn on reasoning, where a model can switch it."))] = False,
    save: Annotated[Path | None, typer.Option(help=_("Add questions and answers to this Markdown file."))] = None,
    history: Annotated[Path | None, typer.Option(help=_("Go on with the talk in this file."))] = None,
    base_url: BaseUrl = None,
    json: Json = False,
) -> None:
    """Ask a question, or talk."""
    from geekai_cli._kept import Kept
    from geekai_cli.chat import run

    first = [{"role": "system", "content": system}] if system else []
    on = ["/search"] * search + ["/think"] * think
    run(question, on, Kept(model or os.environ.get("GEEKAI_MODEL") or None, save, history, first), base_url, json)


@command()
def bill(id: Id, base_url: BaseUrl = None, json: Json = False) -> None:
    """What this answer or task really cost. It takes GEEKAI_SYSTEM_KEY."""
    from geekai_cli.account import show

    show(lambda client: client.bill(id), base_url, json)


@command()
def balance(base_url: BaseUrl = None, json: Json = False) -> None:
    """What is left on the account. It takes GEEKAI_SYSTEM_KEY."""
    from geekai_cli.account import show

    show(lambda client: client.balance(), base_url, json)


@command(add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def serve(context: typer.Context) -> None:
    """Run a GeekAI endpoint here, as geekai-local does."""
    from geekai_local.__main__ import main

    main(context.args)


@command()
def doctor(model: Tried = None, base_url: BaseUrl = None, json: Json = False) -> None:
    """Check key, host, proxies and versions, and ask for the models. Exit code 1: something is wrong."""
    from geekai_cli.doctor import run

    if not run(model, base_url, json):
        raise typer.Exit(1)
