"""Endpoint: a server over a real socket, with what real servers do: refuse, hang up, be busy."""

import math
import threading
import time

import pytest
from endpoint_server import KEY, SHADES, SPENT, Server
from hypothesis import given
from hypothesis import strategies as st
from patience import PATIENCE_S, wait_for
from PIL import Image
from psgimg.builder import http_retry
from psgimg.builder.dataset.prompts import Prompt
from psgimg.builder.errors import BuildError
from psgimg.builder.stages import STAGE_NAMES
from psgimg.finetune.data.chat import chat_row
from psgimg.finetune.inference import predictors
from psgimg.finetune.inference.predict_config import PredictConfig
from psgimg.finetune.inference.server import endpoint
from psgimg.finetune.inference.server.logprobs import Step, probabilities

ANSWERS = {stage: stage for stage in STAGE_NAMES}
PROMPT = Prompt("You score sleep.", "Which stage?", ANSWERS)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr(endpoint, "FIRST_PATIENCE_S", PATIENCE_S)  # a busy machine is no fault
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def rows(n=5):
    shades = [list(SHADES)[i % 5] for i in range(n)]
    return [chat_row([Image.new("RGB", (8, 8), (s,) * 3)], None, PROMPT) for s in shades]


def ask(server, some=None, *, url=None, parallel=2, score=True, note=lambda line: None):
    tasks = [rows() if some is None else some]
    with predictors.requesting(
        url or server.url,
        "a-model",
        ANSWERS,
        parallel=parallel,
        max_new_tokens=9,
        score=score,
        note=note,
    ) as asker:
        return [answer for answers in asker(list, tasks) for answer in answers]


def test_pages_go_as_png_before_the_words_and_answers_come_in_order(server):
    found = ask(server, url=f"{server.url}/chat/completions/")
    assert [answer.prediction for answer in found] == list(STAGE_NAMES)
    assert [answer.raw for answer in found] == list(STAGE_NAMES)
    for path, key, body in server.seen:
        assert path == "/v1/chat/completions"
        assert key == f"Bearer {KEY}"
        assert (body["model"], body["max_tokens"], body["temperature"]) == ("a-model", 9, 0)
        system, user = body["messages"]
        assert system == {"role": "system", "content": "You score sleep."}
        assert [part["type"] for part in user["content"]] == ["image_url", "text"]
        assert user["content"][1]["text"] == "Which stage?"


def test_a_server_in_the_network_is_reached_without_the_proxy_of_the_internet(server, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", "")
    assert [answer.prediction for answer in ask(server)] == list(STAGE_NAMES)


def test_probabilities_are_those_the_server_tells(server):
    for stage, answer in zip(STAGE_NAMES, ask(server), strict=True):
        expected = [0.7 / 0.9 if s == stage else 0.05 / 0.9 for s in STAGE_NAMES]
        assert answer.probabilities == pytest.approx(expected)
        assert answer.log_mass == pytest.approx(math.log(0.9))


def test_a_server_that_tells_none_or_is_asked_for_none_gives_the_text_alone(server):
    server.told = False
    assert all(answer.probabilities is None for answer in ask(server))
    server.told = True
    assert all(answer.probabilities is None for answer in ask(server, score=False))
    assert "logprobs" not in server.seen[-1][2]


@pytest.mark.parametrize(("most", "told"), [(20, True), (5, True), (0, False)])
def test_a_server_is_asked_for_fewer_alternatives_once_it_refuses(server, most, told):
    server.most = most
    found = ask(server)
    assert [answer.prediction for answer in found] == list(STAGE_NAMES)
    assert all((answer.probabilities is not None) is told for answer in found)
    refused = [body for *_, body in server.seen if body.get("top_logprobs", 0) > most]
    assert len(refused) <= 4  # of the first requests at a time, and never again


@pytest.mark.parametrize(
    ("refused", "fields", "note"),
    [
        (("max_tokens",), {"max_completion_tokens": 9, "temperature": 0}, None),
        (("temperature",), {"max_tokens": 9}, "the server accepts no temperature"),
        (
            ("max_tokens", "temperature"),
            {"max_completion_tokens": 9},
            "the server accepts no temperature",
        ),
    ],
)
def test_a_server_is_asked_in_the_words_that_it_accepts(server, refused, fields, note):
    server.refused, notes = refused, []
    found = ask(server, rows(10), note=notes.append)
    assert [answer.prediction for answer in found] == list(STAGE_NAMES) * 2
    assert all(answer.probabilities is not None for answer in found)
    last = server.seen[-1][2]
    names = ("max_tokens", "max_completion_tokens", "temperature")
    assert {name: last[name] for name in names if name in last} == fields
    assert len(server.seen) <= 10 + 2 * len(refused), "the first requests at a time, never again"
    assert [line.split(", so")[0] for line in notes] == ([note] if note else [])


def test_a_spent_quota_ends_the_command_at_once(server):
    server.faults = [None, None, *[SPENT] * 50]
    with pytest.raises(BuildError, match="429: the quota of the key is spent; top it up"):
        ask(server, rows(50))
    assert len(server.seen) <= 2 + 2, "no request is repeated, and no other one made"


def test_why_a_busy_server_is_waited_for_is_said_once(server):
    server.faults, notes = [503] * 4, []
    ask(server, note=notes.append)
    [line] = notes
    assert line.startswith("waiting for the server, for up to 15 min: 503 no: Bearer …")


def test_a_wait_that_the_server_asks_for_is_said(server, monkeypatch):
    monkeypatch.setattr(http_retry, "LONGEST_REQUESTED_S", 0.1)
    server.faults, server.retry_after, notes = [429], "120", []
    assert [answer.prediction for answer in ask(server, note=notes.append)] == list(STAGE_NAMES)
    [line] = notes
    assert line.endswith("(it asks for a wait of 120 s, of which 0.1 s are waited)")


def test_answers_that_are_cut_off_are_said_and_counted(server):
    server.finish, notes = "length", []
    ask(server, note=notes.append)
    assert notes == [
        "an answer was cut off after 9 tokens; raise --max-new-tokens, to some thousands for a "
        "model that reasons first",
        "5 answers were cut off by --max-new-tokens",
    ]


@pytest.mark.parametrize("fault", [408, 425, 429, 500, 502, 503, "hang up", "half"])
def test_transient_errors_are_retried(server, fault):
    server.faults = [fault, fault]
    assert [answer.prediction for answer in ask(server)] == list(STAGE_NAMES)
    assert len(server.seen) == 7


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (401, "401: the server rejects the key; set OPENAI_API_KEY"),
        (403, "403: access denied"),
        (404, "404: address or model not found; check --endpoint and --model"),
        (413, "413: fix the request or the server"),
        (b"<html>hello</html>", "does not return chat completions"),
        (b"[]", "does not return chat completions"),
        (b'{"choices": []}', "use the address of an OpenAI-compatible server"),
    ],
)
def test_a_refusal_is_one_line_with_its_remedy_and_without_the_key(server, fault, said):
    server.faults = [fault] * 20
    with pytest.raises(BuildError, match=said) as caught:
        ask(server)
    assert KEY not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("fault", [503, "hang up"])
def test_a_server_that_stays_away_ends_the_command_and_what_waits(server, fault, monkeypatch):
    monkeypatch.setattr(endpoint, "PATIENCE_S", 0.2)
    monkeypatch.setattr(endpoint, "FIRST_PATIENCE_S", 0.2)
    server.faults = [fault] * 100
    with pytest.raises(BuildError, match="run the same command again: finished pages are kept"):
        ask(server)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "localhost:8000/v1", "http://a b/v1"])
def test_a_server_that_never_answers_is_reported_soon(monkeypatch, url):
    monkeypatch.setattr(endpoint, "FIRST_PATIENCE_S", 0.1)
    with pytest.raises(BuildError, match=r"can't be reached .*start it or check the address"):
        ask(None, url=url)


def test_a_key_that_is_none_is_not_shown(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "schlüssel")
    with pytest.raises(BuildError, match="set it again") as caught:
        ask(None, url="http://127.0.0.1:9")
    assert "schl" not in str(caught.value)


@pytest.mark.parametrize("parallel", [4, 64])
def test_so_many_requests_run_at_a_time_and_no_more(server, parallel):
    server.gate = threading.Event()

    def open_when_full():
        wait_for(lambda: server.at_once >= parallel)
        time.sleep(0.2)  # a request too many would come now
        server.gate.set()

    opener = threading.Thread(target=open_when_full)
    opener.start()
    ask(server, rows(3 * parallel), parallel=parallel)
    opener.join()
    assert server.at_most == parallel


def test_requests_of_the_next_batch_run_while_one_of_this_is_slow(server):
    """Batches of 4 with 4 requests at a time: the last of the first batch waits for all others."""
    slow, answer = threading.Event(), server.RequestHandlerClass.answer

    def waits(handler, body, fault):
        if len(server.seen) == 8:
            slow.set()
        if body["messages"][-1]["content"][1]["text"] == "slow":
            slow.wait(PATIENCE_S)
        answer(handler, body, fault)

    tasks = [rows(4), rows(4)]
    tasks[0][0]["prompt"][-1]["content"] = "slow"
    with (
        pytest.MonkeyPatch.context() as patch,
        predictors.requesting(
            server.url,
            "a-model",
            ANSWERS,
            parallel=4,
            max_new_tokens=9,
            score=True,
            note=lambda line: None,
        ) as asker,
    ):
        patch.setattr(server.RequestHandlerClass, "answer", waits)
        found = list(asker(list, tasks))
    assert slow.is_set()
    assert [[answer.prediction for answer in some] for some in found] == [list(STAGE_NAMES[:4])] * 2


def test_an_answer_that_is_none_stays_unread_and_is_kept(server):
    server.said, server.told = "It shows N1 or N2, I think.", False
    found = ask(server)
    assert {(answer.prediction, answer.raw) for answer in found} == {(None, server.said)}


def told(*steps):
    return [
        Step(token, {token: math.log(p), **{o: math.log(q) for o, q in others.items()}})
        for token, p, others in steps
    ]


def test_a_shared_beginning_is_followed_to_where_the_answers_part():
    """N1, N2 and N3 begin with the same token; the next one tells them apart."""
    first = ("N", 0.8, {"W": 0.1, "RE": 0.05, "The": 0.05})
    second = ("2", 0.5, {"1": 0.3, "3": 0.1, "!": 0.1})
    found, log_mass = probabilities(told(first, second), ANSWERS)
    assert found == pytest.approx([x / 0.87 for x in (0.1, 0.24, 0.4, 0.08, 0.05)])
    assert log_mass == pytest.approx(math.log(0.87))


def test_a_shared_beginning_that_was_not_said_leaves_the_probabilities_open():
    assert probabilities(told(("W", 0.6, {"N": 0.4})), ANSWERS) is None
    found, _ = probabilities(told(("W", 0.99, {"N": 0.006, " N2": 0.003})), ANSWERS)
    assert found == pytest.approx([x / 0.999 for x in (0.99, 0.002, 0.005, 0.002, 0)])


def test_an_answer_that_begins_another_counts_where_it_ends():
    answers = {"W": "wake", "N1": "N", "N2": "NR", "N3": "deep", "REM": "REM"}
    found, _ = probabilities(told(("N", 0.9, {"wake": 0.1}), ("</s>", 1.0, {})), answers)
    assert found == pytest.approx([0.1, 0.9, 0, 0, 0])
    found, _ = probabilities(told(("N", 0.9, {"wake": 0.1})), answers)
    assert found == pytest.approx([0.1, 0.9, 0, 0, 0])


def test_without_an_answer_among_the_tokens_nothing_is_known():
    assert probabilities(told(("I", 0.9, {"The": 0.1})), ANSWERS) is None
    assert probabilities([], ANSWERS) is None


@given(st.lists(st.sampled_from([" ", "N", "1", "W", "RE", "M", "\n", "</s>", "N2"]), max_size=4))
def test_probabilities_add_up_whatever_was_said(tokens):
    found = probabilities(told(*((t, 0.6, {"W": 0.2, "N3": 0.1}) for t in tokens)), ANSWERS)
    if found is not None:
        assert sum(found[0]) == pytest.approx(1)
        assert found[1] < 1e-9


@pytest.mark.parametrize(
    "url", ["nonsense", "", "http://", "file:///etc/passwd", "http://host:99999", "http://[::1"]
)
def test_what_is_no_address_is_refused_before_anything_is_read(url, tmp_path):
    with pytest.raises(BuildError, match=r"^--endpoint .*: no address of a server; write it like"):
        PredictConfig("m", "d", tmp_path / "p.csv", endpoint=url)
