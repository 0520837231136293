"""Twenty short questions over the packaged corpus, each with the strings that a right answer holds.

They were fixed before the first run of the model and are not tuned to it: a score over them says
what a small model does with real retrieval, which is the point of keeping it.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Question(NamedTuple):
    """A question, the strings of which any one makes an answer right, and the page that tells."""

    text: str
    expected: tuple[str, ...]
    page: str

    def is_right(self, answer: str) -> bool:
        """Say whether `answer` holds an expected string, whatever its case and not inside a longer number.

        >>> QUESTIONS[0].is_right("It is 212 metres high."), QUESTIONS[0].is_right("It is 2120 metres high.")
        (True, False)
        """
        return any(re.search(rf"(?<!\w){re.escape(text)}(?!\d)", answer, re.IGNORECASE) for text in self.expected)


QUESTIONS: tuple[Question, ...] = (
    Question("How high is Grey Hill?", ("212",), "island.md"),
    Question("What is the speed limit on Maren?", ("40",), "island.md"),
    Question("When was the lighthouse built?", ("1874",), "lighthouse.md"),
    Question("Who was the architect of the lighthouse?", ("Ida Brandt",), "lighthouse.md"),
    Question("How many steps lead to the top of the lighthouse?", ("167",), "lighthouse.md"),
    Question("What is the name of the ferry ship?", ("Silver Gull",), "ferry.md"),
    Question("How long does the ferry crossing take?", ("75",), "ferry.md"),
    Question("How much does a single ferry ticket cost?", ("18",), "ferry.md"),
    Question("When did the Maren Railway open?", ("1902",), "railway.md"),
    Question("What is the longest railway tunnel called?", ("Badger",), "railway.md"),
    Question("What colour are the trains?", ("green",), "railway.md"),
    Question("How many books does the library hold?", ("31,000", "31000"), "library.md"),
    Question("Who is the head librarian?", ("Samuel Okoro",), "library.md"),
    Question("On which day is the library closed?", ("Monday",), "library.md"),
    Question("Who planted the first tea bushes?", ("Hana Mori",), "tea.md"),
    Question("At what water temperature should Marsh Mist be brewed?", ("75",), "tea.md"),
    Question("What is the warmest month on Maren?", ("August",), "weather.md"),
    Question("How much rain does the island receive each year?", ("890",), "weather.md"),
    Question("On which day does the harbour market take place?", ("Thursday",), "market.md"),
    Question("How much does a jar of heather honey cost?", ("9 crowns", "nine crowns"), "market.md"),
)
