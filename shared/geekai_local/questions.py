"""Twenty short questions over the packaged corpus, each with the strings that a right answer holds.

They were fixed before the first run of the model and are not tuned to it: a score over them says
what a small model does with real retrieval, which is the point of keeping it.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from geekai_local.search import CORPUS


class Question(NamedTuple):
    """A question, the strings of which any one makes an answer right, and the page that tells."""

    text: str
    expected: list[str]
    page: str

    def is_right(self, answer: str) -> bool:
        """Say whether `answer` holds an expected string, whatever its case and not inside a longer number.

        >>> height = Question("How high is Grey Hill?", ["212"], "island.md")
        >>> height.is_right("It is 212 metres high."), height.is_right("It is 2120 metres high.")
        (True, False)
        """
        return any(re.search(rf"(?<!\w){re.escape(text)}(?!\d)", answer, re.IGNORECASE) for text in self.expected)


def read_questions() -> list[Question]:
    """All of them, in the order of their pages."""
    return [Question(**row) for row in json.loads((CORPUS / "questions.json").read_bytes())]
