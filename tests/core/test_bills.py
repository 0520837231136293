"""What a call really cost, and what is left: asked with the system key, waited for, exact to the last digit."""

import json
import pickle
from decimal import Decimal

import pytest

from geekai_core import (
    APIStatusError,
    APITimeoutError,
    AsyncClient,
    AuthenticationError,
    Client,
    ConfigurationError,
    InvalidResponseError,
    NotFoundError,
)
from geekai_core import bills as decisions
from geekai_core.collecting import Collected
from geekai_core.config import configure
from geekai_core.transport.calls import Operation, Sleep
from geekai_testing.replies import Reply, completion, error, json_reply
from tests.core.conftest import ASK, KEY

SYSTEM_KEY = "sys-7c1d0e44b2f9"
BILL = {
    "request_id": "req-1",
    "amount": 12.345,
    "tokens": 17,
    "input_tokens": 12,
    "output_tokens": 5,
    "cache_hit_tokens": 8,
    "cache_write_tokens": 0,
    "billed_units": 1,
    "times": 1,
    "event": "chat",
    "channel": "openai",
    "discount": 0.9,
    "novel": True,
}


def text(body: str) -> Reply:
    """A good answer with exactly this body."""
    return Reply(headers={"content-type": "application/json"}, body=body.encode())


@pytest.fixture
def client(clients):
    return clients(system_key=SYSTEM_KEY)


@pytest.fixture(autouse=True)
def no_pauses_between_looks(monkeypatch):
    monkeypatch.setattr("geekai_core.bills.FIRST_LOOK", 0.0)


def test_the_bill_of_an_answer_is_asked_of_the_account_s_path_with_the_system_key(client, server):
    server.play(json_reply({**completion("hi"), "id": "a/b 1"}), json_reply(BILL))
    bill = client.bill(client.chat(**ASK))
    request = server.requests[1]
    assert (request.method, request.path) == ("GET", "/api/chat/transaction/a%2Fb%201")
    assert request.headers["authorization"] == f"Bearer {SYSTEM_KEY}"
    assert request.body == b""
    assert (bill.amount, bill.yuan) == (Decimal("12.345"), Decimal("0.12345"))
    assert (bill.tokens, bill.input_tokens, bill.output_tokens) == (17, 12, 5)
    assert (bill.cache_hit_tokens, bill.cache_write_tokens, bill.billed_units, bill.times) == (8, 0, 1, 1)
    assert (bill.event, bill.channel, bill.discount) == ("chat", "openai", Decimal("0.9"))
    assert bill.raw == BILL


@pytest.mark.parametrize(
    "amount", ["0.1", "0.30000000000000004441", "123456789012345678901234567890.12", "0", '"1.25"', "-3"]
)
def test_money_is_exact_to_the_last_digit(client, server, amount):
    server.play(text(f'{{"amount": {amount}}}'), text(f'{{"balance": {amount}}}'))
    bill, balance = client.bill("x"), client.balance()
    exact = Decimal(json.loads(amount, parse_float=str, parse_int=str))
    assert (bill.amount, balance.balance) == (exact, exact)
    assert bill.yuan == balance.yuan == exact.scaleb(-2, decisions.Digits(prec=60))


@pytest.mark.parametrize(
    "early", [error(404, "not found"), json_reply({}), text("null"), text(""), json_reply({"data": None}), json_reply({"amount": None}), json_reply({"code": 404, "message": "账单不存在"})],
    ids=["404", "an empty object", "null", "nothing", "empty data", "no amount yet", "a 404 within a 200"],
)  # fmt: skip
def test_a_bill_that_is_not_ready_is_waited_for(client, server, early):
    server.play(early, early, json_reply({"data": BILL}))
    assert client.bill("task-1").amount == Decimal("12.345")
    assert [request.path for request in server.requests] == ["/api/chat/transaction/task-1"] * 3


def test_an_id_without_a_bill_is_not_found_and_says_when_a_bill_is_ready(client, server):
    server.play(error(404, "账单不存在"))
    with pytest.raises(NotFoundError, match=r"账单不存在 \[no bill of this id: it is ready one to three seconds after"):
        client.bill("x", timeout=0)
    assert len(server.requests) == 1


def test_a_bill_that_is_never_ready_is_a_timeout_and_can_be_asked_for_later(client, server):
    server.play(json_reply({}))
    with pytest.raises(APITimeoutError, match=r"the bill of x was not ready within 0 s: ask for it later") as late:
        client.bill("x", timeout=0)
    assert (late.value.limit, late.value.seconds) == ("bill", 0)


def test_the_pauses_grow_from_half_a_second_to_two_and_end_with_the_patience(monkeypatch):
    monkeypatch.setattr("geekai_core.bills.FIRST_LOOK", 0.5)
    now = 0.0
    steps = decisions.bill(configure(api_key=KEY), "x", 7.0, clock=lambda: now)
    pauses = []
    step = next(steps)
    while True:
        if isinstance(step, Sleep):
            pauses.append(step.seconds)
            now += step.seconds
            step = steps.send(None)
        else:
            assert isinstance(step, Operation)
            try:
                step = steps.send(decisions.Bill())
            except APITimeoutError:
                break
    assert pauses == [0.5, 0.75, 1.125, 1.6875, 2.0, 0.9375]


@pytest.mark.parametrize("odd", [[], {}, "many", None, False, 10**400])
def test_an_odd_side_field_never_costs_the_bill(client, server, odd):
    server.play(json_reply({**dict.fromkeys(BILL, odd), "amount": 2}))
    bill = client.bill("x")
    assert bill.amount == 2
    assert bill.raw["tokens"] == odd


@pytest.mark.parametrize("amount", ["[]", "{}", "true", '"many"', "NaN"])
def test_an_amount_that_is_no_number_is_unreadable_and_not_guessed(client, server, amount):
    server.play(text(f'{{"amount": {amount}}}'))
    with pytest.raises(InvalidResponseError, match="amount"):
        client.bill("x")


@pytest.mark.parametrize(
    "form", [{"balance": 99.5}, {"data": {"balance": 99.5}}, {"code": 0, "message": "ok", "data": {"balance": "99.5"}}]
)
def test_the_balance_is_read_in_both_forms(client, server, form):
    server.play(json_reply(form))
    balance = client.balance()
    assert (balance.balance, balance.yuan) == (Decimal("99.5"), Decimal("0.995"))
    assert (server.requests[0].method, server.requests[0].path) == ("GET", "/api/credit/balance")
    assert server.requests[0].headers["authorization"] == f"Bearer {SYSTEM_KEY}"


@pytest.mark.parametrize("body", ["{}", "null", '{"data": null}', '{"data": []}', '{"balance": []}'])
def test_a_balance_that_is_not_there_is_unreadable(client, server, body):
    server.play(text(body))
    with pytest.raises(InvalidResponseError):
        client.balance()


def test_a_refusal_keeps_its_words_and_says_which_key_is_wanted(client, server):
    server.play(error(401, f"无效的密钥 {SYSTEM_KEY}"))
    with pytest.raises(AuthenticationError, match=r"无效的密钥 \*\*\* \[check system_key or GEEKAI_SYSTEM_KEY"):
        client.balance()


def test_an_error_in_a_bill_s_place_is_an_error(client, server):
    server.play(json_reply({"message": "服务端异常，请重试"}))
    with pytest.raises(APIStatusError, match="服务端异常"):
        client.bill("x")


@pytest.mark.parametrize("ask", [lambda client: client.bill("x"), lambda client: client.balance()])
def test_without_a_system_key_nothing_is_sent(clients, server, ask):
    with pytest.raises(ConfigurationError, match="no system key: set GEEKAI_SYSTEM_KEY"):
        ask(clients())
    assert not server.requests


@pytest.mark.parametrize("named", [True, False], ids=["as an argument", "in the environment"])
async def test_the_system_key_alone_suffices_for_bills_and_balances(monkeypatch, server, named):
    monkeypatch.delenv("GEEKAI_API_KEY", raising=False)
    if not named:
        monkeypatch.setenv("GEEKAI_SYSTEM_KEY", SYSTEM_KEY)
    proxy = f"http://127.0.0.1:{server.port}"  # so that the host is none of this machine, which needs no key
    settings = {"base_url": "http://geekai.example/api/v1", "proxy": proxy}
    settings |= {"system_key": SYSTEM_KEY} if named else {}
    server.play(json_reply(BILL), json_reply({"balance": 1}), json_reply(BILL), json_reply({"balance": 1}))
    with Client(**settings) as client:
        assert pickle.loads(pickle.dumps(client)).bill("x").amount == Decimal("12.345")
        assert client.balance().balance == 1
        with pytest.raises(ConfigurationError, match="no GeekAI key"):
            client.chat(**ASK)
    async with AsyncClient(**settings) as client:
        assert (await client.bill("x")).amount == Decimal("12.345")
        assert (await client.balance()).balance == 1
        with pytest.raises(ConfigurationError, match="no GeekAI key"):
            await client.chat(**ASK)
    assert {request.headers["authorization"] for request in server.requests} == {f"Bearer {SYSTEM_KEY}"}
    assert len(server.requests) == 4


@pytest.mark.parametrize("id", ["", None])
def test_without_an_id_nothing_is_sent(client, server, id):
    with pytest.raises(ConfigurationError, match="an id is needed"):
        client.bill(id if id is not None else client.chat(**ASK).model_copy(update={"id": None}))
    assert len(server.requests) == (0 if id == "" else 1)


def test_the_system_key_is_read_from_the_environment_and_shown_nowhere(monkeypatch, server):
    monkeypatch.setenv("GEEKAI_SYSTEM_KEY", f" {SYSTEM_KEY}\t")
    config = configure(api_key=KEY, base_url=server.base_url)
    assert config.account_key().get_secret_value() == SYSTEM_KEY
    assert SYSTEM_KEY not in repr(config)
    with pytest.raises(ConfigurationError) as refused:
        configure(api_key=KEY, system_key=f"{SYSTEM_KEY}\nx")
    assert SYSTEM_KEY not in str(refused.value)


def test_a_base_url_without_v1_is_the_account_s_as_it_is(clients, server):
    server.play(json_reply({"balance": 1}))
    clients(system_key=SYSTEM_KEY, base_url=server.base_url.removesuffix("/v1")).balance()
    assert server.requests[0].path == "/api/credit/balance"


def collected(*ids):
    block = Collected()
    for id in ids:
        block.add({"id": id, "model": "m"})
    return block


async def costs_of(block, mode, server, **options):
    settings = {"api_key": KEY, "base_url": server.base_url, "system_key": SYSTEM_KEY}
    if mode == "sync":
        with Client(**settings) as client:
            return block.costs(client, **options)
    async with AsyncClient(**settings) as client:
        return await block.acosts(client, **options)


@pytest.mark.parametrize("mode", ["sync", "async"])
async def test_a_block_s_costs_are_one_request_a_call_and_what_is_missing_is_named(server, mode):
    server.play(json_reply({"amount": 0.1}), path="/api/chat/transaction/a")
    server.play(json_reply({"amount": 0.2}), path="/api/chat/transaction/c")
    server.play(error(400, "坏"), path="/api/chat/transaction/d")
    seen = []
    block = collected("a", None, "c", "d")
    assert not server.requests, "nothing is asked by itself"
    costs = await costs_of(block, mode, server, on_progress=lambda done, total: seen.append((done, total)))
    assert (costs.amount, costs.yuan) == (Decimal("0.3"), Decimal("0.003"))
    assert [bill and bill.amount for bill in costs.bills] == [Decimal("0.1"), None, Decimal("0.2"), None]
    assert sorted(costs.failed) == [1, 3]
    assert "坏" in str(costs.failed[3])
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert len(server.requests) == 3
    assert repr(costs) == "Costs(amount=0.3, yuan=0.003, bills=2)"


@pytest.mark.parametrize("mode", ["sync", "async"])
async def test_a_refused_system_key_ends_the_asking(server, mode):
    server.play(*[error(401, "坏")] * 40)
    with pytest.raises(AuthenticationError):
        await costs_of(collected(*map(str, range(40))), mode, server)
    assert len(server.requests) <= 8, "as many as were under way"


async def test_at_most_so_many_bills_are_asked_for_at_a_time(server):
    server.play(*[json_reply({"amount": 1})] * 20)
    costs = await costs_of(collected(*map(str, range(20))), "async", server, max_concurrency=3)
    assert costs.amount == 20
    assert server.connections <= 3
