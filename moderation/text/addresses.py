"""Links and e-mail addresses in a comment, replaced by words that say what kind they are.

Pure: no clock, no database, no model. No host is looked up: a link's kind is what its text says.

A link becomes `URL` and one word a fact about it: its ending (`URL_tld_ru`, `URL_tld_other`),
and where it holds, that it hides its target (`URL_shortener`), names a bare address (`URL_ip`),
is written in another script (`URL_punycode`), leads to a place where people usually mean no harm
(`URL_known`) or carries a query (`URL_query`). Upper case: no folded text can spell such a word.

>>> replace_links(b"see http://bit.ly/2x now")
(b'see  URL URL_tld_ly URL_shortener  now', 1)
"""

import re

LINK_TOKEN = b"URL"
MAIL_TOKEN = b"MAIL"
LINK_FACT = b"URL_"
"""What every word about a link begins with, but not the word that stands for it."""

# Endings that are also English words (in, it, me, us, so, to) are left out: people forget the
# space after a full stop far more often than they write such a link without http://.
_ENDINGS = (
    b"com net org info biz ru su ua cn tk ml ga cf gq xyz top site online website space shop "
    b"store club live pro link click icu vip win bid loan work io co uk de fr nl eu tv cc pw ws "
    b"ly gl ca au br pl es cz jp kr id vn gov edu"
).split()
_TLD = rb"(?:" + b"|".join(_ENDINGS) + rb")"
_MAYBE_LINK = re.compile(rb"\." + _TLD + rb"(?![a-z0-9-])")
# Every branch starts only where the character before is of another kind and never gives back
# what it took (the "++"), so a run of any length is read a bounded number of times.
LINK = re.compile(
    rb"(?:(?:https?|ftp)://|(?<![a-z0-9])www\.)[^\s<>\"'\[\]]*+"
    rb"|(?<![a-z0-9.@_-])(?:[a-z0-9][a-z0-9-]*+\.)+" + _TLD + rb"(?![a-z0-9@-])"
    rb"(?:[/:?#][^\s<>\"'\[\]]*+)?"
)
MAIL = re.compile(
    rb"(?<![a-z0-9._%+-])[a-z0-9._%+-]++@[a-z0-9][a-z0-9-]*+(?:\.[a-z0-9][a-z0-9-]*+)++"
)
_PARTS = re.compile(rb"(?:[a-z]+://)?(?:[^/?#@]*@)?([^/?#:]*)(?::\d*)?([^?#]*)(\?.)?", re.DOTALL)
_IP = re.compile(rb"\d{1,3}(?:\.\d{1,3}){3}|0x[0-9a-f]+|\d{8,10}")

_SHORTENERS = frozenset(
    b"adf.ly bit.do bit.ly bl.ink buff.ly clck.ru cutt.ly db.tt dlvr.it fb.me goo.gl ht.ly is.gd "
    b"j.mp lnkd.in ow.ly ouo.io po.st prf.hn qr.ae rb.gy rebrand.ly s.id shorte.st shorturl.at "
    b"sh.st soo.gd su.pr t.co t.ly t.me tiny.cc tinyurl.com tr.im u.to v.gd vk.cc wa.me x.co "
    b"youtu.be.link zpr.io".split()
)
_KNOWN = frozenset(
    b"archive.org arxiv.org bbc.com bbc.co.uk cnn.com github.com gitlab.com google.com imdb.com "
    b"nytimes.com reddit.com reuters.com stackexchange.com stackoverflow.com theguardian.com "
    b"w3.org washingtonpost.com wikimedia.org wikipedia.org wiktionary.org youtu.be "
    b"youtube.com".split()
)


def may_link(folded: bytes) -> bool:
    """Return whether lower-case *folded* may hold a link; cheap, and never wrong when False."""
    return b"://" in folded or (
        b"." in folded and (b"www." in folded or _MAYBE_LINK.search(folded) is not None)
    )


def replace_links(folded: bytes) -> tuple[bytes, int]:
    """Return *folded* with its links as words, and how many there were."""
    return LINK.subn(lambda found: b" %b " % b" ".join(link_words(found[0])), folded)


def replace_mails(folded: bytes) -> tuple[bytes, int]:
    """Return *folded* with every e-mail address as one word, and how many there were."""
    return MAIL.subn(b" %b " % MAIL_TOKEN, folded)


def link_words(link: bytes) -> list[bytes]:
    """Return the words that stand for *link*, lower-case and as `LINK` finds it."""
    parts = _PARTS.match(link)
    host = parts[1].rstrip(b".").removeprefix(b"www.") if parts else b""
    words = [LINK_TOKEN]
    if _IP.fullmatch(host):
        words.append(b"URL_ip")
    else:
        ending = host.rpartition(b".")[2]
        words.append(b"URL_tld_" + (ending if ending in _ENDINGS else b"other"))
    if host in _SHORTENERS:
        words.append(b"URL_shortener")
    if host in _KNOWN or host.partition(b".")[2] in _KNOWN:
        words.append(b"URL_known")
    if b"xn--" in host:
        words.append(b"URL_punycode")
    if parts and parts[3]:
        words.append(b"URL_query")
    return words
