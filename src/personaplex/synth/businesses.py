"""Some two hundred trades: what each is called, what it sells or mends, at what price, and what its callers begin with.

A table, and those of `trades`. One trade in eight is held out for the test. Columns: archetype | trade | last words of company names | items with price range in dollars |
what a caller says first.
"""

from __future__ import annotations

from dataclasses import dataclass

from personaplex.synth.trades import TRADES
from personaplex.synth.words import held_out

_TABLE = """
repair | appliance repair company | Appliances, Appliance Repair, Home Service | dishwasher 40-180, oven 50-200, washer 40-190, dryer 40-160, fridge 60-240 | my {item} broke last week; my {item} stopped working this morning; my {item} is making a strange noise; the {item} in my kitchen is leaking
repair | phone repair shop | Phone Repair, Mobile | screen 40-160, battery 20-90, camera 40-140, charger 10-40, speaker 20-80 | I dropped my phone yesterday; my phone does not turn on; the {item} on my phone is broken
repair | computer repair shop | Computers, Computer Repair | laptop 50-200, keyboard 20-80, screen 60-220, printer 30-120, battery 30-110 | my computer is very slow; my {item} stopped working; I spilled coffee on my {item}
repair | bicycle repair shop | Bikes, Cycle Works | brake 15-60, chain 10-50, wheel 30-120, tire 10-45, pedal 10-40 | my bike has a problem; the {item} on my bike is broken; I had a small accident with my bike
repair | car repair garage | Garage, Auto Repair, Motors | engine 150-900, brake 60-300, battery 60-220, window 80-300, tire 40-160 | my car is making a strange noise; my car does not start; the {item} on my car is broken
repair | plumbing company | Plumbing, Pipes | sink 40-160, toilet 50-200, shower 60-220, pipe 40-190, heater 90-400 | my {item} is leaking; there is water on the floor of my kitchen; the {item} is blocked again
repair | heating company | Heating, Heat and Air | heater 80-400, boiler 120-600, pump 60-300, filter 10-60, radiator 50-200 | it is very cold in my house; my {item} stopped working last night; the {item} makes a loud noise
repair | electrician service | Electric, Power | light 20-90, switch 15-60, outlet 20-80, fan 40-160, alarm 40-180 | the lights in my house went out; the {item} in my bedroom is broken; I have no power in my kitchen
repair | roofing company | Roofing, Roofs | roof 300-900, window 90-400, gutter 60-260, door 80-390, chimney 100-500 | there was a storm last night; my {item} is leaking; a tree fell on my house
repair | watch repair shop | Watches, Time Works | watch 20-120, clock 20-140, strap 10-60, battery 5-30, glass 15-80 | my grandmother gave me an old {item}; my {item} stopped; I broke the {item} on my watch
repair | shoe repair shop | Shoes, Shoe Repair | heel 10-40, boot 15-60, zipper 10-35, strap 8-30, sole 15-60 | I have an old pair of shoes; the {item} came off; my {item} is broken
repair | garden machine service | Garden Service, Mowers | mower 30-140, trimmer 20-90, blade 10-50, engine 60-240, chain saw 30-120 | my {item} does not start; the grass in my garden is very long; my {item} is old
repair | piano tuning service | Pianos, Music Service | piano 60-240, organ 80-300, pedal 20-90, key 10-60, string 10-50 | my piano sounds terrible; my daughter starts piano lessons; a {item} is broken
repair | furniture repair shop | Furniture Repair, Wood Works | chair 20-90, table 40-190, sofa 60-280, desk 40-180, drawer 20-80 | my dog damaged the {item}; I have an old {item} from my mother; one leg of my {item} is broken
shop | furniture store | Furniture, Home | chair 30-150, table 80-400, sofa 200-900, desk 90-390, lamp 20-90, bed 150-800 | I just moved to a new house; I am looking for a new {item}; I saw a nice {item} in your window
shop | electronics store | Electronics, Digital | laptop 300-900, camera 150-700, phone 200-900, headphones 20-200, tablet 100-600, television 200-900 | I need a present for my son; I am looking for a good {item}; my old {item} is broken
shop | toy store | Toys, Toy Box | puzzle 8-30, doll 10-40, train 20-90, robot 20-80, kite 8-30, teddy bear 10-45 | my daughter has her birthday on Saturday; I am looking for a {item}; I need a gift for a little boy
shop | book store | Books, Book House | novel 8-30, cook book 15-50, dictionary 15-60, map 5-20, calendar 8-25, notebook 4-15 | I love to read; I am looking for a {item}; my teacher told me to buy a {item}
shop | clothing store | Clothing, Fashion | jacket 40-200, shirt 15-70, dress 30-180, coat 60-300, sweater 20-90, hat 10-40 | I have a wedding next month; I am looking for a {item}; I saw a nice {item} in your window
shop | shoe store | Shoes, Footwear | sneakers 30-150, boots 40-190, sandals 15-70, slippers 10-40, running shoes 50-180 | I like to run; I am looking for {item}; my old shoes are too small
shop | flower shop | Flowers, Blooms | roses 10-60, tulips 8-40, orchid 15-70, bouquet 20-90, sunflowers 8-40 | it is my wedding anniversary; I would like to send flowers to my mother; my friend is in the hospital
shop | bakery | Bakery, Bread | bread 3-9, apple pie 8-25, chocolate cake 15-50, muffin 2-6, bagel 2-5, cookies 4-15 | I am having a party on Sunday; I love your {item}; my neighbor told me about you
shop | grocery store | Market, Grocery | milk 2-6, cheese 4-15, rice 3-14, coffee 5-19, honey 4-15, olive oil 6-25 | I am cooking a big dinner; I am looking for {item}; I was in your shop yesterday
shop | pet store | Pets, Pet Care | dog food 10-60, cat food 8-50, fish tank 30-200, bird cage 25-150, leash 8-30 | I have a new puppy; my cat is very hungry; I just got a little fish
shop | garden center | Gardens, Plants | apple tree 20-90, tomato plant 3-12, soil 5-20, shovel 10-40, garden hose 15-60, seeds 2-8 | I have a new garden; spring is coming; I am looking for a {item}
shop | hardware store | Hardware, Tools | hammer 10-40, drill 40-180, ladder 40-190, paint 15-60, saw 10-60, tool box 15-80 | I am painting my house; I need a new {item}; my husband broke our {item}
shop | bicycle shop | Cycles, Bikes | mountain bike 200-900, road bike 250-950, helmet 20-120, bike lock 10-60, child seat 30-150 | I want to ride to work; my son needs a bike; I am looking for a {item}
shop | music store | Music, Sound | guitar 80-600, violin 90-700, drum 60-400, piano 300-950, flute 60-400, trumpet 90-500 | I want to learn music; my daughter plays the {item}; I am looking for a {item}
shop | sports store | Sports, Athletics | tennis racket 30-200, football 10-40, tent 60-390, sleeping bag 30-160, yoga mat 10-50 | I am going camping in July; I am looking for a {item}; my team needs new things
shop | pharmacy | Pharmacy, Drug Store | cough syrup 5-18, sun cream 8-30, vitamins 6-30, toothpaste 2-8, bandage 3-12 | I have a bad cold; I am not feeling well today; I am going on vacation
shop | jewelry store | Jewelers, Jewelry | ring 80-900, necklace 60-600, bracelet 40-400, silver watch 90-800, earrings 30-300 | I want to ask my girlfriend to marry me; I am looking for a {item}; it is my mother's birthday
shop | art supply store | Art, Colors | paint brush 3-20, canvas 8-50, easel 25-150, pencil set 6-40, clay 5-25 | I am taking a painting class; I need a {item}; my son loves to draw
shop | car dealer | Cars, Auto | small car 4000-9000, family car 5000-9000, truck 6000-9000, van 5000-9000 | my old car is finished; I am looking for a {item}; we are having a baby
shop | mattress store | Mattress, Sleep | mattress 150-900, pillow 10-60, blanket 20-120, bed frame 90-500 | I do not sleep well; my back hurts every morning; I am looking for a {item}
shop | wine shop | Wines, Cellars | red wine 8-60, white wine 8-50, champagne 25-120, cider 4-15 | I am invited to a dinner; I am looking for a nice {item}; my boss likes wine
shop | baby store | Baby, Kids | stroller 80-500, crib 100-500, diapers 10-40, baby bottle 4-18, car seat 60-300 | we are having a baby in May; my sister has a new baby; I am looking for a {item}
food | pizza restaurant | Pizza, Pizza House | cheese pizza 9-19, vegetable pizza 10-22, garlic bread 3-9, salad 5-14, soda 2-5 | I am very hungry; we are six people tonight; my kids love pizza
food | burger restaurant | Burgers, Grill | burger 6-18, chicken sandwich 6-17, fries 3-8, milkshake 4-9, onion rings 3-9 | I want some dinner; I am near your place; my friends are here
food | chinese restaurant | Kitchen, Wok, Garden Restaurant | fried rice 7-17, noodles 7-18, spring rolls 4-10, soup 4-12, dumplings 6-15 | we had your food last week; I am very hungry; my family is visiting
food | coffee shop | Coffee, Cafe | coffee 2-6, tea 2-5, hot chocolate 3-7, sandwich 5-14, cheese cake 4-10 | I work near your cafe; I love your coffee; I am meeting a friend
food | sushi restaurant | Sushi, Fish House | sushi 9-40, salmon roll 6-18, tuna roll 6-18, miso soup 3-8, green tea 2-6 | I have never had sushi; we love fish; it is my birthday today
food | italian restaurant | Kitchen, Bistro | pasta 9-24, lasagna 11-25, tomato soup 4-12, ice cream 3-9, garlic bread 3-9 | I want to take my wife to dinner; we are eight people; I love pasta
food | breakfast diner | Diner, Pancake House | pancakes 5-15, eggs 4-12, waffles 5-15, orange juice 2-7, bacon 3-9 | I just woke up; we are four people; we want a big breakfast
food | taco stand | Tacos, Cantina | taco 2-8, burrito 6-15, nachos 5-14, lemonade 2-6, bean soup 4-10 | we are having a party; I am very hungry; I love spicy food
food | ice cream shop | Ice Cream, Frozen Treats | vanilla cone 2-7, chocolate cone 2-7, milkshake 4-10, banana split 5-13 | it is so hot today; my kids want ice cream; I love vanilla
food | catering company | Catering, Events | sandwich tray 30-150, fruit tray 25-120, lunch box 8-25, wedding cake 90-600, salad bowl 20-80 | I am planning a wedding; we have a meeting at work; my parents have their anniversary
booking | hotel | Hotel, Inn, Lodge | single room 50-190, double room 80-290, family room 110-390, suite 150-600, breakfast 8-30 | I am coming to town next week; I am traveling with my family; I need a place to sleep
booking | hair salon | Hair, Salon | haircut 15-80, hair color 40-180, beard trim 10-40, hair wash 8-30 | my hair is too long; I have a job interview; I am going to a wedding
booking | nail salon | Nails, Beauty | manicure 15-60, pedicure 20-80, gel nails 25-90, hand massage 10-45 | I have a party on Friday; my nails look terrible; my friend told me about you
booking | dental clinic | Dental, Dental Care | cleaning 50-180, filling 80-300, checkup 30-150, whitening 90-400 | my tooth hurts; I have not seen a dentist for years; I lost a filling
booking | animal clinic | Animal Clinic, Animal Care | vaccine 20-90, checkup 30-120, dental cleaning 60-290, blood test 40-180 | my dog is sick; my cat does not eat; we have a new puppy
booking | massage studio | Massage, Wellness | back massage 30-120, foot massage 20-80, hot stone massage 50-190, face massage 25-90 | my back hurts; I work too much; I want to relax
booking | yoga studio | Yoga, Balance | beginner class 8-30, evening class 8-35, private lesson 30-120, month pass 40-160 | I have never done yoga; my doctor told me to move more; I need to relax
booking | fitness gym | Fitness, Gym | month pass 20-90, day pass 5-25, swim class 8-35, personal trainer 30-120 | I want to get strong; I sit all day; I just moved here
booking | language school | Languages, Language School | english class 15-90, spanish class 15-90, french class 15-90, private lesson 25-100 | I am moving to another country; I want to learn a language; I need it for my job
booking | driving school | Driving School, Drivers | driving lesson 30-90, night lesson 35-95, driving test 40-150, theory class 15-80 | I want to learn to drive; my son is eighteen; I failed my test
booking | music school | Music School, Music Academy | piano lesson 20-90, guitar lesson 20-80, singing lesson 20-90, drum lesson 20-80 | I always wanted to play music; my daughter is seven; I sing in the shower
booking | museum | Museum, Gallery | adult ticket 5-30, child ticket 2-15, family ticket 15-70, guided tour 5-35, audio guide 2-10 | we are visiting your city; I am a teacher; it is raining today
booking | cinema | Cinema, Movies | adult ticket 6-18, child ticket 4-12, popcorn 3-10, evening show 8-20 | I want to see a movie tonight; my kids are bored; it is our first date
booking | cleaning company | Cleaning, Clean Homes | window cleaning 30-150, carpet cleaning 40-190, house cleaning 60-290, office cleaning 80-390 | my house is a mess; I have guests this weekend; I am moving out
booking | moving company | Moving, Movers | small truck 80-300, large truck 150-600, packing service 60-300, piano transport 90-500 | I am moving to a new apartment; I have a very heavy piano; we move next month
booking | photo studio | Photos, Pictures | family portrait 40-220, passport photo 8-30, wedding photos 200-900, baby pictures 40-200 | I need new pictures; we are getting married; I need a passport
booking | taxi company | Taxi, Cabs | airport ride 20-90, city ride 8-35, station ride 8-40, night ride 15-60 | I have a flight in the morning; I am at the station; I have a lot of bags
booking | travel agency | Travel, Tours | beach trip 200-900, city tour 20-120, boat tour 25-150, ski trip 200-900 | I need a vacation; we have one free week; I love the ocean
booking | law office | Law, Legal | first meeting 40-200, contract review 80-400, house contract 150-700 | I have a problem with my neighbor; I am buying a house; I need some advice
booking | dog training school | Dog School, Dog Training | puppy class 15-80, private lesson 30-120, dog walking 8-35, group class 10-60 | my dog never listens; we have a new puppy; my dog barks all night
booking | insurance office | Insurance, Trust | car insurance 30-150, home insurance 25-140, travel insurance 15-90, pet insurance 10-60 | I just bought a car; we have a new house; I am going on a long trip
booking | internet provider | Internet, Network | basic plan 15-50, family plan 30-80, fast plan 40-120, new router 30-150 | my internet is very slow; I am moving to a new house; my bill is too high
rental | car rental company | Car Rental, Rentals | small car 20-90, large car 40-150, van 50-190, truck 60-220, child seat 5-20 | I am flying in next week; my car is in the garage; we are moving on Saturday
rental | bike rental shop | Bike Rental, Rides | city bike 8-35, mountain bike 12-60, helmet 2-10, child bike 5-25 | we want to see the lake; it is a beautiful day; we are two people
rental | boat rental company | Boats, Marine | small boat 30-190, canoe 15-80, sail boat 60-390, life jacket 2-12 | we want to go on the lake; it is my birthday; I have never been on a boat
rental | ski rental shop | Ski Rental, Snow Sports | skis 15-70, snow board 15-75, ski boots 8-40, helmet 4-20 | we are going to the mountains; I have never skied; there is new snow
rental | tool rental company | Tool Rental, Machines | drill 8-45, ladder 8-40, mower 15-80, pressure washer 20-95, chain saw 20-90 | I am building a fence; I have a lot of work at home; my {item} is broken
rental | drone rental company | Drones, Sky Rental | small drone 30-120, large drone 60-290, camera drone 50-250, spare battery 5-30 | I want to film a wedding; I have never flown a drone; I make short movies
rental | party rental company | Party Rental, Events | tent 60-390, table 5-30, chair 1-8, sound system 40-250, dance floor 90-500 | I am planning a party; we are getting married; my daughter turns ten
rental | costume rental shop | Costumes, Masks | king costume 20-90, pirate costume 15-80, bear costume 20-90, mask 5-30 | we are going to a party; I am in a school play; my kids love costumes
rental | beach rental shop | Beach Rental, Surf | surf board 15-70, umbrella 5-25, beach chair 4-20, wet suit 10-50 | the sun is shining; I want to learn to surf; we are at the beach
"""


@dataclass(frozen=True)
class Business:
    """A trade. `items` are `(name, lowest price, highest price)`, prices in dollars."""

    archetype: str
    trade: str
    suffixes: tuple[str, ...]
    items: tuple[tuple[str, int, int], ...]
    openings: tuple[str, ...]


def _item(text: str) -> tuple[str, int, int]:
    name, prices = text.strip().rsplit(" ", 1)
    low, high = prices.split("-")
    return name, int(low), int(high)


def _row(line: str) -> Business:
    archetype, trade, suffixes, items, openings = (cell.strip() for cell in line.split("|"))
    return Business(
        archetype,
        trade,
        tuple(cell.strip() for cell in suffixes.split(",")),
        tuple(_item(cell) for cell in items.split(",")),
        tuple(cell.strip() for cell in openings.split(";")),
    )


_OPENINGS = {
    "repair": ("my {item} is broken", "I have a problem with my {item}", "something is wrong with the {item}", "I dropped my {item}"),
    "shop": ("I am looking for a present", "I was in your shop last week", "my friend told me about you", "I need something for my house"),
    "food": ("I am very hungry", "we are four people tonight", "it is my first time at your place", "my family is visiting"),
    "booking": ("a friend told me about you", "I would like to come next week", "I have never been to your place", "I have some free time"),
    "rental": ("I need something for the weekend", "we are planning a trip", "I have never done this before", "we are three people"),
}  # fmt: skip


def _short_row(line: str) -> Business:
    """A row of `TRADES`."""
    kind, trade, suffixes, items = (cell.strip() for cell in line.split("|"))
    archetype, prices = kind.split()
    low, high = (int(value) for value in prices.split("-"))
    return Business(
        archetype,
        trade,
        tuple(cell.strip() for cell in suffixes.split(",")),
        tuple((cell.strip(), low, high) for cell in items.split(",")),
        _OPENINGS[archetype],
    )


BUSINESSES: tuple[Business, ...] = (
    *(_row(line) for line in _TABLE.strip().splitlines()),
    *(_short_row(line) for line in TRADES.strip().splitlines()),
)
OF_SPLIT = {
    split: tuple(business for business in BUSINESSES if held_out(business.trade) == (split == "test"))
    for split in ("train", "test")
}
