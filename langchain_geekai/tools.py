"""`GeekAISearchTool`: a web search for LangChain's agents."""

from __future__ import annotations

from typing import Annotated, Literal

from langchain_core.documents import Document
from langchain_core.tools import ArgsSchema, BaseTool
from pydantic import BaseModel, Field, SkipValidation

from geekai_core.citations import listing
from langchain_geekai._sources import documents
from langchain_geekai.retrievers import Searching


class SearchInput(BaseModel):
    """What the model is asked for."""

    query: str = Field(description="What to look for, as one would type it into a search engine.")


class GeekAISearchTool(Searching, BaseTool):
    """Lets an agent search the web, with any model that calls tools.

    ```python
    from langchain.agents import create_agent
    from langchain_geekai import ChatGeekAI, GeekAISearchTool

    agent = create_agent(ChatGeekAI(model="gpt-4o"), tools=[GeekAISearchTool(count=5)])
    ```

    The model reads numbered sources, which it can cite as [1]; the `ToolMessage` has them as documents in `artifact`.
    Fields: those of `SearchOptions`. It is not named `web_search`, as vendors name searches of their own. Searches are
    billed; `collect()` gathers what was found. Errors: each is GeekAI's and LangChain's at once, see
    `geekai_core.errors`. A pickled object carries its key: treat it as a secret.
    """

    name: str = "geekai_search"
    description: str = (
        "Search the web for current or particular facts. "
        "Returns numbered sources with title, URL and text: cite them by number, such as [1]."
    )
    args_schema: Annotated[ArgsSchema | None, SkipValidation()] = SearchInput
    response_format: Literal["content", "content_and_artifact"] = "content_and_artifact"

    def _run(self, query: str) -> tuple[str, list[Document]]:
        found = self._search(query)
        return listing(found), documents(found)

    async def _arun(self, query: str) -> tuple[str, list[Document]]:
        found = await self._asearch(query)
        return listing(found), documents(found)
