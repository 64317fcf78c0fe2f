"""Comments of kinds that public data lack, spam and ham, plain and rude, written from templates.

For training only, never for measuring: what is made up says nothing of what is out there.
"""

import random
import re

from moderation.model.corpus import Example
from moderation.verdict import Label

_MADE_UP = 3000  # spam and ham comments, each
_PLAIN = 500  # short sentences about people that offend nobody
_RUDE = 100  # insults, slurs and come-ons, each of the same shape
COMMENTS, PHRASES = "made_up", "made_up_phrases"
INVENTED = frozenset({COMMENTS, PHRASES})
"""What the sources of made-up examples are called."""

_HARMLESS: dict[Label, bool] = dict.fromkeys(
    (each for each in Label if each is not Label.SPAM), False
)
_SLOT = re.compile(r"\{(\w+)\}")
_SHORT = {"you": "u", "your": "ur", "are": "r", "please": "pls", "for": "4", "to": "2"}


def made_up(seed: int) -> list[Example]:
    """Comments from templates; for training only, never for measuring."""
    draw = random.Random(seed)  # noqa: S311 - reproducible, not secret
    found = []
    for source, count, kinds, labels in (
        (COMMENTS, _MADE_UP, _SPAM, {Label.SPAM: True}),
        (COMMENTS, _MADE_UP, _HAM, {Label.SPAM: False}),
        (PHRASES, _PLAIN, _OF_PEOPLE, _HARMLESS),
        (PHRASES, _RUDE, _INSULTS, {Label.TOXICITY: True, Label.INSULT: True}),
        (PHRASES, _RUDE, _SLURS, {Label.TOXICITY: True, Label.IDENTITY_ATTACK: True}),
        (PHRASES, _RUDE, _EXPLICIT, {Label.SEXUAL_EXPLICIT: True}),
    ):
        for _ in range(count):
            kind = draw.choice(kinds)
            text = " ".join(draw.sample(kind, draw.choice((1, 1, 2))))
            text = _SLOT.sub(lambda slot: draw.choice(_SLOTS[slot[1]]), text)
            text = _written(text, draw)
            made = Example(text, dict(labels), source, 1.0, -1, held=False, measured=False)
            found.append(made)
    return found


def _written(text: str, draw: random.Random) -> str:
    """Return *text* as one or another person would write it: of spam and ham alike."""
    manner = draw.random()
    if manner < 0.1:  # noqa: PLR2004 - a share of all
        return text.upper()
    if manner < 0.3:  # noqa: PLR2004
        return text.lower().rstrip(".!")
    if manner < 0.4:  # noqa: PLR2004
        return " ".join(_SHORT.get(word, word) for word in text.lower().split(" "))
    return text + draw.choice(("!", "!!")) if manner < 0.5 and text[-1] == "!" else text  # noqa: PLR2004


def _listed(text: str) -> list[str]:
    return [choice.strip() for choice in text.split(",")]


def _kinds(text: str) -> list[list[str]]:
    """Return the templates of each kind; a blank line stands between two kinds."""
    return [kind.splitlines() for kind in text.strip().split("\n\n")]


_SLOTS = {
    "good": _listed("""\
cheap viagra, cialis, replica watches, payday loans, casino bonus, weight loss pills, followers,
essay writing service, bitcoin, SEO backlinks, designer handbags, pharmacy meds, web hosting,
phone cases, sunglasses, hair extensions, diet tea, life insurance, online poker, texas holdem,
slot machines, blackjack, phentermine, xanax, tramadol, levitra, mortgage rates, home loans,
debt consolidation, car insurance, credit cards, ringtones, discount hotels, airline tickets,
adult dating, free porn, webcams, sports betting, roulette, ambien"""),
    "link": _listed("""\
http://rx-meds.example.ru, https://best-offer.example.com/win, www.shop-now.example.net,
http://bit.ly/x1y2, cheap-meds.example.xyz, http://go.example.info/?id=7, bit.ly/3abc,
http://www.example.biz/?ref=88, example-deals.top, https://t.me/joinexample"""),
    "source": _listed("""\
https://www.bbc.co.uk/news/world-66123456, https://en.wikipedia.org/wiki/Great_Fire_of_London,
https://github.com/pallets/flask, https://doi.org/10.1000/182, https://arxiv.org/abs/2101.00001,
https://www.nytimes.com/2021/03/14/us/politics/senate-vote.html, https://youtu.be/dQw4w9WgXcQ,
https://www.theguardian.com/society/2019/jun/05/housing-figures, https://www.gov.uk/pay-tax,
https://www.youtube.com/watch?v=9bZkp7q19f0, https://stackoverflow.com/questions/11227809,
https://www.cdc.gov/flu/about/index.html, https://www.reuters.com/article/idUSKBN2AB1XY,
https://www.cbc.ca/news/canada/budget-2020-1.5312345, https://www.ncbi.nlm.nih.gov/pmc/PMC123456,
https://www.nature.com/articles/d41586-020-00502-w, https://docs.python.org/3/library/json.html,
http://www.statcan.gc.ca/daily-quotidien/180205/dq180205a-eng.htm, www.parliament.uk,
https://twitter.com/reuters/status/1234567890123456789, https://archive.org/details/oldbook,
https://www.washingtonpost.com/news/wonk/wp/2017/10/05/guns/, http://www.who.int/mediacentre,
https://news.stanford.edu/2018/11/27/sleep-study, https://www.theglobeandmail.com/opinion/a1/,
https://www.imdb.com/title/tt0111161/, https://www.gutenberg.org/ebooks/1342, cnn.com/politics,
https://old.reddit.com/r/books/comments/ab12cd/, https://xkcd.com/386/, www.elections.ca/home"""),
    "topic": _listed("article, post, blog, write-up, recipe, review, tutorial, video, page"),
    "sum": _listed("$500, $3500, $97, 12 000 dollars, 3000 USD, £1000, 500 euros, $10k"),
    "time": _listed("day, week, month, hour, year"),
    "craft": _listed("gaming, comedy, cooking, makeup, music, dance, prank, travel, football"),
    "work": _listed("song, video, mixtape, cover, remix, book, drawing, podcast, channel, app"),
    "network": _listed("Instagram, Twitter, Facebook, TikTok, Snapchat, Twitch, SoundCloud"),
    "handle": _listed("real_jay99, musicbylena, dj_korso, its.mia, thegamer_22"),
    "count": _listed("100, 500, 1000, 10k, 50, 2000"),
    "place": _listed("Manchester, Ohio, Brazil, Lagos, Berlin, Manila, Texas, Poland, Kenya"),
    "prize": _listed("iPhone, gift card, holiday, laptop, Amazon voucher, PlayStation, car, TV"),
    "phone": _listed("+1 555 0100, 0800 555 0199, 555-0134, +44 20 7946 0001, 07700900123"),
    "mail": _listed("help@example.com, drsolomon@example.org, loans.now@example.net"),
    "person": _listed("Dr Solomon, Mr Harris, Mrs Anna, Prophet Adams, Frank, Jessica"),
    "illness": _listed("herpes, diabetes, cancer, back pain, acne, hair loss"),
    "game": _listed("Robux, V-Bucks, Clash gems, FIFA coins, Minecraft"),
    "hour": _listed("7, half past eight, noon, 6:30, ten"),
    "name": _listed("Sam, mum, Priya, dad, Tom, your brother, Lena"),
    "first": _listed("""\
Peter, Dick, Randy, Willy, Fanny, Gaylord, Mary, Ahmed, Fatima, Mohammed, Priya, Nishit, Shital,
Jesus, Olga, Ivan, Jamal, Lakisha, Emily, Greg, Wei, Yuki, Minh, Chidi, Ngozi, Rosa, Juan, Paolo,
Giulia, Hans, Greta, Sven, Astrid, Moshe, Rachel, Abdul, Leila, Anh, Hiroshi, Dong, Phuc, Kiran,
Arjun, Lakshmi, Sasha, Kim, Robin, Alex, Sam, Charlie, Virginia, Angus, Isis, Cindy, Bob, Anna"""),
    "last": _listed("""\
Jackson, Smith, Wang, Weiner, Fuchs, Cockburn, Hancock, Babcock, Dikshit, Dickens, Dickinson,
Shitara, Shitole, Bates, Butts, Gay, Gaye, Black, White, Moor, Nguyen, Kim, Garcia, Cohen, Singh,
Khan, Hussein, Kowalski, Ivanova, Tanaka, Okafor, Mensah, Silva, Rossi, Mueller, Jansen, Andersen,
Penistone, Cumming, Sexton, Essex, Sussex, Assad, Hoare, Titmuss, Focker, Kuntz, Lipschitz"""),
    "group": _listed("""\
American, Irish, Christian, deaf, blind, gay, lesbian, bisexual, asexual, trans, straight, queer,
black, white, Asian, Mexican, African, Muslim, Jewish, Hindu, Catholic, old, young, Chinese,
Indian, Polish, German, French, Russian, disabled, autistic, homosexual, heterosexual, Buddhist,
Arab, Turkish, Canadian, Hispanic, Latino, Native American, female, male, elderly, middle-aged"""),
    "state": _listed("""\
tired, sure, serious, ready, happy, hungry, alone, busy, lost, well, right, kidding, done, sick,
coming, okay, new here, from here, on holiday, at home, still there, a doctor, a teacher"""),
    "kind": _listed("""\
right, happy, welcome, kind, correct, funny, great, lucky, not alone, mistaken, wrong,
wrong about that, very patient, a good friend, the best, my hero, nearly there, too modest"""),
    "self": _listed("stupid, dumb, silly, slow, wrong, an idiot, a fool, so stupid, blind, an ass"),
    "kin": _listed("mother, father, son, daughter, wife, husband, neighbour, boss, best friend"),
    "insult": _listed("""\
an idiot, a moron, stupid, pathetic, disgusting, retarded, brain dead, worthless, scum, a loser,
an imbecile, a disgrace, a coward and a liar, dumb as a rock, a clown, a piece of garbage"""),
    "body": _listed("tits, boobs, cock, dick, pussy, nipples, ass, penis, clit, vagina, nude pics"),
    "act": _listed("lick, suck, fuck, ride, eat, finger, touch, see, taste"),
    "hated": _listed("""\
scum, vermin, animals, parasites, criminals, filthy, subhuman, disgusting, a disease,
all thieves"""),
}
_SPAM = _kinds("""\
Looking for {good}? Order today {link}
Best prices on {good}, click here: {link}
Order {good} without prescription {link}
FREE {good}!!! Limited offer, act now {link}
Get {good} today, lowest price guaranteed!
[url={link}]{good}[/url]
{good} {good} {good} {link}
{good} - {good} - {good}
<a href="{link}">{good}</a> <a href="{link}">{good}</a>
{link} {good} {link} {good} {link} {good}
You can find {good} at {link} and more {good} at {link}
Play {good} here {link}
Save 70% on {good} this {time} only, visit {link}

Nice {topic}, check out my website {link}
Hello, I found your {topic} via Google. Please visit {link} for {good}
Thanks for the {topic}. Also see <a href="{link}">{good}</a>
Very informative {topic}. {good} at discount: {link}
I really like what you are doing here, feel free to visit my page {link}
Wonderful {topic}! Here is my web site: {good}
Great {topic}, I bookmarked it. My blog is about {good}
Very nice site! {good} {link}
Your site is very informative, keep up the good work. {good}
Cool site, come and see mine: {good} {link}
Interesting {topic}. In addition, you can check out some information about {good} {link}

I earned {sum} last {time} working online. {link}
I quit my job and now earn {sum} every {time}, see how: {link}
Make money online fast, {sum} per {time}, no experience needed! {link}
My trader helped me recover {sum} in bitcoin, contact him {link}
Invest {sum} and get back {sum} in one {time}, guaranteed
Join our Telegram for daily trading signals {link}
Work from home and make {sum} a {time}, just look at {link}

Hey guys, check out my channel, I make {craft} videos
Please subscribe to my channel, I subscribe back
Sub to me and I will sub to you
I just uploaded a new {work}, please give it a chance
We are a small band from {place}, listen to our new {work} on my page
Follow me on {network} @{handle}, follow for follow
Help me reach {count} subscribers, every one counts
If you like this you will love my {work}, link in my profile
Thumbs up if you want me to make a {work}, and check my page
Hi everyone, I am new here and I do {craft}. Check it out, you won't regret it
Vote for my {work} here {link}
Like my page on {network} {link}
My {work} is better than this, go and watch it

Congratulations! You have been selected to win a {prize}. Claim now {link}
Free {prize} giveaway, enter here {link}
URGENT! Your number has won {sum}. Call {phone} to claim your prize
Text WIN to 80808 for a chance of a {prize}. Reply STOP to end
You have 1 new message. Call {phone} now
Complete a short survey and get a {prize} {link}
Last chance to claim your {prize}, reply with your name and address

Hot singles near {place} want to meet you {link}
I am a lonely lady looking for a serious man, write to me at {mail}
Add me on {network} @{handle} for private pictures
Chat with real girls tonight, call {phone}

{person} brought my husband back in three days, contact him at {mail}
I was cured of {illness} by the herbs of {person}, WhatsApp {phone}
Are you in need of an urgent loan at 3% interest? Apply now {mail}
I lost {sum} to a fake broker and {person} recovered all of it, write to {mail}
Do you want more {good}? Contact me on WhatsApp {phone}
{person} is the best spell caster, he helped me win the lottery, email {mail}

Download the full movie for free {link}
Free {game} generator, no survey, works in {place}: {link}
Watch it in HD without registration {link}
I got {count} free {game} from this site {link}
""")
_HAM = _kinds("""\
Good {topic}, thanks a lot!
Thanks for sharing this {topic}.
I disagree with the last point in this {topic}.
Great {topic}! I learned a lot.
Could you write more about this?
Nice {topic}, but the second photo does not load.
Love it!!!
So true.
Thank you, best {topic} I have read this {time}
Wow, what a great {topic}!!
Please fix the typo in the title

I read about that here: https://en.wikipedia.org/wiki/Comment
The source is at https://github.com/example/project if you want to check.
Does this work on older phones as well? The manual says no: https://docs.example.org/faq
Here is the paper they mention, page 4: https://arxiv.org/abs/0000.00000

{source}
{source} {source}

See {source}
Source: {source}
Here is the link: {source}
More here: {source}
Check out {source}
According to {source} it is the other way round.
That is not true, see {source}
Read this before you say such things: {source}

{source} has the numbers, page 4.
The numbers for last {time} are here {source} and they say something else
You can look it up yourself, {source}
Interesting, {name} wrote about it last {time}: {source}
The original report: {source}
This was in the news a {time} ago ({source}) and nothing has changed
I am not making it up: {source}
The law is clear on that. {source}
For those who ask where the {sum} come from: {source}
Somebody posted this {work} years ago {source}
Wrong. {source}
Two sources: {source} and {source}

Has anyone tried this at home?
My doctor told me something similar, good {topic}.
I work from home too and this {topic} helped me a lot
I paid {sum} for the same thing last {time}, not worth it.
I have used both for a {time} and the cheaper one is fine.

This {work} never gets old
Who else is still listening to this?
This made my {time}!
Just subscribed, great content
The part at 2:13 gives me chills
Her voice is so beautiful
I can't stop watching this
My little sister loves this {work}
Greetings from {place}, love your {work}
{count} views already and you deserve every one
This is the best {work} of the whole {time}
haha that face at the end
Why does this have so many dislikes?
I remember hearing this on the radio with {name}
I make {craft} videos too, the editing takes forever
My channel has three subscribers, so I respect the work behind this

Ok, see you at {hour}
I'm on my way, call me when you get there
Sorry I missed your call, what's up?
Are we still on for dinner with {name} tonight?
haha no way, did {name} really say that?
Can you send me the address please?
Will text you later, at work until {hour}
Happy birthday {name}, hope you have a lovely {time}
Did you get my message? I need the keys before {hour}
I'll be home around {hour}, shall I bring something?

They should have done this a {time} ago
I don't think that is what she meant
This is exactly why I stopped reading the news
As a teacher I see this every {time}
Prices went up again last {time} and nobody says why
My family is from {place} and it was never like that
You may be right, but the numbers say something else
I waited a {time} for an answer and got none

Don't click that link, it is a scam
I get so many messages about a free {prize}, all of them spam
Reported, this is a bot
Is anybody else seeing these fake giveaway comments?
Never send money to somebody who writes to you like that
I won a {prize} once, in a school raffle
I ordered it a {time} ago and it still has not arrived
Your shop charged me {sum} twice, whom do I call?
""")
_OF_PEOPLE = _kinds("""\
Are you {group}?
Are you {group} as well?
You are {group}, right?
Is {first} {group}?
I am {group}.
I am {group} and I liked this {topic}.
My {kin} is {group}.
Both my {kin} and I are {group}.
{group} people live in this town.
Many {group} people read this.
As a {group} person I liked this {topic}.
He is {group}, isn't he?
They are {group}.
{first} is {group} and works with me.
There is a {group} family in our street.
What do {group} people think of it?

Are you {state}?
Are you {state}, {first}?
Is everybody {state}?
You are {kind}.
You are {kind}, {first}.
I think you are {kind}
I am {state}
We are {state}

Thank you {first}
Thank you {first}, great answer!
Thanks {first} {last}
Hi {first}
Hello {first}, how are you?
{first} is right.
I agree with {first}.
{first} {last} directed it.
Who is {first} {last}?
@{first} where did you read that?
Happy birthday {first}
Mr {last} said so last {time}
Ms {last} wrote the {topic}
{last} won again
{first} {last} was vice president
{first} {last} plays on Saturday
{first} wrote this
{last} is a common name where I live
The {topic} by {first} {last} is better
I was at school with {first} {last}
Is {first} coming as well?
{first} and {first} came with us
I met {first} in {place} last {time}
Dr {last} helped my {kin}

Sorry I was {self}
Sorry, my mistake, I was {self}.
I feel {self} for asking
I was {self}, I read it wrong
This may be {self} of me, but where is the link?
I am {self} with computers

I cut my finger while cooking
My finger hurts
The hardcore fans waited all night
Sex education belongs in schools
We talked about sexuality and health
The council of Essex decided it last {time}
He was charged with rape and went to prison
The trial for sexual assault begins next {time}
The hospital treats breast cancer
Sexual health clinics are closed on Sundays
""")
_INSULTS = _kinds("""\
Are you {insult}?
Are you {insult} or what?
You are {insult}
You are {insult}, {first}.
{first} is {insult}
Thanks {first}, you are {insult}
Whoever wrote this {topic} is {insult}
Your {kin} is {insult}

You are nothing but {insult}
How {insult} can you be, {first}
Shut up {first}, you are {insult}
{first} {last} is {insult} and always was
""")
_SLURS = _kinds("""\
{group} people are {hated}
All {group} people are {hated}
You {group} people are {hated}
{group} people do not belong here
Get rid of all {group} people
I hate {group} people
My {kin} says {group} people are {hated}

{first} is {group}, they are all {hated}
Of course {first} is {group}, {hated}
No {group} people in our town, they are {hated}
""")
_EXPLICIT = _kinds("""\
nice {body}
Show me your {body}
Send me your {body}
send nudes
I want to {act} your {body}
I want to {act} her {body}
Let me {act} your {body}, {first}
Can I {act} your {body}?
She has great {body}
Look at those {body}

I am so horny for you {first}
My {body} is waiting for your {body}
Come and {act} my {body} tonight
Put your {body} in my {body}
Would you {act} my {body}?
""")
