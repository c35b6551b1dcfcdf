"""English word lists and sentence patterns; `grammar.parse` documents the notation."""

from __future__ import annotations

RULES = """
topic0 = sourdough starters | cast iron pans | mould in the bathroom | a squeaky floorboard
    | fermented vegetables | a small balcony garden | moving house with a cat | knife sharpening
    | wool jumpers | a dripping tap | lentil stew | choosing a duvet | slow cookers
    | stain removal | a shared flat's cleaning rota | window insulation | composting
    | school lunch boxes | descaling a kettle | painting over wallpaper
topic1 = shin splints | sleep after night shifts | reading a blood test | iron tablets
    | neck pain | training for ten kilometres | hay fever | a sprained ankle | screen headaches
    | swimming lessons | stretching before bed | vaccination dates for a toddler
    | contact lenses | a standing desk | low blood pressure | magnesium and cramps
    | physiotherapy after surgery | teething | tinnitus | climbing with a weak wrist
topic2 = night trains | a rainy weekend in Bergen | visa stamps | hiking huts | a lost suitcase
    | ferry crossings with a dog | Lisbon in November | campsites near lakes | jet lag
    | border cafes | cycling along the Danube | hostels for families | driving on gravel
    | the Faroe islands | travel insurance claims | desert stargazing | monsoon season
    | Georgian guest houses | tipping customs | airport transfers at 4 am
topic3 = fixed rate mortgages | a refund for a broken lamp | index funds | VAT on used goods
    | a subscription nobody remembers | household budgets | customs fees | a second hand laptop
    | price comparison sites | invoice reminders | pension statements | energy tariffs
    | gift cards | currency conversion | a chargeback | loyalty points | market stall pricing
    | payroll errors | late delivery compensation | collecting old coins
topic4 = tidal locking | lichens on rooftops | superconductors | why ice floats
    | bat echolocation | volcanic glass | plate boundaries | the greenhouse effect
    | enzyme kinetics | eclipses | soil acidity | migrating cranes | half life | coral bleaching
    | gecko feet | permafrost | the doppler effect | photosynthesis in shade plants | neutrinos
    | bees and magnetism
topic5 = race conditions | a flaky unit test | pagination in SQL | docker image size
    | regex lookahead | a memory leak in a worker | git rebase conflicts | CSS grid
    | websocket reconnects | time zones | CSV with broken quotes | caching headers
    | a slow index scan | OAuth refresh tokens | unicode normalisation | cron syntax
    | a null pointer in the cart service | type hints | blue green deployments
    | a stack trace from the mobile app
topic6 = the Hanseatic League | sonnets | perspective drawing | the Peloponnesian war | haiku
    | long division | the printing press | bassoon reeds | irregular verbs | Byzantine mosaics
    | essay introductions | the silk road | chess openings | water colour washes | Ottoman trade
    | counterpoint | fairy tales with wolves | spelling rules | map projections | jazz harmony
topic7 = a notice period | meeting minutes | a non compete clause | shift handovers
    | job interviews | the quarterly report | data protection requests | a tenancy deposit
    | remote onboarding | a supplier contract | performance reviews | overtime rules
    | a press release | tender documents | workplace noise | an apprentice's first week
    | parental leave | a board presentation | incident reviews | a trade mark objection
opener = Hi! | Hello, | hey | Good morning. | Quick one: | Sorry to bother you again. | OK so
    | Hi there, | Evening. | Two things today. | Me again. | So, | Right. | Thanks for earlier.
    | Not urgent, but
situation = My sister asked me about {topic} and I had no answer. | I am stuck with {topic}.
    | We had a long argument about {topic} at dinner.
    | Our team has to present {topic} on {weekday}.
    | I read a leaflet on {topic} and half of it made no sense.
    | A customer keeps writing about {topic}. | I've {tried} and it still bothers me.
    | It is my first time dealing with {topic}. | The landlord says {topic} is my problem.
    | I have {number} minutes before a call. | My notes on {topic} are a mess.
    | {name} from work swears that {topic} is simple.
    | We are {number} people and nobody knows {topic}. | I used to know this about {topic}.
    | The forum answers about {topic} contradict each other.
    | For the newsletter I need {topic}. | Background: {topic}, budget about {number} euros.
    | I moved to {city} last month. | In {city} everybody talks about {topic}.
    | Last {weekday} I noticed something odd with {topic}.
    | Our old manual has one line on {topic}. | There is a deadline on {weekday}.
tried = asked two friends | watched three videos | rung the hotline | read the manual twice
    | tried the usual tricks | made a list | slept on it
ask = What should I do about {topic}? | Can you explain {topic} to me?
    | How would you start with {topic}? | Is it normal that {topic} takes so long?
    | Give me three ideas around {topic}. | Which is better, {topic} or {topic_b}?
    | Draft a short text about {topic} for {audience}. | What do people get wrong about {topic}?
    | Make a checklist for {topic}. | How much does {topic} usually cost?
    | Could you turn this into a plan: {topic}, then {topic_b}?
    | why does everyone make such a fuss over {topic} | Does {topic} depend on the weather?
    | I need a name for a club about {topic}.
    | What's the difference between {topic} and {topic_b}?
    | Please compare {topic} with {topic_b} in a table.
    | Where would a beginner look for {topic}? | Suggest a title for a talk on {topic}.
    | Who decides about {topic} in a town like {city}?
    | Write {number} lines I can read out to {audience} about {topic}.
    | What could go wrong with {topic}? | When is the best time for {topic}?
    | Can {topic} be done in {number} days? | Help me word a complaint about {topic}.
    | tell me something surprising about {topic} | Should I worry about {topic}?
    | What questions should I ask {name} about {topic}? | Sum up {topic} for {audience}.
    | How did {topic} become so popular in {city}? | Is {topic} worth {number} pounds?
    | Which tools do I need for {topic}? | How do I tell {name} that {topic} is not my job?
    | What would an ordinary day with {topic} look like? | Is there a law on {topic}?
constraint = Keep it short. | No jargon please. | In {number} bullet points.
    | It's for {audience}. | I have no car. | Nothing expensive. | Use British spelling.
    | Friendly tone. | With an example. | Just the main point. | I don't like lists.
    | Mention {city} if you can. | Max {number} words. | Be honest. | Assume I know nothing.
    | One paragraph is enough. | Not too formal.
closer = Thanks! | thx | Cheers, {name} | Thank you in advance. | What do you think? | Any idea?
    | I'd be grateful. | :) | Ta. | That's all. | No rush.
audience = my grandmother | a ten year old | the committee | new colleagues | a sceptical boss
    | the parents' evening | our neighbours | the local paper | beginners | our German branch
    | a pub quiz | people who hate reading
weekday = Monday | Tuesday | Wednesday | Thursday | Friday | Saturday | Sunday
followup = shorter please | And what about {topic}? | Hm, I don't agree with the second point.
    | Can you say that more politely? | ok and then? | Does that also hold in {city}?
    | Great, now as an email to {name}. | I forgot to say: it must be ready by {weekday}. | Why?
    | Could you give an example? | That's not what I meant, it's about {topic}.
    | Put it in a table. | Perfect, thank you! One more: {ask} | Which of these is cheapest?
    | make it {number} words | What did you mean by the last sentence?
    | Sounds wrong to me, check again | Try again with a warmer tone | yes please
    | No, leave {topic} out. | Can you translate that to French? | And if it fails?
    | So {name} was right? | Let's do the next part. | same for {topic} please
    | Remove the first line and keep the rest. | Interesting. {ask}
    | I tried it and it didn't work.
q = What is {topic}? | How does one begin with {topic}? | Why do people care about {topic}?
    | Which {number} facts about {topic} matter most? | Is {topic} older than {topic_b}?
    | What links {topic} and {topic_b}? | How long does {topic} take in {city}?
    | Who should avoid {topic}? | What happens when {topic} goes wrong?
    | Can {topic} be learned in {number} weeks? | Where did {topic} first appear?
    | What does {topic} cost per year for {number} people?
    | How would you test whether {topic} helps? | Under which conditions is {topic} a bad idea?
    | What is the usual order of steps in {topic}? | Does {topic} change in winter?
    | How do experts measure {topic}? | What replaced {topic} after 1950?
    | Name the main risks of {topic}. | In what way does {topic} influence {topic_b}?
    | Which words belong to {topic}? | How would {audience} see {topic}?
    | What should be written on a sign about {topic}? | Why might {topic} fail on a {weekday}?
ins = Write a short guide to {topic} for {audience}.
    | List {number} common mistakes with {topic}.
    | Rewrite the sentence so that it fits {audience}: {s}
    | Explain the link between {topic} and {topic_b}.
    | Compose a dialogue in which {name} learns about {topic}.
    | Describe {topic} without using numbers. | Summarise the arguments for and against {topic}.
    | Create a timetable for {topic} over {number} days.
    | Think of a riddle whose answer is {topic}.
    | Sort these by difficulty: {topic}; {topic_b}; {topic_c}.
    | Draft a notice for {audience} on {topic}. | Turn {topic} into a story set in {city}.
    | Give a definition of {topic} in one sentence.
    | Outline a lesson on {topic} for {number} pupils.
    | Compare {topic} and {topic_b} by cost, effort and risk. | Invent a slogan for {topic}.
    | Suggest questions for an interview about {topic}.
    | Write an apology to {name} about {topic}. | Plan a budget of {number} euros for {topic}.
    | Correct the grammar: {s} | Find three synonyms for each noun in: {s}
    | State what would change {audience}'s mind about {topic}.
    | Make a poem of {number} lines about {topic}. | Design a form to collect data on {topic}.
s = {topic!} is easier to plan than to carry out. | In {city}, {topic} has changed since {year}.
    | {name} wrote {number} pages about {topic}. | Nobody mentioned {topic} before the meeting.
    | The cost of {topic} rose by {number} per cent. | Most visitors came because of {topic}.
    | After {number} days the results for {topic} were clear.
    | {topic!} and {topic_b} are often confused.
    | {company} stopped selling anything related to {topic}.
    | A second look at {topic} pays off. | The report of {year} devotes a chapter to {topic}.
    | Without patience, {topic} leads nowhere. | {name} keeps a notebook on {topic}.
    | On {weekday} the workshop on {topic} was full.
    | It took {number} people to understand {topic}.
    | The old rule about {topic} no longer applies.
    | Local papers described {topic} as a quiet success.
    | {topic!} needs good light and some time. | We found no link between {topic} and {topic_b}.
    | The first step in {topic} is to write things down. | Small errors in {topic} add up.
    | A cheap tool is enough for {topic}. | {company} measured {topic} at {number} sites.
    | The method fails when {topic} is rushed. | Two of {number} readers asked about {topic}.
    | {topic!} was never meant for beginners.
title = The trouble with {topic} | {number} notes on {topic} | {topic!}: a field guide
    | From {topic} to {topic_b} | What {city} teaches us about {topic} | A year of {topic}
    | {topic!}, explained | Minutes: {topic} ({weekday}) | Handling {topic} at {company}
rv_open = Bought the {product} in {month}. | Second {product} in our family.
    | Not sure about this {product}. | Five stars for the {product}!
    | Got the {product} as a present. | We stayed near {city} and loved it.
    | Returned the {product} after {number} days. | Honest opinion on the {product}:
    | I rarely write reviews, but the {product} deserves it. | hmm, the {product}...
rv_mid = The {part} broke after {number} weeks. | Delivery took {number} days.
    | Sound is fine, the {part} is not. | My {relative} uses it daily.
    | Colour differs from the photo. | Support answered within an hour.
    | It smells a bit of plastic. | Setting it up took {number} minutes.
    | The {part} feels solid. | Instructions are only in Dutch. | Works even in the cold.
    | The box was open. | Battery lasts {number} hours. | For the price it is fair.
    | It is louder than my old one. | The app wants too many permissions.
rv_end = Would buy again. | Never again. | Three stars. | {number} out of 10.
    | My {relative} is happy. | I'd wait for a sale. | Recommended for {audience}.
    | Still testing, will update. | Money wasted.
part = hinge | zip | cable | lid | handle | strap | screen | battery | button | filter | motor
    | seal
relative = daughter | father | neighbour | aunt | flatmate | son | husband | colleague
month = January | February | March | April | May | June | July | August | September | October
tk_open = Order {ref}: | Ticket for {product}: | URGENT | hello support, | Ref {ref}.
    | Dear team, | Since {weekday} | account {ref}: | Third message about this!
tk_mid = the {part} arrived damaged. | I was charged twice, {number} euros each.
    | the app logs me out on every start. | I cannot change my address to {city}.
    | the parcel is shown as delivered but it is not here.
    | invoice {ref} has the wrong VAT number. | the voucher {ref} is not accepted.
    | password mail never arrives. | please cancel from {month}.
    | export to CSV stops at {number} rows. | the {product} does not pair with my phone.
    | your update removed the {part} setting. | I need a copy of the contract of {month}.
    | can I add {name} as a second user? | the courier left it at number {number}.
tk_end = Please call back. | I expect an answer by {weekday}. | Photos attached.
    | Regards, {name} | I will cancel otherwise. | Thanks. | Customer since {year}.
    | Sent from my phone
em_open = Dear {name}, | Hi {name}, | Dear all, | Good morning {name}, | {name}, | Hello team,
em_mid = thank you for the call on {weekday}. | attached you find the draft on {topic}.
    | we need {number} more copies by {month}. | could we move the meeting to {weekday}?
    | {company} has accepted the offer of {number} euros.
    | the room in {city} is booked for {number} people.
    | please check the part on {topic} before it goes out. | I could not open the file.
    | the numbers for {month} look odd to me. | {name} will take over {topic} from next week.
    | I owe you an answer about {topic}. | let me know which of the two options you prefer.
    | the client asked again about {topic}. | could you forward this to {name}?
em_end = Best, {name} | Kind regards, {name} | Thanks, {name} | Until {weekday}, {name}
    | Yours, {name}
a = {topic!} comes down to two things: time and care.
    | Start with the simplest case and write it down.
    | In practice, {topic} depends on the setting.
    | A common mistake is to skip the check at the end.
    | First, look at what you have; then decide about {topic_b}.
    | That said, {topic} is rarely urgent. | For {audience} I would leave out the details.
    | If it fails, go back one step. | The usual range is {number} to {number_b}.
    | Here is how people in {city} handle it.
    | You could also ask {name}, who has done this before.
    | It helps to compare {topic} with {topic_b}. | Most of the effort goes into preparation.
    | The short answer is yes, with one exception. | Keep a record of each change.
    | Two points stand out. | Costs vary, but {number} euros is a fair guess.
    | The second option is slower and safer.
    | This holds for small groups; larger ones need a plan.
    | Finally, check the result after {number} days. | There is no single rule for {topic}.
    | Note that {topic_b} follows another pattern. | A table makes the difference visible.
    | Let me know if you want an example. | Older guides describe {topic} differently.
    | In short, {topic} rewards patience. | One more thing: leave room for {topic_b}.
r = Let the unknown be x. | First I note what is given: {number} and {number_b}.
    | That leaves {number}. | So the total must be {number}.
    | Check: {number} plus {number_b} fits. | Suppose the opposite.
    | The question asks about {topic}, so the rest can be ignored.
    | This rules out the second case. | Dividing both sides by {small} gives {number}.
    | Hence the claim follows. | Wait, the {weekday} is counted twice, so subtract {small}.
    | The units agree.
    | From the first statement it follows that {topic} comes before {topic_b}.
    | An example shows it: take {number}. | Therefore the answer is {number}.
persona = a {age}-year-old {trade} from {city} who {habit} | {name}, {trade}, {habit}
    | a retired {trade} in {city} | {name} ({age}), who {habit} and cares about {topic}
    | a {trade} who {habit} | student of {topic} from {city}
    | a single parent working as a {trade}, interested in {topic}
    | the {trade} of a small town near {city}
trade = baker | nurse | tram driver | botanist | accountant | violin maker | electrician
    | teacher | fisherman | midwife | notary | welder | librarian | dentist | beekeeper
    | translator | surveyor | chess coach | flight dispatcher | cheese maker | lighthouse keeper
    | plumber | radio host | customs officer | florist
habit = hates small talk | collects maps | writes letters by hand | never misses a train
    | is learning Basque | doubts every statistic | cooks for twelve | runs a book club
    | repairs old radios | asks too many questions | plays the tuba badly | keeps three dogs
    | tends an allotment | has just moved house
policy = Refunds only within {number} days of delivery and with the receipt {ref}.
    | Staff may not discuss {topic} with the press.
    | Orders over {number} euros need two signatures.
    | Visitors wear a badge; photos of {part}s are not allowed.
    | Data on {topic} are kept for {number} months.
    | Complaints are answered within {small} working days.
    | No promises about {topic} in writing. | Free replacement of a {part} once a year.
    | Prices include VAT except for exports to {city}.
rubric = {small} points for naming {topic}; {small} for a correct example; minus one for padding.
    | Score 1-{small}: accuracy, clarity, tone towards {audience}.
    | Full marks only if {topic} and {topic_b} are kept apart.
    | 0 = wrong, 1 = partly right, 2 = right and complete. Ignore spelling.
    | Judge usefulness to {audience} first, style last.
    | Pass if every claim about {topic} is backed by the text; otherwise fail.
labels = billing, delivery, technical, praise, other | positive, neutral, negative
    | urgent, normal, can wait | home, health, travel, money, science, computing, culture, work
    | spam, not spam | yes, no, unclear | complaint, question, order, cancellation
    | contract, invoice, letter, form, photo | A, B, C, D | legal, finance, product, people
    | bug, feature, question, duplicate | fact, opinion, mixed
keywords = {topic}, {topic_b}, {city} | {product}, {part}, gift | {topic}; {audience}
    | {company} {product} {year} | {topic} {city} {month} | {trade}, {topic}, {topic_b}
    | cheap {product} with {part}
coding = Write a {plang} function that {does}. | In {plang}, {does2} and print the result.
    | Refactor a {plang} class which {does3} so that it can be tested.
    | Implement {algo} in {plang}. | Given a list of {things}, return those {cond}. Use {plang}.
    | Why does this {plang} loop skip every {small}th of the {things}?
    | Add input checks to a {plang} script which {does3}.
    | Port a small tool which {does3} to {plang}.
    | Write unit tests in {plang} for a function that {does}.
    | Design a SQL schema for {things} with {cond2}.
    | Build a command line program in {plang} which {does3} and has a --dry-run option.
    | Make a {plang} generator over {things}, {small} at a time, without loading them all.
    | Explain the complexity of {algo} and write it in {plang}.
    | {plang}: parse {things} from a text file, skip bad lines, report {cond2}.
does = merges two sorted lists of {things} | counts {things} {cond}
    | finds the longest run of equal {things} | converts {things} to JSON
    | removes duplicate {things} but keeps order | rounds {things} to {small} places
    | groups {things} by month | validates {things} | finds {things} {cond}
    | rotates a grid of {things} by 90 degrees | splits {things} into {small} fair parts
    | returns the k most common {things} | compares two sets of {things}
does2 = read {things} from standard input | fetch {things} from an API with retries
    | sort {things} by two keys | compute a moving average over {things}
    | walk a folder and list {things} | draw a histogram of {things}
does3 = copies {things} between two databases | watches a folder for {things}
    | renames {things} in bulk | caches {things} for {number} seconds
    | sends a reminder about {things} | downloads {things} every hour
    | checks {things} against a schema | keeps {things} in a binary heap
    | prints {things} as labels
things = invoices | sensor readings | bus stops | user names | chess moves | temperatures
    | recipes | log lines | IP ranges | calendar entries | parcels | matrices | playlists
    | exam marks | coordinates | word pairs | tickets
cond = above the median | older than {number} days | that appear twice | with a missing field
    | starting with a vowel | within {number} km of {city} | whose digits add up to {number}
    | changed since {weekday}
cond2 = one owner each | soft deletion | a history of changes | tags | totals per week
    | a unique code per {city} branch
algo = a trie with prefix search | Dijkstra's shortest path | an LRU cache of size {number}
    | binary search on answers | topological sorting | a bloom filter | union find
    | a token bucket limiter | run length coding | quickselect | edit distance
    | an interval tree | a sliding window maximum | matrix spiral order | a rope for long texts
plang = Python | TypeScript | Go | Rust | Java | C++ | Kotlin | C# | Ruby | PHP | Swift | SQL
    | Bash | Scala | Elixir | R | Julia | Lua
tool_result = {{"status": "ok", "rows": {number}, "next": "{ref}"}} | No results for "{topic}".
    | {{"error": "timeout after {number} s", "retry": true}}
    | {number} files changed, {number_b} insertions
    | {{"order": "{ref}", "state": "shipped", "eta": "{weekday}"}}
    | PASSED {number}, FAILED {small} | {city}: {small} degrees, light rain
    | Traceback: ValueError in line {number}: bad {part}
    | {{"items": ["{topic}", "{topic_b}"], "total": {number}}}
    | src/{ident}.py:{number}: def {ident}(self, {ident_b}):
    | Booked for {name} on {weekday}, reference {ref}. | {s} {s} | balance: {number}.{small} EUR
    | drwxr-xr-x {ident} {number} {month} {small} notes_{ident_b}.txt
ident = load | parse | total | merge | cursor | batch | shelf | ticket | queue | index | order
    | route | sample | window | score
name = Anna Berg | Tom Okafor | Mei Tan | Luis Prado | Sofia Rossi | Jack Mbeki | Ines Duarte
    | Oleg Sidorov | Hana Kim | Pavel Novak | Aisha Khan | Nils Holm | Carla Weiss | Yusuf Demir
    | Greta Lund | Sam Whittle | Leila Haddad | Marek Zielinski | Ewa Bak | Omar Farouk
    | Ruth Adler | Diego Luna | Kim Larsen | Maya Patel
company = Nordlicht Tools | Brightwater Foods | Kestrel Logistics | Palmgren & Co | Atlas Bikes
    | Juniper Clinics | Rivermark Insurance | Tessel Media | Quarry Lane Books | Helio Solar
    | Fjordline Tours | Copperleaf Bank | Maple & Mint | Obsidian Games | Harbour Dental
    | Zephyr Telecom | Larkspur Schools | Bluefin Analytics
product = desk lamp | hiking boot | espresso maker | router | rain jacket | garden hose
    | e-reader | blender | kids' tent | smart lock | office chair | water filter | bike light
    | headphones | electric kettle | sleeping bag | label printer | air purifier
    | travel adapter | wool blanket | dash camera | pressure cooker | yoga mat | tool chest
city = Lisbon | Osaka | Graz | Leeds | Nairobi | Tallinn | Porto | Leipzig | Busan | Izmir
    | Lyon | Granada | Quito | Kazan | Chengdu | Cork | Malmo | Denver | Pune | Halifax | Turin
    | Brno | Recife | Hobart | Oulu | Windhoek
"""
