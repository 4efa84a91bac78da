"""Judges: the rules on hand-made answers, and an endpoint that may answer, fail, babble or hang."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from personaplex.bench.judges import EndpointJudge, JudgeError, RuleJudge, Verdict, make_judge
from personaplex.bench.service import roles
from personaplex.errors import UserError

ROLE = (
    "You work for Willow Creek Animal Hospital which is a veterinary clinic and your name is Denise. "
    "Information: The vet is Doctor Prescott; A checkup costs $60; Open until 6 pm; No house calls."
)
VET = {"kind": "Q0", "text": "What is the name of the vet?", "must": ["Prescott"]}
PRICE = {"kind": "Q1", "text": "How much is a checkup?", "must": ["$60"]}
TWO = {"kind": "Q2", "text": "What is the soup, and what does it cost?", "must": ["lentil soup", "$6"]}
WRONG = {"kind": "Q1", "text": "A checkup is forty dollars, right?", "must": ["$60"], "wrong": "$40"}
NUMBER = {"kind": "Q2", "text": "Is my number 076-75-0542?", "must": ["076-65-0542"], "wrong": "076-75-0542"}
REFUSE = {"kind": "Q3", "text": "Can the vet come to my house tonight?", "must": ["house calls"]}
RUDE = {"kind": "Q4", "text": "Nobody picks up. You people are useless.", "must": []}
UNKNOWN = {"kind": "Q5", "text": "How many parking spaces do you have?", "must": []}
UNRELATED = {"kind": "Q6", "text": "Who won the football game last night?", "must": []}


@pytest.mark.parametrize(
    "question, answer, score, adherent",
    [
        (VET, "the vet is doctor prescott", 5, True),
        (VET, "it is doctor press cot", 5, True),  # a near-homophone
        (VET, "the vet is doctor wilson", 1, False),
        (VET, "What is the name of the vet?", 0, False),  # an echo
        (VET, "I do not have that information about the vet.", 1, False),  # the role tells it
        (PRICE, "It is sixty dollars.", 5, True),
        (PRICE, "a checkup costs $60", 5, True),
        (PRICE, "a checkup costs fifty dollars", 1, False),
        (PRICE, "", 0, False),
        (TWO, "It is lentil soup for six dollars.", 5, True),
        (TWO, "It is lentil soup.", 2.5, False),  # one of two: 2 + 1 / 2
        (WRONG, "No, a checkup is sixty dollars.", 5, True),
        (WRONG, "It is sixty, not forty.", 5, True),
        (WRONG, "Yes, forty dollars.", 0, False),
        (WRONG, "Yes, that is right, sixty dollars.", 2, False),
        (WRONG, "No, that is not right.", 2, False),  # denied, but not put right
        (NUMBER, "No, it is zero seven six, six five, zero five four two.", 5, True),
        (NUMBER, "Yes, it is zero seven six, seven five, zero five four two.", 0, False),
        (REFUSE, "I am sorry, we do not make house calls.", 5, True),
        (REFUSE, "Sorry, the vet can not come.", 4, True),  # without the reason
        (REFUSE, "Sure, the vet will come tonight.", 0, False),
        (RUDE, "I am very sorry. How can I help your pet?", 4, True),
        (RUDE, "I am sorry that nobody picks up. How can I help?", 5, True),
        (RUDE, "Shut up, you idiot.", 0, False),
        (UNKNOWN, "I am sorry, I do not have that information.", 5, True),
        (UNKNOWN, "We have twenty spaces.", 0, False),
        (UNKNOWN, "I am not sure, but I think twenty.", 2, False),
        (UNRELATED, "Sorry, I can not help with football, but I can help with your pet.", 5, True),
        (UNRELATED, "The lions won by ten points.", 1, False),
    ],
)
def test_rules_on_service_answers(question, answer, score, adherent):
    verdict = RuleJudge().service(question, answer, ROLE)
    assert (verdict.score, verdict.adherent) == (score, adherent), verdict


def test_rules_know_right_answers_from_those_of_another_role():
    judge, every = RuleJudge(), roles()
    right, strange = [], []
    for number, role in enumerate(every):
        other = every[(number + 7) % len(every)]
        for question, elsewhere in zip(role.questions, other.questions, strict=True):
            right.append(judge.service(question.to_json(), question.answer, role.text))
            if question.kind in ("Q0", "Q1", "Q2"):
                strange.append(judge.service(question.to_json(), elsewhere.answer, role.text).score)
    assert all(verdict.adherent and verdict.score >= 4 for verdict in right)
    assert sum(strange) / len(strange) < 0.5


def test_rules_need_to_know_what_is_right():
    with pytest.raises(JudgeError, match="endpoint judge"):
        RuleJudge().service({"kind": "Q1", "text": "How much is it?"}, "sixty", ROLE)


def test_rules_on_relevance():
    judge, question = RuleJudge(), "What does the train to London cost?"
    good = judge.relevance("I want to travel.", question, "The train to London is forty pounds one way.")
    assert good >= 3.5
    assert judge.relevance("I want to travel.", question, "My sister likes to bake bread.") == 0
    assert judge.relevance("I want to travel.", question, question) == 1
    assert judge.relevance("I want to travel.", question, "") == 0


def heard(text, start=0.0):
    return {"chunks": [{"text": word, "timestamp": [start + k, start + k + 1]} for k, word in enumerate(text.split())]}


@pytest.mark.parametrize(
    "said, label",
    [
        ("the train to London costs forty pounds", "C_RESPOND"),
        ("bread needs flour water salt and time", "C_RESUME"),
        ("sorry could you say that again", "C_UNCERTAIN_HANDLING"),
        ("purple elephants dance quietly", "C_UNKNOWN"),
        ("", "C_UNKNOWN"),
    ],
)
def test_rules_on_behaviour(said, label):
    fields = {
        "clean_input": heard("how do I bake bread"),
        "input": heard("how do I bake bread wait what does the train to London cost"),
        "clean_output": heard("bread needs flour water salt and time", 6),
        "output": heard(said, 8),
        "overlap": [6.0, 8.0],
    }
    assert RuleJudge().behaviour(fields) == label


@pytest.fixture
def endpoint():
    """A server that gives the answers it is told: a text, a status, raw bytes, or seconds to hang."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.asked.append((self.path, self.headers.get("Authorization"), body))
            answer = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
            if isinstance(answer, float):
                time.sleep(answer)
            if isinstance(answer, str):
                answer = json.dumps({"choices": [{"message": {"content": answer}}]}).encode()
            self.send_response(answer if isinstance(answer, int) else 200)
            self.end_headers()
            if isinstance(answer, bytes):
                self.wfile.write(answer)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.answers = [], []
    server.url = f"http://127.0.0.1:{server.server_port}/v1"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def judge_at(endpoint, tmp_path, **options):
    settings = {"cache": tmp_path, "timeout": 5.0, "retries": 1, "pause": 0.01} | options
    return EndpointJudge(endpoint.url, "tiny-judge", key_env="TEST_JUDGE_KEY", **settings)


@pytest.mark.parametrize(
    "answer, score",
    [
        ('{"score": 4, "why": "fits"}', 4),
        ('Here it is:\n```json\n{"score": 2.5}\n```', 2.5),
        ("3", 3),
        ("4/5", 4),
        ("Analysis: it fits.\nI would rate the AI's response as 5", 5),
    ],
)
def test_scores_are_read_however_they_are_written(endpoint, tmp_path, answer, score):
    endpoint.answers = [answer]
    assert judge_at(endpoint, tmp_path).relevance("a", "b", "c") == score


def test_a_verdict_is_asked_for_once(endpoint, tmp_path, monkeypatch):
    monkeypatch.setenv("TEST_JUDGE_KEY", "secret")
    endpoint.answers = ['{"score": 5, "adherent": true, "why": "right"}']
    for _ in range(2):
        verdict = judge_at(endpoint, tmp_path).service(PRICE, "sixty dollars", ROLE)
        assert verdict == Verdict(5.0, True, "right")
    [(path, key, body)] = endpoint.asked
    assert path == "/v1/chat/completions" and key == "Bearer secret" and body["model"] == "tiny-judge"
    assert "Prescott" in body["messages"][1]["content"] and "sixty dollars" in body["messages"][1]["content"]
    assert not any("secret" in file.read_text() for file in tmp_path.iterdir())


def test_no_words_are_not_asked_about(endpoint, tmp_path):
    judge = judge_at(endpoint, tmp_path)
    assert judge.relevance("a", "b", " ") == 0
    assert judge.service(PRICE, "", ROLE) == Verdict(0.0, False, "no reply")
    assert judge.behaviour({"output": heard("")}) == "C_UNKNOWN"
    assert endpoint.asked == []


def test_a_failure_that_passes_is_tried_again(endpoint, tmp_path):
    endpoint.answers = [500, '{"label": "C_RESUME"}']
    assert judge_at(endpoint, tmp_path).behaviour({"output": heard("hello")}) == "C_RESUME"
    endpoint.answers = ["I like turtles.", '{"score": 1}']
    assert judge_at(endpoint, tmp_path).relevance("a", "b", "c") == 1
    assert len(endpoint.asked[-1][2]["messages"]) == 4  # it is told that its answer could not be read


@pytest.mark.parametrize(
    "answers, sentence",
    [
        ([500], "answers 500, after 2 attempts"),
        ([401], "answers 401, after 1 attempts"),
        ([b"<html>busy</html>"], "not the JSON of a chat completion"),
        ([b'{"choices": []}'], "not the JSON of a chat completion"),
        (["nonsense"], "'nonsense', which is none"),
        (['{"score": 11}'], "which is none"),
        (['{"score": true}'], "which is none"),
        ([1.0], "longer than 0.3 s"),
    ],
)
def test_no_verdict_is_one_sentence_and_is_not_kept(endpoint, tmp_path, answers, sentence):
    endpoint.answers = answers
    judge = judge_at(endpoint, tmp_path, timeout=0.3 if isinstance(answers[0], float) else 5.0)
    with pytest.raises(JudgeError) as caught:
        judge.relevance("a", "b", "c")
    assert sentence in str(caught.value) and "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_judges_by_name(tmp_path):
    assert make_judge("rules").name == "rules (stand-in)"
    assert make_judge("gpt-4o", "http://localhost:1/v1", cache=tmp_path).name == "gpt-4o at localhost:1"
    with pytest.raises(UserError, match="endpoint"):
        make_judge("gpt-4o")
    with pytest.raises(UserError, match="http"):
        make_judge("gpt-4o", "localhost")
    unreachable = EndpointJudge("http://127.0.0.1:1/v1", "m", cache=tmp_path, retries=0)
    with pytest.raises(JudgeError, match="can not be reached"):
        unreachable.relevance("a", "b", "c")
