"""Spam and ham comments of kinds that public data lack, written from templates.

For training only, never for measuring: what is made up says nothing of what is out there.
"""

import random

from moderation.model.corpus import Example
from moderation.verdict import Label

_MADE_UP = 1500  # spam and ham comments, each


def made_up(seed: int) -> list[Example]:
    """Blog-comment spam and ham from templates; for training only, never for measuring."""
    draw = random.Random(seed)  # noqa: S311 - reproducible, not secret
    found = []
    for spam, templates in ((True, _SPAM_TEMPLATES), (False, _HAM_TEMPLATES)):
        for _ in range(_MADE_UP):
            text = " ".join(draw.sample(templates, draw.choice((1, 1, 2))))
            for slot, choices in _SLOTS.items():
                text = text.replace(slot, draw.choice(choices.split(",")).strip())
            labels = {Label.SPAM: spam}
            found.append(Example(text, labels, "made_up", 1.0, -1, held=False, measured=False))
    return found


_SLOTS = {
    "{good}": """\
cheap viagra, cialis, replica watches, payday loans, casino bonus, weight loss pills, followers,
essay writing service, bitcoin, SEO backlinks, designer handbags, pharmacy meds""",
    "{link}": """\
http://rx-meds.example.ru, https://best-offer.example.com/win, www.shop-now.example.net,
http://bit.ly/x1y2, cheap-meds.example.xyz, http://go.example.info/?id=7""",
    "{topic}": "article, post, blog, write-up, recipe, review, tutorial",
    "{sum}": "$500, $3500, $97, 12 000 dollars, 3000 USD",
    "{time}": "day, week, month, hour",
}
_SPAM_TEMPLATES = """\
Looking for {good}? Order today {link}
Nice {topic}, check out my website {link}
Best prices on {good}, click here: {link}
I earned {sum} last {time} working online. {link}
I quit my job and now earn {sum} every {time}, see how: {link}
Order {good} without prescription {link}
Hello, I found your {topic} via Google. Please visit {link} for {good}
FREE {good}!!! Limited offer, act now {link}
Get {good} today, lowest price guaranteed!
Make money online fast, {sum} per {time}, no experience needed! {link}
Thanks for the {topic}. Also see <a href="{link}">{good}</a>
Do you want more {good}? Contact me on WhatsApp +1 555 0100
[url={link}]{good}[/url]
My trader helped me recover {sum} in bitcoin, contact him {link}
Very informative {topic}. {good} at discount: {link}
""".splitlines()
_HAM_TEMPLATES = """\
Good {topic}, thanks a lot!
Thanks for sharing this {topic}.
I disagree with the last point in this {topic}.
Great {topic}! I learned a lot.
Could you write more about this?
Nice {topic}, but the second photo does not load.
I read about that here: https://en.wikipedia.org/wiki/Comment
Love it!!!
So true.
I paid {sum} for the same thing last {time}, not worth it.
This made my {time}!
My doctor told me something similar, good {topic}.
Has anyone tried this at home?
The source is at https://github.com/example/project if you want to check.
Thank you, best {topic} I have read this {time}
Wow, what a great {topic}!!
I work from home too and this {topic} helped me a lot
Please fix the typo in the title
""".splitlines()
