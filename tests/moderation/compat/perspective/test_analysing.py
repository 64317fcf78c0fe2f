"""Which attributes of a comment are answered for."""

from typing import Any

import pytest

from moderation.compat.perspective import refusals
from moderation.compat.perspective.analysing import wanted
from moderation.compat.perspective.attributes import ATTRIBUTES, SUPPORTED
from moderation.compat.perspective.wire import AnalyzeCommentRequest, AttributeParameters, TextEntry
from moderation.compat.setting import DEFAULT, PerspectiveSetting
from moderation.errors import PerspectiveRefused
from moderation.verdict import Label

RUSSIAN = "Это комментарий по-русски"
GERMAN = "Das ist ein deutscher Kommentar"
UNSUPPORTED = "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"


def asked(
    *names: str,
    text: str = "Hello",
    **more: Any,  # noqa: ANN401 - a member of the request
) -> AnalyzeCommentRequest:
    """Return a request for attributes."""
    return AnalyzeCommentRequest(
        comment=TextEntry(text=text),
        requested_attributes=dict.fromkeys(names, AttributeParameters()),
        **more,
    )


def refusal(
    request: AnalyzeCommentRequest,
    *,
    known: bool = True,
    setting: PerspectiveSetting = DEFAULT.perspective,
) -> dict[str, Any]:
    """Return the details that a request is refused with."""
    with pytest.raises(PerspectiveRefused) as caught:
        wanted(request, known=known, language="en", setting=setting)
    return dict(caught.value.details[0])


def test_attributes_are_answered_by_the_label_that_fits() -> None:
    """Every production attribute has a label; their order is that of the request."""
    found = wanted(asked("PROFANITY", "SPAM", "TOXICITY"), known=True, language="en")

    assert list(found.labels.items()) == [
        ("PROFANITY", Label.OBSCENE),
        ("SPAM", Label.SPAM),
        ("TOXICITY", Label.TOXICITY),
    ]
    assert found.languages == found.detected == ["en"]
    assert len(ATTRIBUTES) == 37
    assert len(SUPPORTED) == 16
    assert set(SUPPORTED.values()) == set(Label)


def test_an_attribute_without_a_label_is_refused_in_a_way_clients_go_on_after() -> None:
    """Many drop an attribute whose language is not supported and ask again."""
    told = refusal(asked("TOXICITY", "FLIRTATION"))

    assert told["errorType"] == UNSUPPORTED
    assert told["languageNotSupportedByAttributeError"] == {
        "attribute": "FLIRTATION",
        "detectedLanguages": ["en"],
    }


@pytest.mark.parametrize("name", ["CONSTRUCTIVE", "FEARMONGERING", "MORAL_OUTRAGE", "POWER_APPEAL"])
def test_what_perspective_measures_besides_is_known(name: str) -> None:
    """Its later attributes are none that it does not have, which no client goes on after."""
    request = asked("TOXICITY_FAST", f"{name}_EXPERIMENTAL", drop_unsupported_attributes=True)

    assert wanted(request, known=True, language="en").labels == {"TOXICITY_FAST": Label.TOXICITY}
    assert refusal(asked(f"{name}_EXPERIMENTAL"))["errorType"] == UNSUPPORTED


def test_a_site_or_a_client_may_have_such_attributes_left_out() -> None:
    """The site by its setting, a client by dropUnsupportedAttributes."""
    by_site = wanted(
        asked("TOXICITY", "FLIRTATION"),
        known=True,
        language="en",
        setting=PerspectiveSetting(omit_attributes=True),
    )
    by_client = wanted(
        asked("TOXICITY", "FLIRTATION", drop_unsupported_attributes=True),
        known=True,
        language="en",
    )

    assert list(by_site.labels) == list(by_client.labels) == ["TOXICITY"]


def test_a_requested_language_has_to_be_the_models() -> None:
    """The refusal names the attribute and the languages that were requested."""
    told = refusal(asked("TOXICITY", languages=["en-GB", "th"]))

    assert told == {
        "@type": "type.googleapis.com/google.commentanalyzer.v1alpha1.Error",
        "errorType": UNSUPPORTED,
        "languageNotSupportedByAttributeError": {
            "attribute": "TOXICITY",
            "requestedLanguages": ["th"],
        },
    }
    with pytest.raises(PerspectiveRefused, match="TOXICITY does not support request languages: th"):
        wanted(asked("TOXICITY", languages=["th"]), known=True, language="en")


def test_a_requested_language_is_believed() -> None:
    """Three foreign words in an English comment are no reason to refuse it."""
    found = wanted(asked("TOXICITY", languages=["en"], text=GERMAN), known=False, language="en")

    assert found.languages == ["en"]
    assert found.detected == []


def test_a_foreign_script_is_detected_and_refused() -> None:
    """Only the script can be told; the tag says that the language is undetermined."""
    told = refusal(asked("TOXICITY", text=RUSSIAN), known=False)

    assert told["languageNotSupportedByAttributeError"]["detectedLanguages"] == ["und-Cyrl"]


def test_a_foreign_script_is_refused_whatever_the_model_knows() -> None:
    """Of a short comment a model is in doubt, and takes it for known."""
    told = refusal(asked("TOXICITY", text="ты дурак"), known=True)
    scored = wanted(
        asked("TOXICITY", text="ты дурак"),
        known=True,
        language="en",
        setting=PerspectiveSetting(any_language=True),
    )
    requested = wanted(
        asked("TOXICITY", text="ты дурак", languages=["en"]), known=True, language="en"
    )

    assert told["languageNotSupportedByAttributeError"]["detectedLanguages"] == ["und-Cyrl"]
    assert list(scored.labels) == list(requested.labels) == ["TOXICITY"]
    assert requested.detected == ["und-Cyrl"]


def test_foreign_words_in_latin_letters_are_not_detected() -> None:
    """What the model does not know is in no language that can be named."""
    told = refusal(asked("TOXICITY", text=GERMAN), known=False)

    assert told["errorType"] == "LANGUAGE_DETECTION_FAILED"


def test_a_model_of_which_nobody_said_the_language_is_asked_about_none() -> None:
    """An operator's own pipeline: whoever chose it knows what it is good for."""
    requested = wanted(asked("TOXICITY", languages=["de"]), known=True, language=None)
    detected = wanted(asked("TOXICITY", text=GERMAN), known=True, language=None)

    assert list(requested.labels) == list(detected.labels) == ["TOXICITY"]
    assert (requested.languages, detected.languages) == (["de"], [])


def test_a_site_may_have_any_language_scored() -> None:
    """Then a client asks for it at its own risk, and is told what was detected."""
    setting = PerspectiveSetting(any_language=True)

    requested = wanted(
        asked("TOXICITY", languages=["de"]), known=False, language="en", setting=setting
    )
    undetected = wanted(asked("TOXICITY", text=GERMAN), known=False, language="en", setting=setting)

    assert list(requested.labels) == list(undetected.labels) == ["TOXICITY"]
    assert requested.languages == ["de"]
    assert undetected.languages == []


def test_the_refusal_has_a_body_that_names_what_clients_search_for() -> None:
    """They look for the word anywhere in the error."""
    with pytest.raises(PerspectiveRefused) as caught:
        wanted(asked("TOXICITY", languages=["th"]), known=True, language="en")

    assert UNSUPPORTED.encode() in refusals.body(caught.value)
