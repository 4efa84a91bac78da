"""What people say beside their turns: to break in, to show that they listen, to somebody else in the room."""

BARGES = (
    "Sorry, ", "Wait, ", "Actually, ", "Excuse me, ", "Hold on, ", "Oh, ", "No, ", "Sorry to interrupt, ", "", "", "",
)  # fmt: skip
USER_BACKCHANNELS = ("Uh huh.", "Okay.", "Right.", "Yeah.", "I see.", "Yes.", "Sure.", "Oh, okay.")
AGENT_BACKCHANNELS = ("Uh huh.", "Uh huh.", "Okay.", "I see.", "Yes.", "Right.", "Oh.", "Wow.")
ASIDES = (
    "Honey, dinner is ready.", "Not now, please, I am on the phone.", "Can you close the door?", "Sit down, please.",
    "Yes, in a minute.", "The keys are on the table.", "Mom, where is my jacket?", "Be quiet, I can not hear.",
    "Just put it over there.", "Good boy, sit.", "Somebody is at the door.", "I will be right there.",
)  # fmt: skip
