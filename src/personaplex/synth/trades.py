"""Some hundred and fifty further trades in short: what they are called and what they offer; their callers say usual things.

A table and nothing else. Columns: archetype, lowest and highest price | trade | last words of company names | items.
"""
# ruff: noqa: E501  a table, one trade a line

TRADES = """
repair 20-160 | camera repair shop | Cameras, Camera Repair | lens, flash, camera, tripod, strap
repair 30-220 | guitar repair shop | Guitars, String Works | guitar, neck, string, bridge, amplifier
repair 20-120 | umbrella repair shop | Umbrellas, Repairs | umbrella, handle, cover, frame
repair 15-90 | toy repair shop | Toy Repair, Toy Clinic | doll, toy train, robot, toy car, teddy bear
repair 60-600 | boat repair yard | Boat Yard, Marine Repair | boat engine, sail, anchor, propeller, boat trailer
repair 50-500 | motorcycle repair garage | Motorcycles, Bike Garage | front light, clutch, engine, exhaust, seat
repair 80-700 | truck repair garage | Trucks, Truck Service | truck engine, brake, mirror, door, axle
repair 20-150 | sewing machine repair shop | Sewing, Stitch Repair | sewing machine, needle, motor, pedal
repair 40-300 | television repair shop | Television, Screen Repair | television, remote control, speaker, antenna
repair 30-250 | lock repair service | Locks, Lock Service | front door lock, safe, garage lock, car lock, mailbox
repair 60-400 | window repair company | Windows, Glass | bathroom window, kitchen window, glass door, mirror
repair 50-450 | garage door company | Garage Doors, Doors | garage door, door motor, spring, remote control
repair 80-600 | swimming pool service | Pools, Pool Care | pool pump, pool filter, pool heater, pool light
repair 60-500 | air conditioner service | Cooling, Air Service | air conditioner, fan, thermostat, cooling unit
repair 40-300 | carpet repair service | Carpets, Floors | carpet, rug, stairs carpet, floor
repair 40-350 | elevator service | Elevators, Lift Service | elevator, elevator door, button panel, lift motor
repair 20-180 | lamp repair shop | Lamps, Light Works | lamp, chandelier, lamp shade, switch
repair 30-260 | scooter repair shop | Scooters, Wheels | scooter, scooter battery, handle bar, wheel
repair 20-140 | hearing aid service | Hearing, Sound Care | hearing aid, ear piece, charger, battery
repair 20-160 | glasses repair shop | Optics, Eye Works | glasses, frame, lens, sunglasses
repair 30-240 | drone repair shop | Drones, Drone Works | drone, drone camera, drone motor, controller
repair 30-260 | game console repair shop | Games, Console Clinic | game console, controller, disc drive, headset
repair 50-400 | fence repair company | Fences, Yard Works | fence, gate, fence post, wall
repair 40-320 | chimney service | Chimneys, Fire Place | chimney, fire place, stove, stove pipe
repair 20-150 | bag repair shop | Bags, Leather | suitcase, backpack, hand bag, leather belt
repair 40-300 | coffee machine service | Coffee Machines, Brew Service | coffee machine, milk steamer, coffee grinder
repair 30-200 | vacuum cleaner repair shop | Vacuums, Clean Machines | vacuum cleaner, hose, brush, dust filter
repair 40-280 | wheelchair service | Mobility, Wheel Service | wheelchair, walker, electric wheelchair, ramp
repair 60-480 | tractor repair shop | Tractors, Farm Service | tractor, plow, tractor tire, hay press
repair 25-200 | clock repair shop | Clocks, Time House | wall clock, cuckoo clock, alarm clock, kitchen clock
shop 5-90 | kitchen store | Kitchen Supply, Cooks | frying pan, pot, knife, cutting board, kettle, tea pot
shop 10-300 | camera store | Cameras, Photo World | camera, lens, tripod, camera bag, flash
shop 3-40 | candle shop | Candles, Wax House | candle, candle holder, scented candle, lantern
shop 3-60 | tea shop | Tea, Tea House | green tea, black tea, mint tea, tea cup, tea pot
shop 3-60 | chocolate shop | Chocolates, Sweets | dark chocolate, truffles, chocolate box, nougat, hot cocoa
shop 5-120 | cheese shop | Cheese, Dairy | goat cheese, blue cheese, cheese board, butter, yogurt
shop 5-80 | butcher shop | Meats, Butchers | steak, sausage, ground beef, chicken, ham
shop 5-90 | fish market | Seafood, Fish Market | salmon, tuna, shrimp, crab, oysters
shop 2-30 | fruit stand | Fruits, Fruit Stand | apples, oranges, melon, strawberries, grapes, bananas
shop 10-200 | lamp store | Lights, Lamps | desk lamp, floor lamp, ceiling lamp, night light, light bulb
shop 20-600 | carpet store | Carpets, Rugs | wool carpet, kitchen rug, door mat, hall carpet
shop 10-180 | curtain store | Curtains, Textiles | curtain, bed sheet, table cloth, towel, cushion
shop 5-120 | office supply store | Office Supply, Paper | printer paper, pen set, folder, stapler, desk chair, ink
shop 20-500 | fishing store | Fishing, Tackle | fishing rod, fishing net, hooks, boat seat, rubber boots
shop 20-800 | outdoor store | Outdoors, Trail Gear | tent, backpack, sleeping bag, hiking boots, camp stove
shop 10-200 | perfume shop | Perfumes, Scents | perfume, soap, bath oil, hand cream
shop 10-300 | bag store | Bags, Luggage | suitcase, hand bag, wallet, backpack, travel bag
shop 15-250 | hat shop | Hats, Hat House | straw hat, winter hat, cap, scarf, gloves
shop 5-60 | costume jewelry stand | Beads, Sparkle | bead necklace, hair clip, ring, bracelet
shop 20-900 | antique store | Antiques, Old Things | old clock, silver spoon, oil painting, mirror, wooden chest
shop 5-80 | comic book store | Comics, Heroes | comic book, poster, action figure, card game
shop 10-70 | board game store | Games, Game Night | board game, chess set, card game, dice, puzzle
shop 20-500 | video game store | Games, Game Zone | game console, controller, racing game, headset
shop 5-70 | party supply store | Party Supply, Balloons | balloons, paper plates, birthday candles, party hats, banner
shop 5-90 | craft store | Crafts, Yarn | yarn, knitting needles, glue, fabric, buttons
shop 10-120 | spice shop | Spices, Flavors | pepper, cinnamon, curry powder, salt, vanilla
shop 20-400 | uniform store | Uniforms, Work Wear | apron, work boots, safety vest, chef jacket, helmet
shop 50-900 | bridal shop | Bridal, Weddings | wedding dress, veil, bridal shoes, suit, flower girl dress
shop 10-180 | swimwear shop | Swim, Beach Wear | swim suit, goggles, beach towel, flip flops
shop 20-300 | glasses store | Optics, Vision | glasses, sunglasses, reading glasses, contact lenses
shop 30-800 | appliance store | Appliances, Home Machines | washing machine, fridge, microwave, toaster, vacuum cleaner
shop 20-400 | window blind store | Blinds, Shades | window blind, roller shade, curtain rod, screen
shop 10-400 | aquarium store | Aquariums, Fish World | gold fish, fish tank, water plant, fish food, pump
shop 20-900 | horse riding store | Riding, Saddles | saddle, riding boots, riding hat, horse blanket
shop 10-300 | dance store | Dance, Ballet | dance shoes, ballet dress, tights, leg warmers
shop 4-60 | vegetable market | Farm Market, Greens | potatoes, carrots, onions, lettuce, corn, pumpkin
shop 5-150 | gift shop | Gifts, Presents | coffee mug, photo frame, gift box, key ring, vase
shop 5-50 | stationery shop | Stationery, Letters | birthday card, envelope, notebook, fountain pen, stickers
shop 30-900 | stove store | Stoves, Fire | wood stove, gas grill, oven, charcoal
shop 20-600 | bed store | Beds, Dreams | bed, bunk bed, pillow, blanket, night table
shop 3-40 | popcorn shop | Popcorn, Snacks | caramel popcorn, salted popcorn, pretzels, peanuts
shop 8-90 | olive oil shop | Olives, Oils | olive oil, black olives, vinegar, garlic oil
shop 10-250 | second hand store | Second Chance, Thrift | winter coat, old lamp, book box, rocking chair, dishes
shop 10-90 | plant shop | Plants, Green House | cactus, fern, palm tree, flower pot, rose bush
shop 60-900 | computer store | Computers, Bytes | laptop, keyboard, monitor, mouse, printer
shop 10-400 | knife shop | Knives, Blades | bread knife, pocket knife, scissors, knife block
food 6-25 | indian restaurant | Curry House, Kitchen | chicken curry, rice bowl, flat bread, lentil soup, mango drink
food 6-25 | thai restaurant | Thai Kitchen, Thai Food | noodle soup, green curry, rice bowl, fish cakes, ice tea
food 6-25 | greek restaurant | Taverna, Greek Kitchen | greek salad, lamb plate, grilled fish, stuffed peppers
food 8-40 | steak house | Steak House, Grill | steak, baked potato, ribs, corn, onion soup
food 8-40 | seafood restaurant | Seafood, Fish Grill | grilled salmon, fish soup, shrimp plate, crab cakes
food 5-20 | sandwich shop | Sandwiches, Deli | turkey sandwich, cheese sandwich, tuna sandwich, soup, chips
food 4-16 | soup kitchen cafe | Soups, Soup Bar | tomato soup, chicken soup, onion soup, bean soup, bread roll
food 5-18 | salad bar | Salads, Green Bowl | green salad, fruit salad, potato salad, chicken salad
food 2-10 | donut shop | Donuts, Sweet Rings | donut, chocolate donut, jelly donut, iced coffee
food 3-12 | juice bar | Juices, Juice Bar | apple juice, carrot juice, berry smoothie, lemonade
food 3-14 | waffle house | Waffles, Waffle House | waffle, berry waffle, hot cocoa, ice cream
food 6-22 | barbecue restaurant | Barbecue, Smoke House | ribs, pulled pork, baked beans, corn bread
food 7-25 | mexican restaurant | Cantina, Mexican Grill | enchiladas, burrito, rice and beans, guacamole
food 7-26 | french restaurant | Bistro, French Table | onion soup, roast chicken, apple tart, omelet
food 5-20 | noodle bar | Noodles, Noodle Bar | beef noodles, egg noodles, spicy noodles, dumplings
food 5-16 | hot dog stand | Hot Dogs, Dogs | hot dog, chili dog, fries, root beer
food 4-15 | pie shop | Pies, Pie House | apple pie, cherry pie, meat pie, pumpkin pie
food 8-30 | vegan restaurant | Green Table, Vegan Kitchen | veggie burger, bean stew, tofu bowl, carrot cake
food 6-20 | kebab house | Kebab, Grill House | kebab plate, falafel, rice plate, yogurt drink
food 10-35 | lake restaurant | Lake House, Terrace | trout, lake salad, fish soup, ice coffee
booking 40-300 | eye clinic | Eye Care, Vision Clinic | eye test, contact lens fitting, eye checkup
booking 30-200 | foot clinic | Foot Care, Podiatry | foot checkup, nail care, shoe inserts
booking 30-160 | physical therapy clinic | Therapy, Motion Clinic | back therapy, knee therapy, first visit, stretching class
booking 20-150 | tattoo studio | Tattoo, Ink | small tattoo, large tattoo, tattoo removal, piercing
booking 15-90 | barber shop | Barbers, Barber Shop | haircut, shave, beard trim, kids haircut
booking 15-120 | dance school | Dance School, Dance | tango class, ballet class, salsa class, private lesson
booking 15-100 | cooking school | Cooking School, Cooks | bread class, pasta class, sushi class, kids class
booking 15-120 | swimming school | Swim School, Swimming | swim lesson, baby swim class, diving lesson
booking 20-150 | horse riding school | Riding School, Stables | riding lesson, pony ride, forest ride
booking 20-140 | art school | Art School, Art Class | painting class, drawing class, clay class
booking 15-120 | chess club | Chess Club, Chess | chess lesson, evening game, month pass
booking 20-200 | climbing hall | Climbing, Rock Hall | day pass, climbing class, rope course, climbing shoes
booking 6-60 | bowling alley | Bowling, Lanes | bowling game, bowling shoes, birthday party
booking 6-50 | mini golf park | Mini Golf, Golf Park | mini golf game, family ticket, ice cream
booking 10-90 | zoo | Zoo, Animal Park | adult ticket, child ticket, family ticket, feeding tour
booking 10-90 | theme park | Fun Park, Adventure Park | day ticket, child ticket, fast pass, locker
booking 10-120 | theater | Theater, Stage | front seat, balcony seat, student ticket, program book
booking 20-180 | concert hall | Concert Hall, Music Hall | front seat, back seat, season pass
booking 60-400 | spa hotel | Spa, Resort | spa day, massage, double room, mud bath
booking 20-200 | camp ground | Camping, Camp Ground | tent place, camper place, cabin, fire wood
booking 15-90 | youth hostel | Hostel, Guest House | single bed, family room, breakfast, bed sheets
booking 30-250 | dog hotel | Dog Hotel, Pet Hotel | dog room, dog bath, day care, long walk
booking 25-120 | pet grooming salon | Pet Grooming, Paws | dog bath, cat brushing, nail trim, fur cut
booking 40-300 | accounting office | Accounting, Taxes | tax return, first meeting, yearly report
booking 30-250 | tutoring service | Tutors, Learning | math lesson, reading lesson, test preparation
booking 30-250 | translation office | Translations, Languages | letter translation, passport translation, contract translation
booking 80-700 | wedding planner | Weddings, Events | small wedding, garden wedding, first meeting
booking 40-400 | interior designer | Interiors, Design | room plan, color advice, house visit
booking 40-300 | gardening service | Gardening, Green Hands | lawn cutting, hedge cutting, tree cutting, planting
booking 60-500 | painting company | Painters, Paint Works | room painting, door painting, fence painting
booking 30-260 | window cleaning company | Window Cleaning, Clear View | office windows, house windows, roof windows
booking 20-160 | laundry service | Laundry, Wash House | shirt cleaning, suit cleaning, bed sheets, carpet cleaning
booking 10-90 | car wash | Car Wash, Shine | outside wash, inside cleaning, full wash, wax
booking 20-150 | nanny agency | Nannies, Kids Care | evening care, day care, weekend care
booking 30-200 | security company | Security, Guards | night watch, alarm check, event guard
booking 20-150 | courier service | Couriers, Express | small parcel, large parcel, letter, night delivery
booking 30-300 | bus company | Bus Lines, Coaches | day trip, group bus, school bus, airport bus
booking 15-120 | train company | Rail, Trains | one way ticket, return ticket, bike ticket, night train
booking 20-200 | ferry company | Ferry, Ferries | car ticket, foot ticket, bike ticket, cabin
booking 90-900 | airline | Airlines, Air | one way ticket, return ticket, extra bag, window seat
booking 20-150 | blood test lab | Lab, Health Lab | blood test, allergy test, vitamin test
booking 25-180 | kids doctor | Children's Clinic, Kids Clinic | checkup, vaccine, hearing test
booking 8-60 | library | Library, Reading House | library card, book loan, computer hour, reading room
booking 8-70 | ice rink | Ice Rink, Ice Hall | skating hour, skate rental, hockey class
booking 20-150 | sailing school | Sailing, Sail School | sailing lesson, boat license, family trip
booking 20-160 | surf school | Surf School, Waves | surf lesson, group lesson, board rental
booking 30-250 | flight school | Flight School, Wings | trial flight, flying lesson, night flight
booking 25-200 | bank | Bank, Savings | new account, credit card, house loan meeting
booking 25-180 | phone company | Mobile, Telecom | small plan, family plan, new number, phone insurance
booking 25-200 | power company | Energy, Power | home plan, green plan, meter check
rental 10-90 | camera rental shop | Camera Rental, Lenses | camera, lens, tripod, light set
rental 10-120 | kayak rental shop | Kayaks, Paddle | single kayak, double kayak, paddle, dry bag
rental 10-90 | scooter rental shop | Scooters, City Rides | scooter, electric scooter, helmet
rental 30-250 | motorcycle rental company | Motorcycles, Road Rental | motorcycle, leather jacket, helmet, side bag
rental 40-300 | camper rental company | Campers, Road Homes | small camper, large camper, camp table, bike rack
rental 10-90 | dress rental shop | Dresses, Gowns | evening dress, wedding dress, tuxedo, suit
rental 10-120 | instrument rental shop | Instruments, Music Rental | violin, cello, trumpet, keyboard
rental 20-300 | sound rental company | Sound, Audio Rental | microphone, speaker, mixer, light show
rental 20-200 | projector rental company | Screens, Projectors | projector, screen, laptop, cable set
rental 10-120 | baby gear rental shop | Baby Gear, Little Ones | stroller, crib, car seat, high chair
rental 20-200 | office rental company | Offices, Work Space | desk, meeting room, quiet room, parking place
rental 20-200 | storage company | Storage, Boxes | small box, large box, garage, moving cart
rental 10-80 | golf club rental shop | Golf, Fairway | golf clubs, golf cart, golf shoes
rental 10-90 | diving rental shop | Diving, Deep Blue | diving mask, wet suit, air tank, fins
rental 10-90 | sled rental shop | Sleds, Snow Fun | sled, snow shoes, ski pole, warm boots
rental 20-250 | trailer rental company | Trailers, Haulers | small trailer, horse trailer, car trailer
rental 30-300 | crane rental company | Cranes, Lifts | small crane, fork lift, work platform
rental 10-90 | table and chair rental company | Tables, Event Rental | table, chair, bench, table cloth
rental 10-80 | plant rental company | Plants, Green Rental | palm tree, flower pot, office plant
rental 10-80 | book rental shop | Books, Book Loan | school book, novel, atlas, audio book
"""
