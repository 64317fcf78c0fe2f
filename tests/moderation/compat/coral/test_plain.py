"""The text of a comment that came as HTML."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.compat.coral.plain import plain_text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("Here's a comment!", "Here's a comment!"),
        ("<div>One</div><div>Two<br>three</div>", "One\nTwo\nthree"),
        ("Fish &amp; chips &lt;b&gt;", "Fish & chips <b>"),
        ('<a href="http://a.example">here</a>', "here http://a.example"),
        ('<a href="http://a.example">http://a.example</a>', "http://a.example"),
        ('<a href="http://a.example"></a>', "http://a.example"),
        ("<b>You</b> <i>fool</i>", "You fool"),
        ("<a HREF = 'http://a.example?a=1&amp;b=2'>x</a>", "x http://a.example?a=1&b=2"),
        ("<a>x</a></a>", "x"),
        ("<blockquote>They said</blockquote>No", "They said\nNo"),
        ("a\0b", "ab"),
        ("<p><br></p>", ""),
        ("1 < 2 > 1 <!-- no -->", "1 < 2 > 1"),
        ("&#" + "9" * 5000 + ";", "&#" + "9" * 5000 + ";"),
    ],
)
def test_tags_go_and_what_they_say_stays(html: str, text: str) -> None:
    """A line for each block; a link is told by where it leads."""
    assert plain_text(html) == text


@given(st.text())
def test_any_text_is_read(html: str) -> None:
    """Whatever came, a text comes of it."""
    assert "\0" not in plain_text(html)
