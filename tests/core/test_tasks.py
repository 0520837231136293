"""Background tasks: submitted, fetched, waited for; every status word; failures with the server's reason."""

import pytest

from geekai_core import APITimeoutError, ConfigurationError, NotFoundError, TaskFailedError
from geekai_core import endpoints as ops
from geekai_core.config import configure
from geekai_core.transport.calls import Sleep
from geekai_core.wire import ChatCompletion
from geekai_testing.replies import Hold, Reply, completion, error, json_reply
from tests.core.conftest import ASK, KEY


def task(status="pending", **fields):
    return {"id": "task-1", "status": status, "model": "m", **fields}


def test_a_task_is_submitted_fetched_and_waited_for(client, server):
    server.play(json_reply(task()), path="/chat/completions")
    done = {**completion("好"), **task("succeed")}
    server.play(
        json_reply(task()),
        json_reply(task("running")),
        json_reply(task("pending")),
        json_reply(done),
        path="/chat/task-1",
    )
    submitted = client.submit(**ASK, temperature=0.5)
    assert (submitted.id, submitted.status, submitted.choices) == ("task-1", "pending", [])
    assert server.requests[0].json == {**ASK, "temperature": 0.5, "background": True}
    assert client.fetch("task-1").status == "pending"
    seen = []
    answer = client.wait("task-1", on_progress=lambda one: seen.append(one.status))
    assert (answer.message.content, seen) == ("好", ["running", "pending", "succeed"])
    assert [(r.method, r.route) for r in server.requests[1:]] == [("GET", "/chat/task-1")] * 4


@pytest.mark.parametrize("word", ["succeed", "Succeeded", "success", "completed", "done", "finished"])
def test_every_word_for_done_is_done(client, server, word):
    server.play(json_reply({**completion("好"), **task(word)}))
    assert client.wait("task-1").message.content == "好"


def test_an_unknown_word_is_done_when_there_is_an_answer_and_not_when_there_is_none(client, server):
    server.play(json_reply(task("cooking")), json_reply({**completion("好"), **task("ready-ish")}))
    assert client.wait("task-1").message.content == "好"
    assert len(server.requests) == 2


@pytest.mark.parametrize("word", ["failed", "FAILED", "error", "cancelled", "expired", "timeout", "rejected"])
def test_every_word_for_failed_raises_with_the_reason(client, server, word):
    body = task(word, error={"code": "E7", "message": "内容违规", "details": {"x": 1}})
    server.play(json_reply(body, headers={"x-request-id": "req-5"}))
    with pytest.raises(TaskFailedError, match=f"task-1 ended as '{word}': 内容违规") as caught:
        client.wait("task-1")
    raised = caught.value
    assert (raised.task_id, raised.status, raised.code, raised.body, raised.request_id) == (
        "task-1",
        word,
        "E7",
        body,
        "req-5",
    )


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"error": "没钱了"}, "没钱了"),
        ({"error": {"message": None}}, "no reason"),
        ({}, "no reason"),
        ({"message": "内容违规"}, "'failed': 内容违规$"),
        ({"msg": "内容违规"}, "'failed': 内容违规$"),
        ({"detail": "内容违规"}, "'failed': 内容违规$"),
        ({"error": {"detail": "内容违规"}}, "'failed': 内容违规$"),
        ({"error": {"error": {"message": "内容违规"}}}, "'failed': 内容违规$"),
        ({"detail": [{"loc": ["body", "n"], "msg": "too many"}]}, "'failed': body.n: too many$"),
        ({"base_resp": {"status_code": 1026, "status_msg": "内容违规"}}, "'failed': 内容违规$"),
        ({"fail_reason": "内容违规"}, "'failed': 内容违规$"),
        ({"error": False, "message": "内容违规"}, "'failed': 内容违规$"),
    ],
)
def test_a_failure_without_details_is_told_as_far_as_it_goes(client, server, fields, words):
    server.play(json_reply(task("failed", **fields)))
    with pytest.raises(TaskFailedError, match=words):
        client.wait("task-1")


def test_an_error_without_a_status_word_is_a_failure(client, server):
    server.play(json_reply(task("strange", error={"message": "坏"})))
    with pytest.raises(TaskFailedError, match="坏"):
        client.wait("task-1")


def test_an_expired_task_is_not_found(client, server):
    server.play(error(404, "任务不存在"))
    with pytest.raises(NotFoundError, match="任务不存在"):
        client.wait("task-old")


def test_an_answer_that_is_an_error_is_one(client, server):
    server.play(json_reply({"error": {"message": "没有", "code": 404}}))
    with pytest.raises(NotFoundError, match="没有"):
        client.fetch("task-1")


def test_a_deadline_ends_the_waiting_but_not_the_task(client, server):
    server.default = lambda request: json_reply(task())
    with pytest.raises(APITimeoutError, match=r"not done within 0\.2 s; it goes on: fetch\('task-1'\)") as caught:
        client.wait("task-1", timeout=0.2)
    assert (caught.value.limit, caught.value.seconds) == ("wait", 0.2)


def test_a_deadline_ends_a_look_that_hangs(client, server):
    server.play(Reply(before=[Hold()]))
    with pytest.raises(APITimeoutError) as caught:
        client.wait("task-1", timeout=0.2)
    assert caught.value.limit == "wait"


@pytest.mark.parametrize("timeout", [None, 30.0])
def test_a_look_that_hangs_is_a_read_timeout_before_the_deadline(clients, server, timeout):
    server.play(Reply(before=[Hold()]))
    with pytest.raises(APITimeoutError) as caught:
        clients(timeout=0.1).wait("task-1", timeout=timeout)
    assert caught.value.limit == "read"


def test_a_task_id_is_quoted_and_needed(client, server):
    server.play(json_reply(task()))
    client.fetch("a/b?c #d")
    assert server.requests[0].path == "/api/v1/chat/a%2Fb%3Fc%20%23d"
    with pytest.raises(ConfigurationError, match="task id"):
        client.fetch("")


def test_looks_grow_apart_up_to_a_limit(monkeypatch):
    monkeypatch.setattr(ops, "FIRST_LOOK", 0.5)
    now = [0.0]
    steps = ops.waiting(configure(api_key=KEY), "task-1", 60.0, None, clock=lambda: now[0])
    pending = ChatCompletion(id="task-1", status="pending")
    pauses = []

    def look_on():
        step = next(steps)
        while True:
            if isinstance(step, Sleep):
                pauses.append(round(step.seconds, 2))
                now[0] += step.seconds
                step = next(steps)
            else:
                assert step.within == 60.0 - now[0]
                step = steps.send(pending)

    with pytest.raises(APITimeoutError):
        look_on()
    assert pauses[:4] == [0.5, 0.75, 1.12, 1.69]
    assert max(pauses) == 10.0
    assert sum(pauses) == pytest.approx(60.0, abs=0.1)
