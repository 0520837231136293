"""An agent that searches the web and counts days, shows each step, and stops after so many of them.

    pip install ".[langchain]" langchain rich typer
    python examples/agent.py "How many days ago was the last leap day?"

The key is in GEEKAI_API_KEY; without one, start `geekai-local`, set GEEKAI_BASE_URL to what it prints, and the key to
anything. In LlamaIndex the same is a `FunctionAgent` with the tools of `GeekAISearchToolSpec`.
"""

import datetime

import typer
from langchain.agents import create_agent
from langchain.agents.middleware import ModelCallLimitMiddleware
from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from rich.console import Console

from geekai_core import GeekAIError
from geekai_core.harmless import harmless
from langchain_geekai import ChatGeekAI, GeekAISearchTool, collect

SYSTEM = "Use the tools where they help. Cite what you found by its number, such as [1]. Be brief."
console = Console(highlight=False, markup=False)


def today() -> str:
    """The date of today, as YYYY-MM-DD."""
    return datetime.date.today().isoformat()


def days_between(first: datetime.date, last: datetime.date) -> int:
    """How many days there are from the first date to the last one, both as YYYY-MM-DD."""
    return (last - first).days


def show(message: AnyMessage) -> None:
    """Print a step: what a tool answered, or what the model said and which tools it calls."""
    if isinstance(message, ToolMessage):
        for line in harmless(message.text).splitlines():
            console.print(f"    {line}", style="dim")
    elif isinstance(message, AIMessage):
        console.print(harmless(message.text), end="\n" if message.text else "")
        for call in message.tool_calls:
            given = ", ".join(f"{name}={value!r}" for name, value in call["args"].items())
            console.print(f"  → {harmless(call['name'])}({given})", style="cyan")


def main(question: str, model: str = "gpt-4o-mini", steps: int = 6) -> None:
    """Answer QUESTION with the help of tools, asking the model at most STEPS times."""
    agent = create_agent(
        ChatGeekAI(model=model),
        tools=[GeekAISearchTool(count=3), today, days_between],
        system_prompt=SYSTEM,
        middleware=[ModelCallLimitMiddleware(run_limit=steps)],  # it ends with a message that says so
    )
    try:
        with collect() as spent:
            for update in agent.stream({"messages": [("user", question)]}, stream_mode="updates"):
                for step in update.values():
                    for message in (step or {}).get("messages", []):
                        show(message)
    except GeekAIError as error:
        raise SystemExit(f"{type(error).__name__}: {error}") from None
    tokens = spent.usage.get("total_tokens", 0)
    console.print(f"{len(spent.calls)} calls, {tokens} tokens, {spent.billed_units:g} billed searches", style="dim")


if __name__ == "__main__":
    typer.run(main)
