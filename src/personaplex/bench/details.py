"""Whether a sentence states a detail, however it is spelled: "sixty dollars" or "$60", "half past nine" or "9:30 am".

Knows English numbers, prices, times, days, codes and names. Knows no roles and gives no scores.

A detail is written as a role would write it, alternatives between bars: `$60`, `15%`, `9:30 am`, `076-65-0542` (told
figure by figure), `3 days`, `1984`, `Monday`, `Ms Okafor`, `cash only`. Words with a capital are names, whose
near-homophones count; of other words all but the small ones must be there, in any order and ending.
"""

from __future__ import annotations

import re

from personaplex.speech.phonetics import sounds_alike

_UNITS = {word: value for value, word in enumerate(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen".split())}  # fmt: skip
_TENS = {word: 10 * value for value, word in enumerate(
    "twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)}  # fmt: skip
_ORDINALS = {word: value for value, word in enumerate(
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth twentieth".split(), 1)} | {"thirtieth": 30}  # fmt: skip
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
          "december")  # fmt: skip
# Without their endings, as `_stem` leaves them.
_MEASURES = frozenset(
    "minut hour day week month year mil pound foot feet inch people person percent dollar cent pag night class lesson "
    "gallon acr degr".split()
)
_PARTS = {"am": "am", "morning": "am", "pm": "pm", "afternoon": "pm", "evening": "pm", "night": "pm", "tonight": "pm"}
SMALL = frozenset(
    "a an the of to in on at for and or is are was be it its that this with from by we you your our my i do does did "
    "have has can could will would me us them they he she as if so than then there here what which who when "
    "where how much many please per about".split()
)
_NUMBER = re.compile(r"\d+(\.\d+)?")


def tokens(text: str) -> list[str]:
    """The words of a sentence in lower case, numbers in figures, prices as `$60` or `$12.50`, shares as `15%`."""
    return _joined(_figures(_split(text)))


def mentions(detail: str, text: str) -> bool:
    """Whether a sentence states a detail, or one of its alternatives between bars."""
    said, written = tokens(text), _split(text)
    return any(_states(option.strip(), said, written) for option in detail.split("|"))


def specifics(text: str) -> set[str]:
    """The prices, shares, numbers and days of a sentence: what cannot be known unless one is told."""
    return {token for token in tokens(text) if token[0] in "$0123456789" or _stem(token) in DAYS}


def content(text: str) -> set[str]:
    """The words of a sentence that are not small ones, without their endings."""
    return {_stem(token) for token in tokens(text) if token not in SMALL}


def _states(detail: str, said: list[str], written: list[str]) -> bool:
    """Whether `said`, the tokens of a text of the words `written`, state a detail."""
    lower = detail.lower()
    if match := re.fullmatch(r"(\d{1,2})(?::(\d\d))?\s*([ap]m)|(\d{1,2}):(\d\d)", lower):
        hour, minute, part = match[1] or match[4], match[2] or match[5] or "00", match[3]
        return _tells_time(int(hour), int(minute), part, said)
    if re.fullmatch(r"[\d-]+", detail) and ("-" in detail or len(detail) > 4):
        return re.sub(r"\D", "", detail) in _digit_runs(said)
    wanted = tokens(detail)
    if len(wanted) == 1 and wanted[0].startswith("$"):
        return wanted[0] in said or _says_number(wanted[0][1:], said, "")
    if len(wanted) == 1 and _NUMBER.fullmatch(wanted[0]):
        return _says_number(wanted[0], said)
    if len(wanted) == 2 and _NUMBER.fullmatch(wanted[0]) and _stem(wanted[1]) in _MEASURES:
        return _says_number(wanted[0], said, _stem(wanted[1]))
    names, plain = _names(detail)
    stems = {_stem(token) for token in said}
    return all(_stem(word) in stems for word in plain) and all(sounds_alike(name, written) for name in names)


def _names(detail: str) -> tuple[list[str], list[str]]:
    """Runs of capitalised words, which are names, and the other words that count."""
    names: list[str] = []
    plain: list[str] = []
    open_name = False
    for word in detail.split():
        bare = word.strip(".,'")
        is_name = bare[:1].isupper() and bare.lower() not in (*DAYS, *MONTHS)
        if is_name and open_name:
            names[-1] += f" {bare}"
        elif is_name:
            names.append(bare)
        else:
            plain += [token for token in tokens(word) if token not in SMALL]
        open_name = is_name
    return names, plain


def _says_number(number: str, said: list[str], measure: str | None = None) -> bool:
    """Whether a number stands there, whole or figure by figure; with `measure`, not as a number of another measure."""
    digits = number.replace(".", "")
    for at in range(len(said)):
        joined, end = "", at
        while end < len(said) and _NUMBER.fullmatch(said[end]) and len(joined) < len(digits):
            joined += said[end].replace(".", "")
            end += 1
            if joined == digits and (end == at + 1 or _alone(said, at, end)):
                following = _stem(said[end]) if end < len(said) else ""
                if measure is None or following == measure or following not in _MEASURES:
                    return True
    return False


def _alone(said: list[str], start: int, end: int) -> bool:
    """Whether a run of numbers is not part of a longer one."""
    before = start > 0 and _NUMBER.fullmatch(said[start - 1])
    return not before and not (end < len(said) and _NUMBER.fullmatch(said[end]))


def _digit_runs(said: list[str]) -> str:
    """All numbers that follow one another as one string of figures, other words between runs as blanks."""
    return "".join(token if token.isdigit() else " " for token in said)


def _tells_time(hour: int, minute: int, part: str | None, said: list[str]) -> bool:
    for at, token in enumerate(said):
        rest = said[at + 1 : at + 5]
        if token in ("noon", "midnight", "midday"):
            if hour == 12 and minute == 0 and part != ("am" if token != "midnight" else "pm"):
                return True
            continue
        told: tuple[int, int] | None = None
        if match := re.fullmatch(r"(\d{1,2}):(\d\d)", token):
            told = int(match[1]), int(match[2])
        elif token.isdigit() and at >= 2 and said[at - 1] in ("past", "after", "to") and said[at - 2] in _PAST:
            sign = -1 if said[at - 1] == "to" else 1
            total = int(token) * 60 + sign * _PAST[said[at - 2]]
            told = total // 60, total % 60
        elif token.isdigit() and minute and rest and rest[0].isdigit():
            told = int(token), int("".join(rest[:2]) if rest[:1] == ["0"] and rest[1:2] else rest[0])
        elif token.isdigit() and not (rest and (_stem(rest[0]) in _MEASURES or rest[0].isdigit())):
            told = int(token), 0
        if told == (hour, minute) or (told is not None and part == "pm" and told == (hour + 12, minute)):
            named = next((_PARTS[word] for word in rest if word in _PARTS), None)
            if named is None or part is None or named == part:
                return True
    return False


_PAST = {"half": 30, "quarter": 15, "5": 5, "10": 10, "20": 20, "25": 25}


def _split(text: str) -> list[str]:
    text = text.lower().replace("’", "'").replace("o'clock", " ").replace("can not", "cannot")
    text = re.sub(r"\b([ap])\.\s?m\b\.?", r"\1m", text)
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)
    text = re.sub(r"\$\s?(\d+)\.(\d\d)\b", r" \1 dollars \2 cents ", text)
    text = re.sub(r"\$\s?(\d+)", r" \1 dollars ", text)
    text = re.sub(r"(?<=\d)\s?%", " percent ", text)
    text = re.sub(r"\b(\d{1,2})(?:st|nd|rd|th)\b", r"\1", text)
    return [word.strip("'") for word in re.findall(r"\d+:\d\d|\d+\.\d+|\d+|[a-z']+", text) if word.strip("'")]


def _figures(words: list[str]) -> list[str]:
    """Numbers in words become figures; `double five` and `oh` in a row of figures too."""
    out: list[str] = []
    at = 0
    while at < len(words):
        word = words[at]
        value, size = _number(words, at)
        if size:
            if words[at + size : at + size + 3] == ["and", "a", "half"]:
                out.append(f"{value}.5")
                size += 3
            elif words[at + size : at + size + 1] == ["point"] and _number(words, at + size + 1)[1]:
                more, length = _number(words, at + size + 1)
                out.append(f"{value}.{more}")
                size += 1 + length
            else:
                out.append(str(value))
            at += size
        elif word in ("double", "triple") and at + 1 < len(words) and _number(words, at + 1)[1] == 1:
            out += [str(_number(words, at + 1)[0])] * (2 if word == "double" else 3)
            at += 2
        elif word in ("oh", "o") and (
            (out and out[-1].isdigit()) or (at + 1 < len(words) and words[at + 1] in (*_UNITS, "oh", "double"))
        ):
            out.append("0")
            at += 1
        elif re.fullmatch(r"\d+", word):
            # Figures with a leading zero are a code, told one by one.
            out += list(word) if len(word) > 1 and word[0] == "0" else [word]
            at += 1
        else:
            out.append(word)
            at += 1
    return out


def _number(words: list[str], at: int) -> tuple[int, int]:
    """The number in words that begins at a place, and how many words it takes: 0 where there is none."""
    first = words[at] if at < len(words) else ""
    if first == "a" and words[at + 1 : at + 2] in (["hundred"], ["thousand"], ["dozen"]):
        value, size = 1, 1
    else:
        value, size = _below_hundred(words, at)
    if not size:
        return 0, 0
    total = 0
    while at + size < len(words):
        word = words[at + size]
        if word == "dozen":
            return total + value * 12, size + 1
        if word not in ("hundred", "thousand"):
            break
        size += 1
        total, value = (total + value * 100, 0) if word == "hundred" else ((total + value) * 1000, 0)
        skip = 1 if words[at + size : at + size + 1] == ["and"] else 0
        more, length = _below_hundred(words, at + size + skip)
        if length:
            value, size = more, size + skip + length
    return total + value, size


def _below_hundred(words: list[str], at: int) -> tuple[int, int]:
    word = words[at] if at < len(words) else ""
    if word in _TENS:
        following = words[at + 1] if at + 1 < len(words) else ""
        unit = _UNITS.get(following, _ORDINALS.get(following, 0))
        return (_TENS[word] + unit, 2) if 0 < unit < 10 else (_TENS[word], 1)
    if word in _UNITS:
        return _UNITS[word], 1
    return (_ORDINALS[word], 1) if word in _ORDINALS and word not in ("first", "second") else (0, 0)


def _joined(words: list[str]) -> list[str]:
    """Numbers with their dollars, cents and percent become one token."""
    out: list[str] = []
    at = 0
    while at < len(words):
        rest = words[at + 1 :]
        if _NUMBER.fullmatch(words[at]) and rest and rest[0] in ("dollar", "dollars", "bucks"):
            more = [word for word in rest[1:4] if word != "and"]
            cents = len(more) > 1 and more[0].isdigit() and more[1] in ("cent", "cents")
            out.append(f"${words[at]}" + (f".{int(more[0]):02d}" if cents else ""))
            at += 2 + (2 + (rest[1] == "and") if cents else 0)
        elif _NUMBER.fullmatch(words[at]) and rest and rest[0] == "percent":
            out.append(f"{words[at]}%")
            at += 2
        else:
            out.append(words[at])
            at += 1
    return out


def _stem(word: str) -> str:
    """A word without its commonest endings; crude, but the same for both sides of a comparison."""
    if word in ("people", "feet"):
        return word
    for ending in ("'s", "ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            word = word[: -len(ending)]
            break
    return word[:-1] if word.endswith("e") and len(word) > 3 else word
