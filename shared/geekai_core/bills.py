"""What a call really cost, and what is left: how GeekAI is asked for a bill and for the balance. Pure.

Documented: both paths, that they take a system key (which is not the API key), coins as the unit, 100 coins = 1 yuan,
and that a bill is ready one to three seconds after its answer. How "not yet" is worded is unknown: a 404, an empty
object and null are all taken for it.
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable
from decimal import MAX_PREC, Decimal
from decimal import Context as Digits
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

from pydantic import ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from geekai_core.config import Config
from geekai_core.endpoints import Steps
from geekai_core.errors import APITimeoutError, ConfigurationError, NotFoundError
from geekai_core.response.answers import Context, is_error, read_object, validated
from geekai_core.transport.calls import Operation, Sleep
from geekai_core.wire import Answer, ChatCompletion

A = TypeVar("A", bound=Answer)

PATIENCE = 15.0
"""Seconds that a bill is waited for, where nothing else is said."""
FIRST_LOOK, LAST_LOOK = 0.5, 2.0
"""Seconds between two looks: the first pause, and the longest."""


def _or_none(value: object, read: ValidatorFunctionWrapHandler) -> Any:
    try:
        return read(value)
    except ValidationError:
        return None


Count = Annotated[int | float | None, WrapValidator(_or_none)]
"""A number beside the one that matters: None where it is none, and as it came in `raw`."""


class Bill(Answer):
    """What a call or a task really cost (documented). `amount` is in coins; None in a bill that is not ready.

    `event`, `channel` and `discount` are GeekAI's own words; what they mean exactly is not documented.
    """

    amount: Decimal | None = None
    tokens: Count = None
    input_tokens: Count = None
    output_tokens: Count = None
    cache_hit_tokens: Count = None
    cache_write_tokens: Count = None
    billed_units: Count = None
    times: Count = None
    event: Any = None
    channel: Any = None
    discount: Any = None

    @property
    def yuan(self) -> Decimal | None:
        """`amount` in yuan."""
        return in_yuan(self.amount)


class Balance(Answer):
    """What is left on the account, in coins (documented)."""

    balance: Decimal | None = None

    @property
    def yuan(self) -> Decimal | None:
        """`balance` in yuan."""
        return in_yuan(self.balance)


def in_yuan(coins: Decimal | None) -> Decimal | None:
    """Coins in yuan: 100 coins = 1 CNY (documented). Exact: only the point moves.

    >>> in_yuan(Decimal("12.345"))
    Decimal('0.12345')
    """
    return None if coins is None else coins.scaleb(-2, Digits(prec=MAX_PREC))


def bill(
    config: Config, answer: str | ChatCompletion, timeout: float, clock: Callable[[], float] = time.monotonic
) -> Steps[Bill]:
    """Look for the bill of an answer or a task until it is there: at once, then in pauses from half a second to two.

    Raises `NotFoundError` where the server knew of none until `timeout` seconds were over, or `APITimeoutError`
    where it had not made it ready; it can be asked for later.
    """
    id = answer if isinstance(answer, str) else answer.id
    if not id:
        raise ConfigurationError("an id is needed: that of an answer or of a task, its .id")
    path = f"/chat/transaction/{quote(id, safe='')}"
    end, pause = clock() + timeout, FIRST_LOOK
    while True:
        unknown = None
        try:
            found: Bill = yield Operation("GET", path, functools.partial(_read, Bill, "amount"), of_account=True)
        except NotFoundError as error:
            unknown = error
        else:
            if found.amount is not None:
                return found
        left = end - clock()
        if left <= 0:
            raise unknown or APITimeoutError(
                f"the bill of {id} was not ready within {timeout:g} s: ask for it later", limit="bill", seconds=timeout
            )
        yield Sleep(min(pause, left))
        pause = min(pause * 1.5, LAST_LOOK)


def balance() -> Operation[Balance]:
    """The account's balance; an older form wraps it in `data`."""

    def read(content: bytes, context: Context) -> Balance:
        found = _read(Balance, "balance", content, context)
        if found.balance is None:
            raise context.unreadable("the answer holds no balance", content)
        return found

    return Operation("GET", "/credit/balance", read, of_account=True)


def _read(cls: type[A], money: str, content: bytes, context: Context) -> A:
    """A bill or a balance, empty where nothing is there yet; numbers are read to the last digit."""
    if content.strip() in (b"", b"null"):
        return cls()
    body = read_object(content, context)
    exact: dict[str, Any] = json.loads(content, parse_float=Decimal)
    inner = exact.get("data", exact) or {}
    if is_error(body) and not (isinstance(inner, dict) and money in inner):
        raise context.error(content)
    answer = validated(cls, inner, context, content)
    if isinstance(inner, dict) and inner.get(money) is not None and getattr(answer, money) is None:
        raise context.unreadable(f"the {money} is no number", content)  # money is never guessed
    answer._raw = body
    return answer
