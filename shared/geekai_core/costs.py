"""What the calls of a `collect()` block really cost, by their bills."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from decimal import Decimal

from geekai_core.bills import Bill, in_yuan
from geekai_core.client import AsyncClient, Client, side_by_side
from geekai_core.errors import AuthenticationError, GeekAIError, PermissionDeniedError, RequestError

Progress = Callable[[int, int], None]
"""Called with the number of calls that are done, and of all."""


class Costs:
    """The bills of several calls. `amount` and `yuan` sum up those that are there; nothing is guessed.

    `bills`: each call's bill in the order of the calls, None where there is none. `failed`: why, by the call's place.
    """

    def __init__(self, ids: Sequence[str | None], on_progress: Progress | None) -> None:
        self.bills: list[Bill | None] = [None] * len(ids)
        self.failed: dict[int, GeekAIError] = {}
        self._on_progress = on_progress
        self._done = 0
        self.wanted: list[tuple[int, str]] = []
        for place, id in enumerate(ids):
            if id:
                self.wanted.append((place, id))
            else:
                self.failed[place] = GeekAIError("no id to ask with: a cache answered, or the endpoint sends none")
                self._count()

    def __repr__(self) -> str:
        return f"Costs(amount={self.amount}, yuan={self.yuan}, bills={len(self.bills) - len(self.failed)})"

    @property
    def amount(self) -> Decimal:
        """Coins."""
        return sum((bill.amount for bill in self.bills if bill and bill.amount is not None), Decimal(0))

    @property
    def yuan(self) -> Decimal | None:
        """`amount` in yuan."""
        return in_yuan(self.amount)

    @contextmanager
    def asking(self, place: int) -> Iterator[None]:
        """Within such a block a bill is asked for. A refused system key, which would meet every call, is raised."""
        try:
            yield
        except (AuthenticationError, PermissionDeniedError):
            raise
        except RequestError as error:
            self.failed[place] = error
        self._count()

    def _count(self) -> None:
        self._done += 1
        if self._on_progress:
            self._on_progress(self._done, len(self.bills))


def costs_of(ids: Sequence[str | None], client: Client | None, on_progress: Progress | None) -> Costs:
    """Ask for one bill after another."""
    costs = Costs(ids, on_progress)
    with nullcontext(client) if client else Client() as account:
        for place, id in costs.wanted:
            with costs.asking(place):
                costs.bills[place] = account.bill(id)
    return costs


async def acosts_of(
    ids: Sequence[str | None], client: AsyncClient | None, on_progress: Progress | None, max_concurrency: int
) -> Costs:
    """Ask for the bills, at most `max_concurrency` at a time."""
    costs = Costs(ids, on_progress)
    waiting = iter(costs.wanted)
    async with nullcontext(client) if client else AsyncClient() as account:

        async def work() -> None:
            for place, id in waiting:
                with costs.asking(place):
                    costs.bills[place] = await account.bill(id)

        await side_by_side(work, max(max_concurrency, 1))
    return costs
