r"""The text of a comment that came as HTML, with what it links to.

Pure; linear in the length of the text, whatever it holds, which the standard library's parser is
not. Nothing is rendered, so nothing has to be sanitised: tags go, their text and the addresses of
links stay.
"""

import re

from moderation.text.normal import unescape

_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9]*+)([^<>]*+)>|<![^<>]*+>")
_HREF = re.compile(r"""\shref\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'>]++))""", re.IGNORECASE)
_SLASHES = re.compile(r"^(?:(https?:|ftp:)[/\\]*+|[/\\]{2,})", re.IGNORECASE)
_BREAKS = frozenset(
    {"blockquote", "br", "dd", "div", "dt", "h1", "h2", "h3", "hr", "li", "ol", "p", "pre", "ul"}
)


def plain_text(html: str) -> str:
    r"""Return the text of *html*, a line for each block.

    >>> plain_text('<p>Look <a href="http://a.example">here</a></p><p>Bye &amp; thanks</p>')
    'Look here http://a.example\nBye & thanks'
    """
    pieces: list[str] = []
    link = None
    at = 0
    for tag in _TAG.finditer(html):
        pieces.append(unescape(html[at : tag.start()]))
        at = tag.end()
        closing, name = bool(tag[1]), (tag[2] or "").lower()
        if name in _BREAKS:
            pieces.append("\n")
        elif name == "a" and not closing:
            link = _address(tag[3])
        elif name == "a" and link is not None:
            if link != pieces[-1]:  # the link does not say itself where it leads
                pieces.append(f" {link} ")
            link = None
    pieces.append(unescape(html[at:]))
    lines = (" ".join(line.split()) for line in "".join(pieces).splitlines())
    return "\n".join(line for line in lines if line).replace("\0", "")


def _address(attributes: str) -> str | None:
    found = _HREF.search(attributes)
    if found is None:
        return None
    # As browsers read it: no breaks, and whichever slashes.
    address = "".join(unescape(found[1] or found[2] or found[3] or "").split())
    return _SLASHES.sub(lambda each: f"{(each[1] or 'https:').lower()}//", address, count=1)
