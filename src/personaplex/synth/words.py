"""The words that facts are made of: names, companies, numbers, prices, days, and which of them are held out.

Knows no sentences. One name, company word and trade in eight belongs to the test split and is never heard in training, so
that a right answer there was read from the role and not remembered. Names are real or built from syllables.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from personaplex.spelling import number

T = TypeVar("T")

FIRST_NAMES = """
Aaron Abby Adam Alan Alex Alice Amanda Amber Amy Andrew Angela Anna Anthony Arthur Ashley Barbara Ben Beth Bill Blake Bob Brad
Brenda Brian Bruce Carl Carla Carol Cathy Charlie Chloe Chris Claire Clara Cole Cindy Dan Daisy David Dawn Dean Debra Dennis
Diana Donna Dora Doug Dylan Ed Elena Ellen Emily Emma Eric Ethan Eva Evan Fiona Frank Fred Gary George Gina Glen Grace Grant
Greg Hannah Harry Heather Helen Henry Holly Howard Ian Irene Isaac Jack Jacob James Jane Jason Jenny Jessica Jill Jim Joan Joe
John Josh Joyce Judy Julia Karen Kate Keith Kelly Ken Kevin Kim Kyle Larry Laura Leo Lily Linda Lisa Liz Louis Lucy Luke Mark
Maria Martha Martin Mary Matt Max Megan Mia Michael Mike Molly Nancy Neil Nick Nina Nora Olivia Oscar Owen Pam Patrick Paul
Paula Peter Phil Rachel Ralph Ray Rebecca Richard Rick Rita Robert Rose Roy Ruby Russell Ruth Ryan Sally Sam Sandra Sarah Scott
Sean Sharon Simon Sophie Stella Steve Sue Susan Ted Teresa Thomas Tina Todd Tom Tony Tracy Vera Victor Walter Wanda Wendy Zoe Ada Agnes Albert Alfred Alma Anita April Archie Astrid Audrey Ava Barry
Becky Bella Bernard Betty Bobby Bonnie Bridget Bryan Cameron Candy Carmen Caroline Casey Cecil Celia Chad Chester Chuck Clark
Clyde Colin Connie Connor Cora Craig Curtis Daniel Danny Daphne Darren Dave Debbie Della Derek Dexter Dolly Dominic Don Doris
Dorothy Drew Duncan Dwight Edgar Edith Edna Edward Edwin Eileen Eleanor Eli Elmer Elsa Elsie Erica Erin Ernest Esther Eugene
Faith Felix Flora Florence Floyd Frances Freddy Gail Gavin Gerald Gilbert Gloria Gordon Greta Gwen Hank Harold Harvey Hazel
Hector Heidi Hilda Homer Hope Hugh Hugo Ida Ingrid Irma Ivan Ivy Jackie Jamie Janet Jared Jasper Jean Jeff Jennifer Jeremy
Jerome Jerry Joanna Joel Jonah Jonathan Jordan Joseph Joy Justin Karl Kathy Kay Kenny Kirk Kurt Lance Lauren Lee Lena Leon
Leonard Leroy Leslie Lester Lewis Lloyd Lois Lola Loren Lorna Lydia Lynn Mabel Mandy Marcus Margaret Marie Marion Marsha Marvin
Maurice May Melvin Mildred Milton Miranda Mitchell Monica Morris Myra Myrtle Naomi Natalie Ned Nellie Nelson Nicole Noah Noel
Norman Opal Otto Pearl Peggy Penny Perry Polly Randy Raymond Regina Rex Robin Rodney Roger Roland Ron Rosa Ross Roxanne Rudy
Rufus Sabrina Sadie Samantha Shane Sheila Shelly Sherman Shirley Sidney Silvia Sonia Spencer Stan Stuart Suzy Sylvia Tanya Tara
Terry Theo Tim Toby Tracey Travis Trevor Tyler Ursula Valerie Vernon Veronica Vince Vincent Viola Violet Virginia Vivian Wade
Warren Wayne Wesley Wilbur Wilma Winston Yvonne
""".split()
# Sung together, heads and ends make some twelve hundred names that nobody has heard.
_NAME_HEADS = """
Ka Ma La Ra Ta Sa Na Da Ba Va Fe Le Me Ne Re Se Te Ve De Ke Li Mi Ni Ri Si Ti Vi Di Bo Do Jo Lo Mo No Ro To Lu Ru Su Ju
Bran Cal Dar El Gar Hal Jan Kel Lan Mar Nor Or Pal Ran Sel Tal Van Wil
""".split()
_NAME_ENDS = "na la ra lia nia ria sa ta da lina rina mira dora vin ron lan ren den mon rick dan len nor ton mas bert mund".split()
_BRAND_ENDS = "dex nix tek mar lux dor zen via nova tron lina max flow ware line med cor plex vista land".split()
_FAMILY_HEADS = """
Ash Bar Black Brad Bram Bran Brook Bur Carl Chad Clay Clif Cran Dal Den Dray Dun East Ed Ell Fair Farn Fen Gar Glen Gold Gran
Hal Ham Har Hart Hay Hol Hux Kel Ken Kings Lang Lin Lock Long Mar May Mel Mer Mill New Nor North Oak Ox Pem Pres Rad Red Rock
Row Rush Sand Shel Sher Stan Strat Sut Tal Thorn Til Wal War Wes Whit Wil Win Wood
""".split()
_FAMILY_ENDS = "ton ley ford field wood man well son by worth more land ham brook stone ridge dale shaw hurst wick ner ster".split()

LAST_NAMES = """
Adams Baker Bell Brooks Brown Carter Clark Cook Cooper Davis Evans Fisher Foster Gray Green Hall Harris Hill Hunt Jones King Lee
Lewis Miller Moore Morgan Parker Reed Rivera Scott Smith Stone Taylor Turner Walker Ward Watson West White Young Allen Anderson
Arnold Austin Bailey Barnes Bennett Berry Bishop Black Boyd Bradley Bryant Burke Burns Butler Campbell Carpenter Carroll Chapman
Coleman Collins Crawford Cruz Daniels Dixon Dunn Edwards Elliott Ellis Ferguson Ford Fox Franklin Freeman Garcia Gardner Gibson
Gomez Gordon Graham Grant Griffin Hamilton Hansen Harper Hart Hayes Henderson Hicks Holmes Howard Hudson Hughes Jackson Jenkins
Jensen Johnson Jordan Kelly Kennedy Knight Lane Larson Lawrence Lopez Marshall Martinez Mason Matthews Mills Mitchell Murphy
Murray Myers Nelson Newman Nichols Olson Owens Palmer Payne Perez Perry Peters Phillips Porter Powell Price Ramos Ray Reynolds
Rice Richards Roberts Robinson Rogers Rose Ross Russell Sanders Shaw Silva Simmons Snyder Spencer Stevens Stewart Sullivan
Thompson Tucker Wagner Wallace Warren Weaver Webb Weber Wells Wheeler Williams Willis Wilson Wood Woods Wright
""".split()

COMPANY_WORDS = """
Maple Silver Harbor Golden River Summit Bright Green Blue North South West East Oak Cedar Pine Sunset Sunrise Lake Ocean Valley
Mountain Star Moon Eagle Lion Royal Crown Liberty Union Central Metro City Village Garden Rose Lily Apple Cherry Honey Crystal
Diamond Pearl Copper Iron Stone Rocky Happy Lucky Smart Quick Swift Rapid Prime First Modern Classic Pioneer Falcon Dolphin
Tiger Panda Rainbow Thunder Winter Spring Autumn Delta Nova Atlas Apex Echo Acorn Adventure Alpine Amber Anchor Arrow Aspen Aurora
Badger Bamboo Beacon Bear Birch Blossom Bluebird Bridge Bronze Butterfly Cactus Canyon Captain Castle Champion Chestnut Circle
Clear Cloud Clover Coast Comet Compass Coral Corner Cottage Cricket Cypress Daisy Dawn Desert Dragon Dream Early Earth Elm
Emerald Evergreen Express Family Fern Field Fire Five Flame Forest Fox Fresh Friendly Frontier Galaxy Gentle Giant Globe Grand
Granite Grove Harvest Hawk Hazel Heart Hedge Helping Heritage Hilltop Holiday Horizon Ivory Ivy Jade Jasmine Jet Jolly Juniper
Key Kind Lantern Laurel Lavender Leaf Lemon Light Lighthouse Lotus Magic Magnolia Marble Marina Meadow Mercury Mill Mint
Monarch Morning Noble Nutmeg Olive Orange Orbit Orchard Otter Owl Palm Paper Parrot Peach Pebble Penguin Pepper Phoenix Pilot
Planet Plaza Plum Polar Ponder Pony Poplar Port Prairie Proud Quality Quiet Rabbit Ranger Raven Ready Red Reef Ridge Robin
Rocket Ruby Sail Salmon Sand Sapphire Scarlet Seaside Shadow Shore Sky Snow Solid Sparrow Spark Spruce Square Storm Sugar
Sunny Swan Teal Terra Timber Topaz Tower Trail Trinity True Trust Tulip Turtle Twin Vanilla Velvet Victory Violet Vista Wagon
Walnut Water Wave White Wild Willow Wind Wise Wolf Wonder Yellow Zebra Zenith
""".split()

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = ("January", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December")
STREETS = (
    "Main", "Park", "Oak", "River", "Church", "Market", "Hill", "Lake", "Station", "Bridge", "Garden", "King", "Mill", "School",
    "Forest", "Center", "Maple", "Elm", "Pine", "Spring", "Water", "North", "South", "East", "West", "Sunset", "Valley", "Queen",
)  # fmt: skip
STREET_KINDS = ("Street", "Street", "Street", "Road", "Avenue", "Lane")
COLORS = ("red", "blue", "green", "black", "white", "yellow", "brown", "gray", "pink", "orange", "purple", "silver")

HOLD_OUT_ONE_IN = 8


@functools.lru_cache(1 << 17)
def held_out(*parts: object) -> bool:
    """Whether a combination of facts belongs to the test split; the same in every process and version."""
    text = "|".join(str(part) for part in parts)
    return zlib.crc32(text.encode()) % HOLD_OUT_ONE_IN == 0


def pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    """One of `options`, uniformly."""
    return options[int(rng.integers(len(options)))]


def pick_split(rng: np.random.Generator, options: Sequence[T], split: str, *context: object) -> T:
    """One of `options` that, with `context`, belongs to `split`."""
    for _ in range(200):
        choice = pick(rng, options)
        if held_out(choice, *context) == (split == "test"):
            return choice
    raise ValueError(f"None of {len(options)} options belongs to split {split!r}; offer more of them.")


def _own(rng: np.random.Generator, split: str, draw: Callable[[], str]) -> str:
    """The first word drawn that belongs to `split`."""
    while held_out(word := draw()) != (split == "test"):
        pass
    return word


def first_name(rng: np.random.Generator, split: str) -> str:
    """A first name of `split`: two in three real, the others from syllables."""
    return _own(
        rng,
        split,
        lambda: pick(rng, FIRST_NAMES) if rng.random() < 0.65 else pick(rng, _NAME_HEADS) + pick(rng, _NAME_ENDS),
    )


def last_name(rng: np.random.Generator, split: str) -> str:
    """A family name of `split`."""
    return _own(
        rng,
        split,
        lambda: pick(rng, LAST_NAMES) if rng.random() < 0.4 else pick(rng, _FAMILY_HEADS) + pick(rng, _FAMILY_ENDS),
    )


def person(rng: np.random.Generator, split: str) -> str:
    """An agent's name, one in four with a family name."""
    first = first_name(rng, split)
    return f"{first} {last_name(rng, split)}" if rng.random() < 0.25 else first


def company(rng: np.random.Generator, split: str, suffixes: tuple[str, ...]) -> str:
    """A company's name: one or two free words and the trade's own."""

    def free() -> str:
        roll = rng.random()
        if roll < 0.7:
            return pick(rng, COMPANY_WORDS)
        return pick(rng, _NAME_HEADS) + pick(rng, _BRAND_ENDS) if roll < 0.87 else last_name(rng, split)

    second = f" {pick(rng, COMPANY_WORDS)}" if rng.random() < 0.15 else ""
    return f"{_own(rng, split, free)}{second} {pick(rng, suffixes)}"


def street(rng: np.random.Generator, split: str) -> str:
    """A street's name."""
    return f"{pick(rng, STREETS) if rng.random() < 0.5 else last_name(rng, split)} {pick(rng, STREET_KINDS)}"


def digits(rng: np.random.Generator, count: int) -> str:
    """So many figures, read one by one: `four zero seven`."""
    return " ".join(number(int(value)) for value in rng.integers(0, 10, count))


def price(rng: np.random.Generator, split: str, item: str, low: int, high: int) -> int:
    """A price in dollars, round where it is large; its pairing with the item is held out."""
    values = [
        v for v in range(low, high + 1) if v < 20 or (v < 100 and v % 5 in (0, 4, 9)) or v % 10 == 0 or v % 25 == 0
    ]
    choices = [v for v in values if held_out(v, item) == (split == "test")]
    return int(pick(rng, choices or values))
