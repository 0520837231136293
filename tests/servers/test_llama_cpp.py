"""llama.cpp's own server, driven directly."""

from __future__ import annotations

import pytest

from geekai_core import AuthenticationError, ContextOverflowError
from tests.servers.conftest import Make
from tests.servers.features import FEATURES
from tests.servers.running import Server


@pytest.mark.parametrize("feature", FEATURES)
async def test_llama_cpp(feature: str, llama_cpp: Server, subject_of: Make) -> None:
    await FEATURES[feature](subject_of(llama_cpp))


async def test_a_prompt_that_is_too_long_and_a_wrong_key_are_named(llama_cpp: Server, subject_of: Make) -> None:
    with pytest.raises(ContextOverflowError, match="context size"):
        await subject_of(llama_cpp).ask("whole", "tea " * 6000)
    with pytest.raises(AuthenticationError, match="Invalid API Key"):
        await subject_of(llama_cpp, api_key="sk-wrong").ask("astream")
