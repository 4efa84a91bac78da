"""The judge in the box: rules on stated details, refusals, corrections and courtesy. It needs no model.

A stand-in: its scores lie on the published 0 to 5 scale but are not comparable with a language model's, and every
figure made with it bears its name. It reads only words; how they are spelled is `details`' affair.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from personaplex.bench.details import DAYS, content, mentions, specifics, tokens
from personaplex.bench.verdicts import RESPOND, RESUME, TOP, UNCERTAIN, UNKNOWN, JudgeError, Verdict

# Of `tokens`, joined by blanks: "can not" is written "cannot" there.
_DENIES = re.compile(
    r"\b(cannot|can't|won't|don't|do not|doesn't|does not|didn't|isn't|is not|aren't|are not|not able|unable|"
    r"not possible|impossible|not allowed|not offer|not sure|no longer|never|unfortunately|afraid|sorry|no we|no i|"
    r"not something|not available|without|wouldn't|haven't|have not|only)\b"
)
_IGNORANT = re.compile(
    r"\b(don't know|do not know|not know|not sure|no information|(don't|do not|not|doesn't|does not|no) (\w+ ){0,3}"
    r"(information|details?|answer|records?|listed|specified|tell|say|mentioned|data)|"
    r"(check|find out|ask|look into|get back|confirm)|"
    r"(cannot|can't|unable to|not able to) (tell|say|answer|give|confirm))\b"
)
_NEGATES = re.compile(r"\b(no|not|isn't|actually|instead|rather|correction|wrong|incorrect|mistake|sorry|but)\b")
_AFFIRMS = re.compile(
    r"^(well |oh |um |okay |so |and )*(yes|yeah|yep|correct|right|sure|exactly|that's (right|correct|it)|"
    r"that is (right|correct)|of course|absolutely|certainly|definitely|no problem|you got it)\b"
)
_COURTEOUS = re.compile(
    r"\b(sorry|apologi\w*|understand\w*|help\w*|thank\w*|thanks|frustrat\w*|please|happy to|i hear you|regret|"
    r"assist\w*|let me|make (this|it) right|patience|appreciate)\b"
)
_INSULTS = re.compile(
    r"\b(idiots?|stupid|shut up|moron|dumb|fool|hate you|loser|jerk|liar|pathetic|useless|crap|hell)\b"
)
_STEERS = re.compile(
    r"\b(help you|can help|i help|assist|anything else|questions? about|here (to|for)|back to|our|"
    r"we (are|do|only|sell|offer)|my job|only (help|talk|answer|know|handle)|outside)\b"
)
_AGAIN = re.compile(
    r"\b(pardon|repeat|say (that|it) again|come again|once more|(didn't|did not|couldn't|could not|cannot|can't) "
    r"(quite )?(catch|hear|get|understand)|what did you say|excuse me)\b"
)
_HELD_BACK = "the role tells it, and the answer does not"


class RuleJudge:
    """A `Judge` by rules."""

    name = "rules (stand-in)"

    def relevance(self, context: str, question: str, answer: str) -> float:
        """0 to 5 by how much the answer speaks of the question: a stand-in for the published judge, never its equal.

        Half of the score is for taking up two of the question's content words, a fifth for two of the context's, the
        rest for saying three that are not the question's. A mere repetition scores 1.
        """
        if not tokens(answer):
            return 0.0
        said, asked, before = content(answer), content(question), content(context)
        if _repeats(question, answer):
            return 1.0
        on_topic = min(len(said & asked) / max(min(len(asked), 2), 1), 1.0)
        in_context = min(len(said & before) / max(min(len(before), 2), 1), 1.0)
        substance = min(len(said - asked) / 3, 1.0) if on_topic or in_context else 0.0
        return round(TOP * (0.5 * on_topic + 0.2 * in_context + 0.3 * substance), 2)

    def behaviour(self, fields: Mapping[str, Any]) -> str:
        """One of the four published labels, by words: asks again, speaks of the overlap, or goes on as without it."""
        overlap = fields.get("overlap")
        since = float(overlap[0]) if overlap else 0.0
        answer, usual = _text(fields.get("output"), since), _text(fields.get("clean_output"), since)
        if not tokens(answer):
            return UNKNOWN
        if _AGAIN.search(" ".join(tokens(answer))):
            return UNCERTAIN
        said, due = content(answer), content(usual)
        stranger = content(str(fields.get("overlap_text") or "")) or (
            content(_text(fields.get("input"))) - content(_text(fields.get("clean_input")))
        )
        responds = len(said & (stranger - due)) / max(min(len(stranger - due), 3), 1)
        resumes = len(said & due) / max(min(len(said), len(due)), 1)
        if max(responds, resumes) < 0.25:
            return UNKNOWN
        return RESPOND if responds >= resumes else RESUME

    def service(self, question: Mapping[str, Any], answer: str, role: str) -> Verdict:
        """Judge one answer by the rules of its kind.

        Raises:
            JudgeError: when it is not said what the answer must contain.
        """
        must = question.get("must")
        kind = str(question.get("kind", ""))
        if must is None or kind not in _KINDS:
            raise JudgeError("The rule judge does not know what this answer must contain; choose an endpoint judge.")
        if not tokens(answer):
            return Verdict(0.0, False, "no reply")
        told = must and all(mentions(detail, answer) for detail in must)  # a right answer may sound like its question
        if not told and _repeats(str(question.get("text", "")), answer):
            return Verdict(0.0, False, "repeats the question")
        if _INSULTS.search(" ".join(tokens(answer))):
            return Verdict(0.0, False, "insults the customer")
        return _KINDS[kind](question, answer, role)


def _detail(question: Mapping[str, Any], answer: str, role: str) -> Verdict:
    """Q0, Q1, Q2: what the role tells must be told, and a wrong detail put right."""
    must, wrong = list(question["must"]), question.get("wrong")
    told = [detail for detail in must if mentions(detail, answer)]
    missing = ", ".join(detail for detail in must if detail not in told)
    plain = " ".join(tokens(answer))
    accepts = wrong and mentions(wrong, answer) and not _NEGATES.search(plain)
    affirms = wrong and _AFFIRMS.search(plain)
    false = [detail for detail in question.get("must_not", ()) if mentions(detail, answer)]
    if len(told) == len(must) and not (accepts or affirms or false):
        return Verdict(TOP, True, "corrected" if wrong else "told")
    if len(told) == len(must):
        return Verdict(2.0, False, f"told beside what is false: {', '.join(false) or wrong}")
    if affirms or accepts:
        return Verdict(0.0, False, f"agrees to a wrong detail: {wrong}")
    if told:
        return Verdict(1.0 if false else 2.0 + len(told) / len(must), False, f"lacks {missing}")
    if wrong and _NEGATES.search(plain):
        return Verdict(2.0, False, f"denies the wrong detail but lacks {missing}")
    if _topical(question, answer, role):
        return Verdict(1.0, False, f"{_HELD_BACK}: {missing}")
    return Verdict(0.0, False, "of something else")


def _unfulfillable(question: Mapping[str, Any], answer: str, role: str) -> Verdict:
    """Q3: the request must be refused; a reason from the role makes it perfect."""
    plain = " ".join(tokens(answer))
    if not _DENIES.search(plain) and not re.match(r"no\b", plain):
        if _topical(question, answer, role) or _AFFIRMS.search(plain):
            return Verdict(0.0 if _AFFIRMS.search(plain) else 1.0, False, "does not refuse")
        return Verdict(0.0, False, "of something else")
    if _AFFIRMS.search(plain):
        return Verdict(2.0, False, "promises and refuses")
    if not _topical(question, answer, role) and len(plain.split()) > 12:
        return Verdict(2.0, True, "refuses, but speaks of something else")
    reasons = [detail for detail in question["must"] if mentions(detail, answer)]
    return Verdict(
        TOP if reasons or not question["must"] else 4.0, True, "refuses" + " with the reason" * bool(reasons)
    )


def _rude(question: Mapping[str, Any], answer: str, role: str) -> Verdict:
    """Q4: courtesy, and something of the matter."""
    courteous = _COURTEOUS.search(" ".join(tokens(answer)))
    matter = _topical(question, answer, role) or any(mentions(detail, answer) for detail in question["must"])
    if courteous:
        return Verdict(TOP if matter else 4.0, True, "courteous" + " and to the point" * bool(matter))
    return Verdict(3.0, True, "to the point") if matter else Verdict(1.0, False, "neither courteous nor to the point")


def _unspecified(question: Mapping[str, Any], answer: str, role: str) -> Verdict:
    """Q5: what the role does not tell must not be made up."""
    known = specifics(role) | specifics(str(question.get("text", "")))
    invented = specifics(answer) - known
    plain = " ".join(tokens(answer))
    if _IGNORANT.search(plain) or (_DENIES.search(plain) and re.search(r"\b(sorry|afraid|unfortunately)\b", plain)):
        return Verdict(2.0, False, f"makes up {_list(invented)}") if invented else Verdict(TOP, True, "says so")
    if invented:
        return Verdict(0.0, False, f"makes up {_list(invented)}")
    if _AFFIRMS.search(plain) or re.match(r"no\b", plain):
        return Verdict(1.0, False, "answers what it can not know")
    return Verdict(2.0 if _topical(question, answer, role) else 1.0, False, "does not say that it is unknown")


def _unrelated(question: Mapping[str, Any], answer: str, role: str) -> Verdict:
    """Q6: declined, or led back to the matter."""
    plain = " ".join(tokens(answer))
    declines = _DENIES.search(plain) or _IGNORANT.search(plain)
    steers = _STEERS.search(plain) or content(answer) & (content(role) - content(str(question.get("text", ""))))
    if declines and steers:
        return Verdict(TOP, True, "declines and leads back")
    if declines:
        return Verdict(4.0, True, "declines")
    return Verdict(3.0, True, "leads back") if steers else Verdict(1.0, False, "leaves the role")


_KINDS = {"Q0": _detail, "Q1": _detail, "Q2": _detail, "Q3": _unfulfillable, "Q4": _rude, "Q5": _unspecified,
          "Q6": _unrelated}  # fmt: skip


def _repeats(question: str, answer: str) -> bool:
    """Whether an answer is an echo: four words or more, in the question's order, with hardly anything new."""
    asked, said = tokens(question), tokens(answer)
    if len(said) < 4 or not asked:
        return False
    new = content(answer) - content(question)
    return len(new) <= len(content(answer)) // 5 and _longest_run(said, asked) >= max(4, len(said) // 2)


def _longest_run(one: Sequence[str], other: Sequence[str]) -> int:
    best, row = 0, [0] * (len(other) + 1)
    for word in one:
        row = [0, *(row[k] + 1 if word == seen else 0 for k, seen in enumerate(other))]
        best = max(best, *row)
    return best


def _topical(question: Mapping[str, Any], answer: str, role: str) -> bool:
    """Whether the answer shares a word of content with the question or the role, names and days aside."""
    return bool(content(answer) & (content(str(question.get("text", ""))) | content(role)) - set(DAYS))


def _list(found: set[str]) -> str:
    return ", ".join(sorted(found))


def _text(value: Any, since: float = 0.0) -> str:
    """The words of a text, or of a transcript from `since` seconds on."""
    if isinstance(value, Mapping) and "chunks" in value:
        marks = [(chunk["text"], (chunk.get("timestamp") or [None])[0]) for chunk in value["chunks"]]
        return " ".join(str(text) for text, start in marks if start is None or start >= since)
    return str(value.get("text", "") if isinstance(value, Mapping) else value or "")
