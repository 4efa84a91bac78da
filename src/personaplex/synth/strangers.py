"""Users who say anything: sentences of a wide vocabulary about things that no role tells of.

A grammar's users say what its agents can answer, and a model that has heard only them hears nothing else: it makes the
nearest known question of a stranger's. Here a known talk has turns in between that mean little and are never the same
twice. Their words are to be heard one by one, and the agent says that it does not know, or that it has listened.
"""
# ruff: noqa: E501  tables of words

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from personaplex.spelling import number
from personaplex.synth import casual, policies, service, teacher
from personaplex.synth.scripts import Line, Script, Topic, exchange, lower_first, sentence
from personaplex.synth.words import DAYS, first_name, pick, pick_split

THINGS = """
apple arrow axe bag ball balloon barrel basket bell belt blanket board bone book bottle bowl box bread brick broom brush bucket
button cage cake camera candle card carpet chain chair chalk clock coat coin comb computer cookie corn cradle crown cup curtain
desk diamond dish doll door dress drum egg engine envelope fan feather fence flag flower flute fork frame fruit glass glove glue
hammer hat helmet hook jacket jar jewel jug kettle key kite knife ladder lamp leaf letter lock magnet map mask match medal
mirror money nail napkin needle nest net newspaper notebook oven package painting pan paper pencil pepper piano picture pie
pillow pipe plate pocket poster pot present pump puzzle radio ring rock roof rope rug saddle sandwich saw scarf scissors
seed shelf shell shirt shoe shovel skirt sled soap sock spoon stamp statue stick stone string suitcase sweater sword table tape
telephone tent thread ticket tool towel toy tray trumpet umbrella vase violin wagon wallet watch wheel whistle window wire
""".split()
_BEINGS = """
actor artist aunt baby baker boy butcher captain carpenter child clown cousin dancer daughter dentist doctor driver farmer father
fisherman friend gardener girl grandfather guard guest hunter judge king lawyer lady man mayor mechanic mother musician neighbor
nurse officer painter pilot plumber poet prince queen sailor scientist singer sister soldier son student tailor teacher thief
tourist uncle waiter woman worker writer bear bee bird bull butterfly camel cat chicken cow deer dog donkey duck eagle elephant
fish fox frog goat goose horse kitten lamb lion monkey mouse owl ox parrot pig pigeon puppy rabbit rat sheep snake spider squirrel
swan tiger turtle whale wolf worm
""".split()
_PLACES = """
airport attic bakery balcony bank barn basement bathroom beach bridge building cabin castle cave cellar church city classroom
corner cottage desert factory farm field forest garage garden gate hall harbor hill hospital hotel island kitchen lake library
lighthouse market meadow mill mountain museum office palace park path pool port prison restaurant river road school shed shop
stable stadium station store street temple theater tower town tunnel valley village wall yard zoo
""".split()
_HOW = """
angry beautiful bitter black blue brave bright broken brown busy calm cheap clean clever cold cool dark deep dirty dry dusty empty
expensive famous fancy fast fat flat fresh funny gentle giant golden gray green handsome happy hard heavy hidden hollow hot huge
hungry lazy light little lonely long lost loud lovely lucky narrow new noisy old orange pale pink plain poor pretty proud purple
quick quiet rare red rich rough round rusty sad salty sharp shiny short silent silver simple sleepy slow small smooth soft sour
square steep sticky strange strong sweet tall thick thin tiny tired ugly warm weak wet white wide wild wise wooden yellow young
""".split()
# base | past
_DO = [tuple(pair.split("|")) for pair in """
answer|answered ask|asked beat|beat bite|bit blow|blew borrow|borrowed break|broke bring|brought brush|brushed build|built burn|burned
bury|buried buy|bought call|called carry|carried catch|caught chase|chased choose|chose clean|cleaned climb|climbed close|closed
count|counted cover|covered cross|crossed cut|cut draw|drew drop|dropped dry|dried eat|ate enter|entered feed|fed fill|filled
find|found fix|fixed follow|followed forget|forgot fold|folded greet|greeted grow|grew guard|guarded guess|guessed hang|hung
hate|hated hear|heard help|helped hide|hid hit|hit hold|held hurt|hurt invent|invented join|joined keep|kept kick|kicked kiss|kissed
know|knew learn|learned leave|left lift|lifted lose|lost love|loved make|made measure|measured meet|met melt|melted miss|missed
mix|mixed move|moved name|named need|needed notice|noticed open|opened order|ordered own|owned pack|packed paint|painted
pass|passed pick|picked plant|planted polish|polished pour|poured press|pressed pull|pulled push|pushed raise|raised reach|reached
read|read remember|remembered rent|rented repair|repaired ride|rode save|saved scratch|scratched see|saw sell|sold send|sent
shake|shook share|shared show|showed sign|signed smell|smelled steal|stole stop|stopped study|studied taste|tasted teach|taught
throw|threw touch|touched trade|traded trust|trusted turn|turned understand|understood use|used visit|visited want|wanted
warn|warned wash|washed watch|watched water|watered wear|wore win|won wrap|wrapped write|wrote
""".split()]  # fmt: skip
_MANNER = """
again alone badly carefully early easily finally gently happily hardly late loudly never often once outside quickly quietly rarely
secretly slowly softly suddenly today together twice usually yesterday
""".split()
_WHERE = (
    "in",
    "near",
    "behind",
    "under",
    "above",
    "beside",
    "around",
    "outside",
    "inside",
    "across from",
    "far from",
    "next to",
)

# {t} a thing, {b} a being, {p} a place, {h} how it is, {d} does, {w} did, {m} in what manner, {i} where, {n} a number,
# {day}, {name}.
_SAID = """
The {h} {t} is {i} the {p}.|My {b} {w} the {t} {m}.|We {w} a {h} {t} on {day}.|{name} {w} the {h} {b} {i} the {p}.|There were {n} {h} {t}s in the {p}.
The {b} {w} me {n} {t}s and a {t}.|I never {d} a {t} before {day}.|The {p} was {h} and the {t} was {h}.|Nobody {w} the {t} because it was too {h}.
They {w} the {b}, but the {b} {w} the {t}.|A {h} {b} came out of the {p} and {w} my {t}.|I think the {b} should {d} the {h} {t}.|Our {t} is {h}, and {name} {w} it.
It was {h} {i} the {p}, so I {w} my {t}.|You can {d} the {t} if the {b} is {h}.|The {t} fell {i} the {p} {m}.|{name} told me that the {b} {w} a {t}.|I would like to {d} a {h} {t} {m}.
When the {t} was {h}, the {b} {w} it.|She {w} {n} {b}s and he {w} the {t}.|First I {w} the {t}, then we {w} the {p}.|That {h} {b} does not {d} any {t}.|I saw a {t}, a {t} and a {h} {t} {i} the {p}.
"""
_ASKED = """
Who {w} the {h} {t}?|Why did the {b} {d} the {t}?|How do you {d} a {h} {t}?|Where can I find a {h} {t}?|When will the {b} {d} the {p}?
Is the {t} {i} the {p} {h}?|Did {name} {d} the {t} on {day}?|How many {t}s does a {b} need?|Do you know the {b} who {w} the {t}?|Which {b} {w} the {p}?
What happens if I {d} the {t}?|Can a {b} {d} a {h} {t}?|Should I {d} my {t} {m}?|Why is the {p} so {h}?|What does the {h} {b} {d}?|Was the {b} {h} or {h}?
Have you ever {w} a {t}?|Can you tell me why the {b} {w} my {t}?|Do you know if the {t} is {h}?|How far is the {p} from the {p}?|Will it be {h} {i} the {p} on {day}?
"""
_BEGIN = (
    "Let me tell you something first.", "I want to tell you what happened to me on {day}.", "Last {day} I was at the {p} with {name}.",
    "When I was a child, we had a {h} {b}.", "You will not believe what I saw {i} the {p}.", "So this is what happened.",
    "Last summer my {b} and I went to the {p}.", "I have to tell you about my {b}.", "Yesterday we went to a {h} {p}.",
)  # fmt: skip
_JOINS = ("", "", "", "And ", "Then ", "So ", "But ", "After that, ", "In the end ", "And then ")
_LISTENED = (
    "I see. Please go on.", "I understand.", "That is interesting.", "Okay, I see.", "Thank you for telling me.", "I see. How can I help you?",
)  # fmt: skip
_UNKNOWN = (
    "I am sorry, I do not know that.",
    "I am sorry, I did not understand that.",
    "Sorry, I do not have that information.",
)
_STORY = (6, 10)  # sentences of a story that takes half a minute: least, one more than most
_AMONG = (service.draw, service.draw, service.draw, teacher.draw, casual.draw)


def _fill(rng: np.random.Generator, frame: str, split: str) -> str:
    """A sentence of a frame; of all tables but that of verbs one word in eight belongs to the test split."""

    def drawn(slot: str) -> str:
        if slot == "n":
            return number(int(rng.integers(2, 30)))
        if slot == "day":
            return pick(rng, DAYS)
        if slot == "name":
            return first_name(rng, split)
        if slot == "i":
            return pick(rng, _WHERE)
        if slot in "dw":
            return pick(rng, _DO)[slot == "w"]
        table = {"t": THINGS, "b": _BEINGS, "p": _PLACES, "h": _HOW, "m": _MANNER}[slot]
        return pick_split(rng, table, split)

    text = re.sub(r"{(\w+)}", lambda slot: drawn(slot[1]), frame)
    for vowel in "aeiou":
        text = text.replace(f" a {vowel}", f" an {vowel}").replace(f"A {vowel}", f"An {vowel}")
    return sentence(text)


def _frames(table: str) -> list[str]:
    return table.strip().replace("\n", "|").split("|")


_SAID_FRAMES, _ASKED_FRAMES = _frames(_SAID), _frames(_ASKED)


def asked(rng: np.random.Generator, split: str) -> Topic:
    """A question that nobody can answer."""
    answers = policies.UNTOLD_ANSWERS if rng.random() < 0.4 else _UNKNOWN
    return Topic("strange", (_fill(rng, pick(rng, _ASKED_FRAMES), split),), answers, kind="refusal")


def told(rng: np.random.Generator, split: str, sentences: int) -> list[Line]:
    """What a user tells, and that the agent has listened; more than two sentences make a story."""
    kind = "story" if sentences > 2 else "statement"
    parts = [_fill(rng, pick(rng, _BEGIN), split)] if kind == "story" else []
    while len(parts) < sentences:
        join, said = pick(rng, _JOINS) if parts else "", _fill(rng, pick(rng, _SAID_FRAMES), split)
        parts.append(join + lower_first(said) if join else said)
    text = " ".join(parts)
    return [Line("user", text, kind, kind), Line("agent", pick(rng, _LISTENED), "answer", kind)]


def draw_told(rng: np.random.Generator, split: str) -> Script:
    """A talk that begins with a stranger's long story: in no role is a pause in it the agent's to fill."""
    script = pick(rng, (service.draw, teacher.draw, teacher.draw, casual.draw))(rng, split)
    story = told(rng, split, int(rng.integers(*_STORY)))
    first = int(script.agent_first)
    return replace(script, scenario="told", lines=(*script.lines[:first], *story, *script.lines[first:]))


def draw(rng: np.random.Generator, split: str) -> Script:
    """A talk at a service desk, with a teacher or a friend, in which the user also says what nobody expects."""
    script = pick(rng, _AMONG)(rng, split)
    lines = list(script.lines)
    first = int(script.agent_first)
    for _ in range(int(rng.integers(1, 4))):
        if rng.random() < 0.6:
            strange = exchange(rng, asked(rng, split), split=split)
        else:
            strange = told(rng, split, int(rng.integers(1, 3)) if rng.random() < 0.6 else int(rng.integers(4, 9)))
        at = first + 2 * int(rng.integers(0, 3))
        lines[at:at] = strange
    return replace(script, scenario="open", lines=tuple(lines))
