"""WordPress's lists: every line becomes what WordPress would have done with it."""

from moderation.policy.wordpress import read_lists


def test_lines_become_entries() -> None:
    """Parts of texts, and networks of what begins or is an address; each line once."""
    moderation = (
        "viagra\r\n\n  casino online \nviagra\n192.0.2.\n10.\n198.51.100.7\n2001:db8::/32\n"
    )
    disallowed = "spam@example.org\nhttp://bad.example\n1.2.3.4.5\n300.1.\na:b\n12.5"

    made = read_lists(moderation, disallowed)

    assert made == {
        "lists": [
            {
                "name": "wordpress-moderation",
                "verdict": "hold",
                "contains": ["viagra", "casino online"],
                "networks": ["192.0.2.0/24", "10.0.0.0/8", "198.51.100.7/32", "2001:db8::/32"],
            },
            {
                "name": "wordpress-disallowed",
                "verdict": "spam",
                "contains": [
                    "spam@example.org",
                    "http://bad.example",
                    "1.2.3.4.5",
                    "300.1.",
                    "a:b",
                    "12.5",
                ],
            },
        ]
    }


def test_a_list_without_lines_is_left_out() -> None:
    """Nothing to hold, nothing to say."""
    assert read_lists(" \n", "") == {"lists": []}
