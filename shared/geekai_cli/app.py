"""The commands and their options. Each one's work stands in a module of its own, loaded when it is called."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
import typer.core


class Commands(typer.core.TyperGroup):
    """Ends every command alike: an error is one line on stderr, in the server's own words."""

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

            if not isinstance(error, GeekAIError):
                raise
            complain(error)
            raise typer.Exit(2 if isinstance(error, ConfigurationError) else 1) from None
        return result


app = typer.Typer(
    cls=Commands,
    help="GeekAI (极客智坊) from a terminal. The key comes from GEEKAI_API_KEY, the host from GEEKAI_BASE_URL.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _version(asked: bool) -> None:
    if asked:
        from geekai_core import __version__

        typer.echo(f"geekai {__version__}")
        raise typer.Exit


@app.callback()
def _geekai(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def models(
    text: Annotated[str, typer.Argument(help="Only models whose id, name or owner holds this.")] = "",
    capability: Annotated[list[str] | None, typer.Option(help="Only models listed with it; may be repeated.")] = None,
    min_context: Annotated[int, typer.Option(help="Only models listed with a context of so many tokens.")] = 0,
    json: Json = False,
) -> None:
    """List the models with context, capabilities and price."""
    from geekai_cli.models import run

    run(text, capability or [], min_context, json)


@app.command()
def chat(
    question: Annotated[str | None, typer.Argument(help="What to ask. Default: standard input, or a talk.")] = None,
    model: Annotated[str | None, typer.Option(envvar="GEEKAI_MODEL", help="The model to ask.")] = None,
    system: Annotated[str | None, typer.Option(help="What the model is told first.")] = None,
    search: Annotated[bool, typer.Option("--search", help="Search the web first. Searches are billed.")] = False,
    think: Annotated[bool, typer.Option("--think", help="Turn on reasoning, for models that can switch it.")] = False,
    json: Json = False,
) -> None:
    """Ask a question, or talk."""
    from geekai_cli.chat import run

    fields: dict[str, Any] = {"model": model, "enable_thinking": think or None}
    if search:  # the results have the sources' titles
        fields |= {"enable_search": True, "search_config": {"return_result": True}}
    run(question, system, fields, json)


@app.command(add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def serve(context: typer.Context) -> None:
    """Run a GeekAI endpoint here, as geekai-local does."""
    from geekai_local.__main__ import main

    main(context.args)


@app.command()
def doctor(
    model: Annotated[str | None, typer.Option(help="Also ask this model for a few tokens (billed).")] = None,
    json: Json = False,
) -> None:
    """Check key, host, proxies and versions, and ask for the models. Exit code 1: something is wrong."""
    from geekai_cli.doctor import run

    if not run(model, json):
        raise typer.Exit(1)
