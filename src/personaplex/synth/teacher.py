"""Questions to the wise and friendly teacher: simple facts, small sums and advice, under one fixed role text."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from personaplex.spelling import number
from personaplex.synth.scripts import (
    GOODBYE,
    HOW_ARE_YOU,
    THANKS,
    Line,
    Script,
    Topic,
    answer,
    ask,
    exchange,
    lower_first,
    sentence,
)
from personaplex.synth.words import DAYS, held_out, pick

ROLE = "You are a wise and friendly teacher. Answer questions or provide advice in a clear and engaging way."

# question | ... = answer | ...
_FACTS = """
What color is the sky?|Why is the sky blue, or what color is it?|Tell me the color of the sky. = The sky is blue.|On a clear day, the sky is blue.
What color is grass?|Which color does grass have? = Grass is green.|It is green.
What color is snow?|Which color is fresh snow? = Snow is white.|Fresh snow is white.
What color is a banana?|Which color does a ripe banana have? = A ripe banana is yellow.|It is yellow.
What color is a tomato?|Which color is a ripe tomato? = A ripe tomato is red.|It is red.
What color do blue and yellow make?|What happens if I mix blue and yellow? = Blue and yellow make green.|You get green.
What color do red and white make?|What do I get if I mix red and white? = Red and white make pink.|You get pink.
What color do red and yellow make?|What happens if I mix red and yellow? = Red and yellow make orange.|You get orange.
What is the capital of France?|Which city is the capital of France? = The capital of France is Paris.|It is Paris.|Paris is the capital of France.
What is the capital of Italy?|Which city is the capital of Italy? = The capital of Italy is Rome.|It is Rome.|Rome is the capital of Italy.
What is the capital of Spain?|Which city is the capital of Spain? = The capital of Spain is Madrid.|It is Madrid.
What is the capital of Germany?|Which city is the capital of Germany? = The capital of Germany is Berlin.|It is Berlin.
What is the capital of England?|Which city is the capital of England? = The capital of England is London.|It is London.
What is the capital of Japan?|Which city is the capital of Japan? = The capital of Japan is Tokyo.|It is Tokyo.
What is the capital of China?|Which city is the capital of China? = The capital of China is Beijing.|It is Beijing.
What is the capital of Russia?|Which city is the capital of Russia? = The capital of Russia is Moscow.|It is Moscow.
What is the capital of Egypt?|Which city is the capital of Egypt? = The capital of Egypt is Cairo.|It is Cairo.
What is the capital of Greece?|Which city is the capital of Greece? = The capital of Greece is Athens.|It is Athens.
What is the capital of Canada?|Which city is the capital of Canada? = The capital of Canada is Ottawa.|It is Ottawa.
What is the capital of the United States?|Which city is the capital of America? = The capital is Washington.|It is Washington.
How many legs does a dog have?|Can you tell me how many legs a dog has? = A dog has four legs.|It has four legs.
How many legs does a spider have?|Can you tell me how many legs a spider has? = A spider has eight legs.|It has eight legs.
How many legs does a bird have?|How many legs has a bird? = A bird has two legs.|It has two legs.
How many legs does an ant have?|Can you tell me how many legs an insect has? = An ant has six legs.|It has six legs.
How many days are in a week?|How many days does a week have? = A week has seven days.|There are seven days in a week.
How many months are in a year?|How many months does a year have? = A year has twelve months.|There are twelve months in a year.
How many hours are in a day?|How many hours does a day have? = A day has twenty four hours.|There are twenty four hours in a day.
How many minutes are in an hour?|How many minutes does an hour have? = An hour has sixty minutes.|There are sixty minutes in an hour.
How many seconds are in a minute?|How many seconds does a minute have? = A minute has sixty seconds.|There are sixty seconds in a minute.
How many letters are in the alphabet?|How many letters does English have? = The alphabet has twenty six letters.|There are twenty six letters.
How many fingers do I have?|How many fingers are on two hands? = You have ten fingers.|Two hands have ten fingers.
How many sides does a triangle have?|How many sides has a triangle? = A triangle has three sides.|It has three sides.
How many sides does a square have?|How many sides has a square? = A square has four sides.|It has four sides.
How many planets are there?|How many planets go around the sun? = There are eight planets.|Eight planets go around the sun.
How many continents are there?|How many continents does the world have? = There are seven continents.|The world has seven continents.
What is the largest planet?|Which planet is the biggest? = Jupiter is the largest planet.|The biggest planet is Jupiter.
What is the largest ocean?|Which ocean is the biggest? = The Pacific is the largest ocean.|The biggest one is the Pacific.
What is the tallest mountain?|Which mountain is the highest in the world? = Mount Everest is the highest mountain.|It is Mount Everest.
What is the longest river?|Which river is the longest in the world? = The Nile is the longest river.|Many people say it is the Nile.
What is the largest animal?|Which animal is the biggest in the world? = The blue whale is the largest animal.|It is the blue whale.
What is the fastest animal?|Which animal runs the fastest? = The cheetah is the fastest animal.|The cheetah runs faster than all others.
What is the tallest animal?|Which animal has the longest neck? = The giraffe is the tallest animal.|It is the giraffe.
What sound does a cow make?|What does a cow say? = A cow says moo.|It says moo.
What sound does a cat make?|What does a cat say? = A cat says meow.|It says meow.
What do bees make?|Where does honey come from? = Bees make honey.|Honey comes from bees.
Where does milk come from?|Which animal gives us milk? = Milk comes from cows.|Cows give us milk.
What do fish breathe with?|How do fish breathe? = Fish breathe under water with gills.|They use their gills.
Where do penguins live?|In which place do penguins live? = Penguins live in the cold south.|They live near the South Pole.
Where do polar bears live?|In which place do polar bears live? = Polar bears live in the cold north.|They live near the North Pole.
What do cows eat?|Which food do cows eat? = Cows eat grass.|They eat a lot of grass.
What do plants need?|What does a plant need to grow? = Plants need water, light and air.|They need water and light.
Why do leaves fall?|Why do trees lose their leaves? = Trees drop their leaves to save water in winter.|It helps the tree in the cold winter.
Why is the sea salty?|Where does the salt in the ocean come from? = Rivers carry salt from the rocks to the sea.|The salt comes from rocks on land.
Why does it rain?|Where does rain come from? = Rain comes from water in the clouds.|Clouds get heavy and the water falls.
What makes a rainbow?|How does a rainbow happen? = Sun and rain together make a rainbow.|Light from the sun goes through the rain.
Why is the sun hot?|What makes the sun so hot? = The sun is a star, a big ball of hot gas.|The sun burns like a very big fire.
What is the moon made of?|Can you tell me what the moon is made of? = The moon is made of rock.|It is a big ball of rock.
What is ice?|What happens when water gets very cold? = Ice is frozen water.|Cold water turns into ice.
When does water boil?|How hot is boiling water? = Water boils at one hundred degrees.|It boils at one hundred degrees.
When does water freeze?|How cold must it be for water to freeze? = Water freezes at zero degrees.|It freezes at zero degrees.
Who wrote Romeo and Juliet?|Which writer made Romeo and Juliet? = Shakespeare wrote Romeo and Juliet.|It was Shakespeare.
Who painted the Mona Lisa?|Which artist made the Mona Lisa? = Leonardo painted the Mona Lisa.|It was Leonardo, a very long time ago.
Who was the first man on the moon?|Who walked on the moon first? = Neil Armstrong was the first man on the moon.|It was Neil Armstrong.
Who was the first president of America?|Who was the first American president? = George Washington was the first president.|It was George Washington.
What is the opposite of hot?|Which word is the opposite of hot? = The opposite of hot is cold.|It is cold.
What is the opposite of big?|Which word is the opposite of big? = The opposite of big is small.|It is small.
What is the opposite of happy?|Which word is the opposite of happy? = The opposite of happy is sad.|It is sad.
Which season comes after winter?|What comes after winter? = Spring comes after winter.|After winter comes spring.
Which season is the hottest?|When is it the hottest in the year? = Summer is the hottest season.|It is the summer.
Where does the sun rise?|In which direction does the sun come up? = The sun rises in the east.|It comes up in the east.
Where does the sun set?|In which direction does the sun go down? = The sun sets in the west.|It goes down in the west.
How can I sleep better?|I can not sleep at night. What can I do? = Go to bed early and put your phone away.|Read a quiet book before you sleep.
How can I learn a language?|What is the best way to learn a language? = Speak a little every day and be patient.|Listen a lot, and speak every day.
How can I be happy?|What makes people happy? = Be kind, and spend time with your friends.|Enjoy the small things every day.
How can I make friends?|I have no friends here. What should I do? = Be kind, smile, and ask people questions.|Join a club and say hello to people.
How can I learn to cook?|I want to cook. How do I start? = Start with simple food, like eggs or soup.|Learn one easy dish, and cook it often.
How can I save money?|What is a good way to save money? = Save a little every month before you spend.|Write down what you buy, and spend less.
How can I get strong?|What is a good way to stay healthy? = Walk every day, and eat good food.|Sleep well, eat well, and move every day.
How do I stop being afraid?|I am afraid of my test. What can I do? = Breathe slowly, and take one small step.|Study a little each day, and trust yourself.
How can I read more books?|I never have time to read. Any advice? = Read ten pages every night.|Take a book with you every day.
What should I do when I am angry?|I get angry very fast. What can I do? = Count to ten, and breathe slowly.|Take a walk, and talk about it later.
What is a good hobby?|Can you name a good hobby for me? = Painting is a good hobby.|Music is a wonderful hobby.
How do I grow tomatoes?|I want to grow tomatoes. Any advice? = Give them sun and water every day.|They need a lot of sun and good soil.
What is a good breakfast?|What should I eat in the morning? = Eggs and fruit are a good breakfast.|Eat some fruit, bread and eggs.
How often should I drink water?|How much water should I drink? = Drink about eight glasses every day.|Eight glasses a day is good for you.
How do I train my dog?|My dog does not listen to me. What can I do? = Be patient, and give your dog a treat.|Use short words, and be kind.
How can I wake up early?|I always get up too late. Any advice? = Go to bed at the same time every night.|Sleep early, and let the light in.
"""

_UNKNOWN_ASKS = (
    "Who won the game last night?", "What is the weather tomorrow?", "How old is the mayor?", "What is the best phone?",
    "How do airplanes fly so high?", "Can you explain the stock market?", "What did the news say today?",
    "Who is the richest man in the world?", "How far away is the next galaxy?", "What happened in the year twelve hundred?",
    "Can you tell me about quantum physics?", "How does a computer chip work?", "What is the meaning of life?",
    "Could you tell me how engines work?", "What is the population of Brazil?", "When was the telephone invented?",
)  # fmt: skip
_UNKNOWN = Topic(
    "unknown",
    _UNKNOWN_ASKS,
    (
        "That is a good question. I am not sure.",
        "I do not know that, but it is a good question.",
        "I am not sure. What do you think?",
        "Good question. We should look it up together.",
        "I don't know, but a book can help us.",
    ),
    kind="refusal",
)
_HELLO = Topic(
    "hello",
    (
        "Hello.",
        "Hi.",
        "Hi there.",
        "Good morning.",
        "Hello teacher.",
        "Hey, can you help me?",
        "Hello, I have a question.",
    ),
    (
        "Hello. What would you like to know?",
        "Hi, how can I help you?",
        "Hello, my friend. What is your question?",
        "Hello. Ask me anything.",
    ),
)
_OPENINGS = (
    "My daughter asked me something today", "I have a question for you", "I was thinking about something",
    "I have been reading a lot lately", "We talked about this at school", "My friend and I had a little bet",
    "I could not sleep last night", "I am learning new things", "My son has a test tomorrow",
)  # fmt: skip


def _parse(line: str) -> Topic:
    asks, answers = line.split(" = ")
    return Topic("fact:" + asks.split("|")[0].rstrip("?").lower(), tuple(asks.split("|")), tuple(answers.split("|")))


FACTS: tuple[Topic, ...] = tuple(_parse(line) for line in _FACTS.strip().splitlines())
_LONG_WORDS = 8
_LONG = tuple(topic for topic in FACTS if max(len(text.split()) for text in topic.answers) >= _LONG_WORDS)
_SHORT = tuple(topic for topic in FACTS if topic not in _LONG)


def _sum(rng: np.random.Generator, split: str) -> Topic:
    """A small sum, one of those that belong to `split`."""
    while True:
        a, b = int(rng.integers(1, 21)), int(rng.integers(1, 21))
        minus = rng.random() < 0.4
        if (not minus or a >= b) and held_out(a, b, minus) == (split == "test"):
            break
    word, result = ("minus", a - b) if minus else ("plus", a + b)
    task, total = f"{number(a)} {word} {number(b)}", number(result)
    return Topic(
        "sum",
        (f"What is {task}?", f"How much is {task}?", f"Can you tell me what {task} is?"),
        (f"{sentence(task)} is {total}.", f"It is {total}.", f"That makes {total}.", f"The answer is {total}."),
        (f"how much {task} is", f"what {task} is"),
        fact=total,
    )


def _next_day(rng: np.random.Generator) -> Topic:
    at, step = int(rng.integers(7)), 1 if rng.random() < 0.6 else -1
    word, result = "after" if step == 1 else "before", DAYS[(at + step) % 7]
    return Topic(
        "next_day",
        (f"Which day comes {word} {DAYS[at]}?", f"What day is {word} {DAYS[at]}?"),
        (f"{result} comes {word} {DAYS[at]}.", f"It is {result}.", f"The day {word} {DAYS[at]} is {result}."),
        (f"which day comes {word} {DAYS[at]}",),
        fact=result.lower(),
    )


def _count(rng: np.random.Generator, least: int = 3) -> Topic:
    end = int(rng.integers(least, 13))
    numbers = [number(i) for i in range(1, end + 1)]
    return Topic(
        "count",
        (f"Can you count to {number(end)}?", f"Please count to {number(end)}.", f"Count to {number(end)} for me."),
        (f"{sentence(', '.join(numbers))}.", f"Sure. {sentence(', '.join(numbers))}."),
        fact=" ".join(numbers),
    )


def _praise(rng: np.random.Generator, topic: Topic) -> Topic:
    """Sometimes a friendly word before or after the answer, as the role asks for an engaging way."""
    head = (
        "Good question.",
        "Sure.",
        "Of course.",
        "I am glad you ask.",
        "Let me think.",
        "Well,",
        "Oh, that is easy.",
    )
    tail = (
        "Isn't that nice?",
        "Do you want to know more?",
        "Is there more you want to know?",
        "That is a good thing to know.",
    )
    longer = []
    for text in topic.answers:
        lead = pick(rng, head)
        longer.append(f"{lead} {text if lead.endswith('.') else lower_first(text)}")
        longer.append(f"{text} {pick(rng, tail)}")
    return Topic(
        topic.intent, topic.asks, topic.answers + tuple(longer), topic.clauses, topic.roles, topic.fact, topic.kind
    )


def draw_interrupted(rng: np.random.Generator, split: str) -> Script:
    """Two to four answers of some length, each broken off by a question that has a short one."""
    lines: list[Line] = []
    for _ in range(int(rng.integers(2, 5))):
        long = _count(rng, 8) if rng.random() < 0.25 else pick(rng, _LONG)
        lines.append(ask(rng, long, split=split))
        lines.append(
            Line("agent", max(long.answers, key=lambda text: len(text.split())), long.kind, long.intent, long.fact)
        )
        roll = rng.random()
        short = _sum(rng, split) if roll < 0.15 else _next_day(rng) if roll < 0.3 else pick(rng, _SHORT)
        lines.append(replace(ask(rng, short, split=split), barge=True))
        lines.append(answer(rng, short))
    return Script("qa", ROLE, tuple(lines))


def draw(rng: np.random.Generator, split: str) -> Script:
    """Two to six questions, some about the world, some sums, some for advice."""
    lines: list[Line] = []
    first = True
    if rng.random() < 0.25:
        lines += exchange(rng, _HELLO)
        first = False
    opening = pick(rng, _OPENINGS) if rng.random() < 0.5 else ""
    asked: set[str] = set()
    for _ in range(int(rng.integers(2, 7))):
        roll = rng.random()
        if roll < 0.68:
            topic = _praise(rng, pick(rng, FACTS))
        elif roll < 0.8:
            topic = _sum(rng, split)
        elif roll < 0.86:
            topic = _next_day(rng)
        elif roll < 0.9:
            topic = _count(rng)
        elif roll < 0.93:
            topic = HOW_ARE_YOU
        else:
            topic = _UNKNOWN
        if topic.intent in asked:
            continue
        asked.add(topic.intent)
        lines += exchange(rng, topic, opening, first, split)
        opening, first = "", False
    if rng.random() < 0.4:
        lines += exchange(rng, THANKS)
    if rng.random() < 0.4:
        lines += exchange(rng, GOODBYE)
    return Script("qa", ROLE, tuple(lines))
