"""The checker finds every way in which a farm can break its word."""

from dataclasses import replace

from history import Answer, Failure, History, Reply, Sent, quantile, violations
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.core.errors import ErrorCode

TRUTH = {("model-a", "one"): "1", ("model-a", "two"): "2", ("model-b", "one"): "one"}
REFUSALS = (ErrorCode.QUEUE_FULL, ErrorCode.UNREACHABLE)


def sent(number: int, question: str = "one") -> Sent:
    return Sent(number=number, at_s=float(number), question=question, timeout_s=5.0)


def answered(request: Sent, *, model: str = "model-a") -> Reply:
    outputs = TRUTH[model, request.question]
    return told(request, Answer(model_digest=model, node="pi-1", outputs=outputs))


def refused(request: Sent) -> Reply:
    return told(request, Failure(code=ErrorCode.QUEUE_FULL, message="full"))


def told(request: Sent, outcome: Answer | Failure) -> Reply:
    return Reply(number=request.number, at_s=request.at_s + 0.1, outcome=outcome)


def sound(count: int) -> History:
    requests = [sent(number, "two" if number % 2 else "one") for number in range(count)]
    return History(sent=requests, replies=[answered(request) for request in requests])


@settings(deadline=None)
@given(st.integers(0, 30), st.randoms(use_true_random=False))
def test_a_farm_that_keeps_its_word_in_any_order(count: int, random) -> None:
    history = sound(count)
    random.shuffle(history.replies)
    assert violations(history, TRUTH) == []


@settings(deadline=None)
@given(st.integers(1, 30), st.data())
def test_one_lost_reply_is_found(count: int, data: st.DataObject) -> None:
    history = sound(count)
    lost = history.replies.pop(data.draw(st.integers(0, count - 1)))
    assert violations(history, TRUTH) == [f"request {lost.number} had no replies"]


@settings(deadline=None)
@given(st.integers(1, 30), st.data())
def test_one_reply_too_many_is_found(count: int, data: st.DataObject) -> None:
    history = sound(count)
    twice = data.draw(st.sampled_from(history.replies))
    history.replies.append(twice)
    assert violations(history, TRUTH) == [f"request {twice.number} had 2 replies"]


def test_a_companions_answer_is_found() -> None:
    history = sound(2)
    history.replies[0] = replace(history.replies[0], outcome=history.replies[1].outcome)
    assert violations(history, TRUTH) == ["request 0 got a wrong answer from pi-1"]


def test_the_answer_of_another_model_is_judged_by_that_model() -> None:
    request = sent(0)
    history = History(sent=[request], replies=[answered(request, model="model-b")])
    assert violations(history, TRUTH) == []
    stranger = Answer(model_digest="model-c", node="pi-1", outputs="one")
    history.replies[0] = told(request, stranger)
    assert violations(history, TRUTH) == ["request 0 was answered by an unknown model, model-c"]


def test_a_refusal_is_a_reply_where_it_is_allowed() -> None:
    request = sent(0)
    history = History(sent=[request], replies=[refused(request)])
    assert violations(history, TRUTH, allowed=REFUSALS) == []
    assert violations(history, TRUTH) == ["request 0 failed with queue_full: full"]


def test_a_late_reply_is_found() -> None:
    request = sent(0)
    late = replace(answered(request), at_s=7.0)
    assert violations(History(sent=[request], replies=[late]), TRUTH) == [
        "request 0 was told 2.0 s after its deadline"
    ]


def test_a_reply_to_nothing_is_found() -> None:
    history = History(replies=[answered(sent(3))])
    assert violations(history, TRUTH) == ["request 3 was answered and never sent"]


def test_latencies_and_answers_of_a_time() -> None:
    history = sound(4)
    history.replies[3] = refused(history.sent[3])
    assert len(history.latencies_s(since_s=1.0)) == 2
    assert [reply.number for reply, _ in history.answers(since_s=1.0, until_s=2.0)] == [1]
    assert quantile([1.0, 2.0, 3.0], 0.99) == 3.0
    assert quantile([], 0.5) == float("inf")
