"""Small talk: hobbies, food, weather and weekends, with a friend who sometimes has a name and tastes of its own."""

from __future__ import annotations

import numpy as np

from personaplex.synth.scripts import GOODBYE, GREETS_FIRST, Line, Script, Topic, exchange
from personaplex.synth.stories import story
from personaplex.synth.words import COLORS, first_name, person, pick

ROLE = "You enjoy having a good conversation."

_HOBBIES = (
    "music",
    "painting",
    "cooking",
    "swimming",
    "dancing",
    "reading",
    "running",
    "fishing",
    "gardening",
    "chess",
    "hiking",
    "singing",
)
_FOODS = (
    "pizza",
    "pasta",
    "soup",
    "rice",
    "ice cream",
    "chocolate",
    "fish",
    "salad",
    "bread",
    "cheese",
    "sushi",
    "apple pie",
)
_PETS = ("dog", "cat", "bird", "fish", "horse", "rabbit")
_PLACES = (
    "Paris",
    "Rome",
    "London",
    "Tokyo",
    "Madrid",
    "Berlin",
    "Canada",
    "Italy",
    "Spain",
    "Japan",
    "Greece",
    "Egypt",
)
_JOBS = ("teacher", "doctor", "nurse", "driver", "baker", "farmer", "writer", "singer", "gardener", "painter")

# what the user says | ... = what the agent says | ...
_TALK = """
It is raining again today.|The weather is terrible today. = Oh no. I hope you have a good book.|Rain is good for the garden.|That sounds like a day for hot tea.
The sun is shining today.|It is such a beautiful day. = That is wonderful. Are you going outside?|I love sunny days.|Enjoy the sun.
I am so tired today.|I did not sleep well last night. = I am sorry. You should rest a little.|Oh no. Maybe a cup of coffee can help.
I had a long day at work.|Work was very hard today. = That sounds hard. What happened?|I hope you can rest now.
I got a new job.|Guess what, I have a new job. = That is great news. I am happy for you.|Wonderful. What will you do there?
I am going on vacation next week.|I have a vacation soon. = How nice. Where are you going?|That sounds great. Have a good trip.
I watched a good movie last night.|I saw a very funny movie yesterday. = Nice. What was it about?|I love movies. Was it funny?
I am reading a new book.|I just finished a very long book. = I love books. Is it good?|Nice. What is it about?
I cooked dinner for my family.|I made a big dinner yesterday. = That is very kind. What did you cook?|Yum. That sounds good.
It is my birthday today.|Today is my birthday. = Happy birthday. I hope you have a great day.|Happy birthday to you.
My team won the game.|We won our game on Sunday. = That is great. Well done.|Wonderful. You must be happy.
My team lost the game.|We lost our game yesterday. = Oh no. Maybe next time.|I am sorry. You will win the next one.
I am learning to play the guitar.|I started guitar lessons. = How nice. Do you play every day?|Music makes people happy.
I feel a little sad today.|I am a bit sad. = I am sorry. Do you want to talk about it?|I am here for you. What happened?
I feel great today.|I am so happy today. = That is wonderful. What happened?|I am happy to hear that.
I am bored.|There is nothing to do here. = Let us talk about something fun.|You could take a walk.
I want to buy a house.|We are looking for a new house. = That is a big step. Where do you want to live?|How exciting.
My sister is visiting me.|My parents are coming this weekend. = How nice. Family time is good time.|That sounds fun. What will you do?
I went for a walk this morning.|I was in the park today. = A walk is a good way to start.|Nice. Was it cold outside?
I like to talk with you.|You are fun to talk to. = Thank you. I like to talk with you too.|That is very kind of you.
"""
_QUESTIONS = """
What do you like to do on the weekend?|What are your plans for the weekend? = I like to rest and read.|I want to take a long walk.|Maybe I will see some friends.
Do you like music?|What music do you like? = I love music. I like old songs.|Yes, music is great. And you?
What is your favorite season?|Which season do you like best? = I like spring the most.|Summer is my favorite.|I love the winter snow.
Do you drink coffee or tea?|Coffee or tea? = I like tea in the morning.|Coffee, please. What about you?
What makes you happy?|What do you like the most? = A good talk makes me happy.|I am happy when people laugh.
Can you tell me a joke?|Do you know any jokes?|Tell me something funny. = Why did the chicken cross the road? To get to the other side.|What has four legs but can not walk? A table.
Can you tell me a story?|Tell me a short story. = Once there was a little cat that wanted to see the moon.|A small boat once went over the big blue ocean.
Do you like the city or the country?|Would you live in the city? = I like the quiet country.|The city is more fun for me.
Do you like to travel?|Do you travel a lot? = Yes, I love to see new places.|I like to travel by train.
What should I cook tonight?|What can I make for dinner? = How about pasta with tomatoes?|A warm soup would be nice.|Maybe rice with fish.
What should we talk about?|What do you want to talk about? = Let us talk about music.|Tell me about your day.|We can talk about food.
Do you like the rain?|Do you like rainy days? = Yes, I like the sound of rain.|A little rain is nice.
"""
HELLO = Topic(
    "hello",
    (
        "Hello.",
        "Hi.",
        "Hi there.",
        "Hey, how are you?",
        "Hello, how are you today?",
        "Good evening.",
        "Hey, what's up?",
        "Hi, nice to meet you.",
    ),
    (
        "Hello, how are you?",
        "Hi there. How is your day?",
        "Hello, nice to talk to you.",
        "Hi, I am doing well. How are you?",
        "Hey, good to hear you.",
    ),
)
_ANSWERS_BACK = Topic(
    "reply",
    ("I am fine, thank you.", "I'm doing okay.", "Pretty good, thanks.", "Not too bad.", "I am very well, thanks."),
    (
        "I am happy to hear that.",
        "Good. What did you do today?",
        "That is nice. What is new?",
        "Great. Tell me about your day.",
    ),
)


def _parse(text: str, prefix: str) -> tuple[Topic, ...]:
    rows = [line.split(" = ") for line in text.strip().splitlines()]
    return tuple(
        Topic(f"{prefix}:{asks.split('|')[0].lower()}", tuple(asks.split("|")), tuple(answers.split("|")))
        for asks, answers in rows
    )


TALK = _parse(_TALK, "talk")
QUESTIONS = _parse(_QUESTIONS, "chat")


def persona(rng: np.random.Generator, split: str) -> tuple[list[str], list[Topic]]:
    """Tastes that the role tells and the user may ask for."""
    full = person(rng, split)
    hobby, food, place, color, job = (pick(rng, group) for group in (_HOBBIES, _FOODS, _PLACES, COLORS, _JOBS))
    pet = pick(rng, _PETS)
    pet_name = first_name(rng, split)
    topics = [
        Topic("name", ("What is your name?", "Who are you?", "What's your name?", "Who am I talking to?"),
              (f"My name is {full}.", f"I am {full}.", f"I'm {full}. And you?", f"{full} is my name."),
              ("what your name is", "who you are"), (f"Your name is {full}.", f"You are {full}."), full.lower()),
        Topic("hobby", ("What is your hobby?", "Do you have a hobby?", "What do you do for fun?", "What do you like to do?"),
              (f"I love {hobby}.", f"My hobby is {hobby}.", f"{hobby.capitalize()} is what I like the most.", f"I like {hobby} very much."),
              ("what you do for fun", "if you have a hobby"), (f"You love {hobby}.", f"Your hobby is {hobby}."), hobby),
        Topic("food", ("What is your favorite food?", "What do you like to eat?", "Which food do you like?"),
              (f"I love {food}.", f"My favorite food is {food}.", f"{food.capitalize()} is the best.", f"I could eat {food} every day."),
              ("what you like to eat", "what your favorite food is"), (f"Your favorite food is {food}.", f"You like to eat {food}."), food),
        Topic("place", ("Where do you live?", "Where are you from?", "Where is your home?"),
              (f"I live in {place}.", f"I am from {place}.", f"My home is {place}.", f"{place} is my home."),
              ("where you live", "where you are from"), (f"You live in {place}.", f"You are from {place}."), place.lower()),
        Topic("color", ("What is your favorite color?", "Which color do you like?"),
              (f"I like {color}.", f"My favorite color is {color}.", f"{color.capitalize()} is my favorite."),
              ("what your favorite color is",), (f"Your favorite color is {color}.", f"You like {color}."), color),
        Topic("pet", ("Do you have a pet?", "Do you have any animals?", "Do you have pets at home?"),
              (f"Yes, I have a {pet}. The name is {pet_name}.", f"I have a {pet}, {pet_name}.", f"My {pet} is called {pet_name}."),
              ("if you have a pet",), (f"You have a {pet} called {pet_name}.",), f"{pet}|{pet_name}".lower()),
        Topic("job", ("What is your job?", "What do you do for work?", "Where do you work?"),
              (f"I am a {job}.", f"I work as a {job}.", f"My job is to be a {job}."),
              ("what your job is", "what you do for work"), (f"You are a {job}.", f"You work as a {job}."), job),
    ]  # fmt: skip
    chosen = [topics[i] for i in sorted(rng.permutation(len(topics))[: int(rng.integers(1, 5))])]
    return [pick(rng, topic.roles) for topic in chosen], chosen


def draw(rng: np.random.Generator, split: str, stories: float = 0.3) -> Script:
    """Two to six exchanges of small talk, of which `stories`, a share, begin with a long one of the user's."""
    sentences, own = persona(rng, split) if rng.random() < 0.7 else ([], [])
    greets = rng.random() < 0.2 and stories < 1
    if greets:
        sentences.append(pick(rng, [text for text in GREETS_FIRST if "customer" not in text and "caller" not in text]))
    role = " ".join([ROLE, *sentences])
    lines: list[Line] = []
    if greets:
        lines.append(Line("agent", pick(rng, HELLO.answers), "greeting", "greeting"))
        if rng.random() < 0.5:
            lines += exchange(rng, _ANSWERS_BACK)
    elif rng.random() < 0.5:
        lines += exchange(rng, HELLO)
    if not greets and rng.random() < stories:
        lines += story(rng, split)
    pool = own + [pick(rng, TALK) for _ in range(2)] + [pick(rng, QUESTIONS) for _ in range(2)]
    pool = list({topic.intent: topic for topic in (pool[i] for i in rng.permutation(len(pool)))}.values())
    first = not lines
    for topic in pool[: int(rng.integers(2, 6))]:
        lines += exchange(rng, topic, first=first, split=split)
        first = False
    if rng.random() < 0.4:
        lines += exchange(rng, GOODBYE)
    return Script("casual", role, tuple(lines), greets)
