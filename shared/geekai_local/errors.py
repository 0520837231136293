"""What can go wrong here: before the start, and with a request."""

from __future__ import annotations


class StartError(Exception):
    """The endpoint cannot start: no weights, no llama.cpp, no such folder, a taken port. The message is one line."""


class AnswerError(Exception):
    """A request that ends in an error: its HTTP status, its code and the words for it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
