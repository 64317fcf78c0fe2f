"""A text that is longer than what is read of it gets no verdict: its end may say anything."""

from contextlib import closing
from secrets import token_hex

from akismet_desk import HAM, SPAM, open_blog
from conftest import Service


def test_what_is_not_read_to_its_end_is_not_called_ham(service: Service) -> None:
    """Clients hold what is answered neither `true` nor `false`; nothing is stored of it."""
    blog = open_blog(service, token_hex(6))
    with closing(blog.akismet), closing(blog.native):
        answer = blog.check(f"{HAM} " * 1_500 + SPAM)
        longest = blog.check("a" * 100_000)

        assert answer.text not in {"true", "false"}
        assert "x-akismet-debug-help" in answer.headers
        assert longest.text in {"true", "false"}
        assert len(blog.comments()) == 1
