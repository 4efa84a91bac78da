"""What the users of the mini set say. A bar marks a hesitation or the end of a clause; nothing here knows when.

Questions are of the kind that the bundled model's teacher role answers.
"""

from __future__ import annotations

SYNTHETIC_PAUSES = (
    "I would like to know, | what is the capital of France?",
    "My son has a test tomorrow, and he asked me, | how many legs does a spider have?",
    "Can you please tell me, | why do the leaves fall in the autumn?",
    "If I mix blue paint and yellow paint, | which color do I get?",
    "I was at the beach today, and I asked myself, | why is the sea so salty?",
    "There is one more thing that, | that I wanted to ask you about plants.",
)
CANDOR_PAUSES = (
    "So, um, | I have been reading about animals, and, uh, | where do penguins live?",
    "Well, | my daughter is, um, | she is learning about the planets this week.",
    "I think, | I think it was last Sunday when, um, | when we saw a very large bird.",
    "Hello, um, | I wanted to ask you, | what do bees make?",
    "You know, | I can not sleep at night, and, uh, | I do not know what to do.",
    "My friend said that, um, | that the moon is a, | a big ball of rock.",
)
TURNS = (
    "Hello. Can you tell me, what is the capital of Italy?",
    "I would like to learn a language. What is the best way to do that?",
    "How many days are in a week?",
    "Good morning. Why does it rain?",
    "My garden is very dry this summer. What do plants need to grow?",
    "What is the tallest mountain in the world?",
    "I always get up too late. How can I wake up early?",
    "Please tell me, what is the largest animal?",
)
# A question with a long answer, and the one that breaks into it.
INTERRUPTIONS = (
    ("Can you count to twelve, please?", "Sorry, what is the capital of Spain?"),
    ("I want to cook. How do I start?", "Wait, what is a good breakfast?"),
    ("Why do leaves fall in the autumn?", "Actually, which season comes after winter?"),
    ("How can I make friends in a new city?", "Excuse me, how many legs does a dog have?"),
    ("How do I train my dog?", "Hold on, what do cows eat?"),
    ("Can you tell me a short story?", "Sorry, what color is a ripe banana?"),
)
# The four categories of v1.5: a question with a long answer, and what overlaps the answer.
OVERLAPS: dict[str, tuple[tuple[str, str], ...]] = {
    "user_interruption": (
        ("How can I learn to cook?", "Wait, how often should I drink water?"),
        ("Please count to twelve for me.", "Sorry, what is the capital of Japan?"),
    ),
    "user_backchannel": (
        ("How can I sleep better?", "Uh huh."),
        ("Why is the sea salty?", "Oh, okay."),
    ),
    "talking_to_other": (
        ("How do I grow tomatoes?", "Mom, I am on the phone. I will be there soon."),
        ("What is a good way to save money?", "Peter, please close the window."),
    ),
    "background_speech": (
        ("Why does it rain?", "The next train to the airport leaves from platform two."),
        ("How can I read more books?", "Two coffees and one apple pie, please."),
    ),
}
STORIES = (
    "Last summer my family and I went to the big lake in the north. | "
    "We took our old car, and my brother was driving. | "
    "After two hours we heard a very loud noise, | and then the engine stopped. | "
    "There was no house and no other car on the road. | So we walked for an hour in the hot sun. | "
    "In the end a farmer helped us, | and he gave us cold water and fresh bread. | "
    "It was the best bread that I ever had.",
    "I want to tell you what happened to me at work this morning. | "
    "My boss asked me to bring a box to the third floor. | "
    "The box was very heavy, | so I took the old elevator. | Between the second and the third floor it stopped, | "
    "and the light went out. | I waited in the dark for almost an hour. | "
    "Then I opened the box, because I was so hungry, | and it was full of birthday cake for me.",
    "When I was a child, we had a small dog with one white ear. | Every morning she walked with me to the school, | "
    "and every afternoon she waited at the gate. | One day in the winter there was a lot of snow, | "
    "and she did not come. | I looked for her the whole evening. | "
    "At last my mother found her in the barn of our neighbor. | She had four little puppies, | "
    "and all of them had one white ear.",
)
BABBLE = (
    "Welcome, and let me tell you a few things about the weather this week.",
    "On Monday we expect a little rain in the morning and some sun in the afternoon.",
    "On Tuesday the wind comes from the west, and it will be cold near the coast.",
    "Many people ask me why the nights are so cold when the days are so warm.",
    "The answer is simple, because without clouds the ground loses its heat very fast.",
)
