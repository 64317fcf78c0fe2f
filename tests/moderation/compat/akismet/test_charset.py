"""A form whose charset only its content type names is read in it."""

from contextlib import closing
from secrets import token_hex
from urllib.parse import quote_from_bytes

from akismet_desk import open_blog
from conftest import Service


def test_the_content_type_says_how_a_form_is_written(service: Service) -> None:
    """As a form's own `blog_charset` would, which counts where both are there."""
    blog = open_blog(service, token_hex(6))
    text = "\u043f\u0440\u0438\u0432\u0435\u0442 \u0432\u0441\u0435\u043c"
    fields = {"api_key": blog.key, "blog": blog.url, "user_ip": "198.51.100.7"}
    form = "&".join(f"{name}={value}" for name, value in fields.items())

    def send(content: bytes, media: str, more: str = "") -> None:
        body = f"{form}&comment_content={quote_from_bytes(content)}{more}"
        answer = blog.akismet.post(
            "/1.1/comment-check",
            content=body,
            headers={"content-type": f"application/x-www-form-urlencoded; {media}"},
        )
        assert answer.status_code == 200

    with closing(blog.akismet), closing(blog.native):
        send(text.encode("cp1251"), 'charset="windows-1251"')
        send(f"{text}!".encode("koi8-r"), "charset=utf-8", "&blog_charset=KOI8-R")
        send(f"{text}?".encode(), "Charset=nonsense")

        assert {each["text"] for each in blog.comments()} == {text, f"{text}!", f"{text}?"}
