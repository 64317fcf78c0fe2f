"""What a client of Google's needs to know to call us: a Google API discovery document.

Pure. Only the address is ours: names, paths and messages are Perspective's, because the client
builds its methods from them. See https://developers.google.com/discovery/v1/reference/apis.
"""

from typing import Any

import orjson

VERSION = "v1alpha1"

_SCORE_TYPES = ["SCORE_TYPE_UNSPECIFIED", "PROBABILITY", "STD_DEV_SCORE", "PERCENTILE", "RAW"]
_TEXT_TYPES = ["TEXT_TYPE_UNSPECIFIED", "PLAIN_TEXT", "HTML"]


def _text(description: str, choices: list[str] | None = None) -> dict[str, Any]:
    said: dict[str, Any] = {"type": "string", "description": description}
    if choices:
        said["enum"] = choices
        said["enumDescriptions"] = [""] * len(choices)
    return said


def _flag(description: str) -> dict[str, Any]:
    return {"type": "boolean", "description": description}


def _number(description: str, kind: str = "number", form: str = "float") -> dict[str, Any]:
    return {"type": kind, "format": form, "description": description}


def _one(schema: str, description: str) -> dict[str, Any]:
    return {"$ref": schema, "description": description}


def _list(items: dict[str, Any], description: str) -> dict[str, Any]:
    return {"type": "array", "items": items, "description": description}


def _map(schema: str, description: str) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": {"$ref": schema},
        "description": description,
    }


def _texts(description: str) -> dict[str, Any]:
    return _list({"type": "string"}, description)


_PROPERTIES: dict[str, dict[str, Any]] = {
    "AnalyzeCommentRequest": {
        "comment": _one("TextEntry", "The comment to analyse."),
        "context": _one("Context", "What the comment refers to; it does not change a score."),
        "requestedAttributes": _map("AttributeParameters", "The attributes to score, by name."),
        "languages": _texts("The languages of the comment; detected where none is given."),
        "doNotStore": _flag("Score the comment and forget it: nobody will review it."),
        "dropUnsupportedAttributes": _flag("Leave out what cannot be scored."),
        "spanAnnotations": _flag("Score every sentence, too."),
        "clientToken": _text("Comes back as it is; the name under which the comment is stored."),
        "sessionId": _text("Accepted, and not used."),
        "communityId": _text("Where the comment was written."),
    },
    "AnalyzeCommentResponse": {
        "attributeScores": _map("AttributeScores", "The scores, by attribute."),
        "languages": _texts("The languages that the comment was taken to be in."),
        "detectedLanguages": _texts("The languages that were detected."),
        "clientToken": _text("The token of the request."),
    },
    "SuggestCommentScoreRequest": {
        "comment": _one("TextEntry", "The comment that is judged."),
        "context": _one("Context", "What the comment refers to."),
        "attributeScores": _map("AttributeScores", "What the scores should be: 0 or 1."),
        "languages": _texts("The languages of the comment."),
        "clientToken": _text("Comes back as it is; the name under which the comment is stored."),
        "sessionId": _text("Accepted, and not used."),
        "communityId": _text("Where the comment was written."),
    },
    "SuggestCommentScoreResponse": {
        "clientToken": _text("The token of the request."),
        "detectedLanguages": _texts("The languages that were detected."),
        "requestedLanguages": _texts("The languages of the request."),
    },
    "TextEntry": {
        "text": _text("The text, at most 20 KB in UTF-8."),
        "type": _text("What the text is; only plain text is taken.", _TEXT_TYPES),
    },
    "Context": {
        "entries": _list({"$ref": "TextEntry"}, "Earlier messages."),
        "articleAndParentComment": _one("ArticleAndParentComment", "The article and the parent."),
    },
    "ArticleAndParentComment": {
        "article": _one("TextEntry", "What was commented on."),
        "parentComment": _one("TextEntry", "What was replied to."),
    },
    "AttributeParameters": {
        "scoreType": _text("Only probabilities are given.", _SCORE_TYPES),
        "scoreThreshold": _number("Scores below it are left out."),
    },
    "AttributeScores": {
        "summaryScore": _one("Score", "The score of the whole comment."),
        "spanScores": _list({"$ref": "SpanScore"}, "The scores of its parts."),
    },
    "SpanScore": {
        "begin": _number("Where the part begins, in UTF-16 code units.", "integer", "int32"),
        "end": _number("Where it ends; this unit is outside.", "integer", "int32"),
        "score": _one("Score", "The score of the part."),
    },
    "Score": {
        "value": _number("A probability."),
        "type": _text("What the value is.", _SCORE_TYPES),
    },
}


def _query(description: str, **more: object) -> dict[str, Any]:
    return {"type": "string", "location": "query", "description": description, **more}


_PARAMETERS = {
    "key": _query("An API key of the site."),
    "access_token": _query("Accepted, and not used."),
    "oauth_token": _query("Accepted, and not used."),
    "alt": _query(
        "Only JSON is answered.",
        default="json",
        enum=["json", "media", "proto"],
        enumDescriptions=["JSON", "", ""],
    ),
    "callback": _query("Accepted, and not used."),
    "fields": _query("Accepted, and not used."),
    "prettyPrint": _query("Accepted, and not used.", type="boolean", default="true"),
    "quotaUser": _query("Accepted, and not used."),
    "uploadType": _query("Accepted, and not used."),
    "upload_protocol": _query("Accepted, and not used."),
    "$.xgafv": _query("Accepted, and not used.", enum=["1", "2"], enumDescriptions=["", ""]),
}


def _method(name: str, message: str, description: str) -> dict[str, Any]:
    path = f"{VERSION}/comments:{name}"
    return {
        "id": f"commentanalyzer.comments.{name}",
        "path": path,
        "flatPath": path,
        "httpMethod": "POST",
        "description": description,
        "parameters": {},
        "parameterOrder": [],
        "request": {"$ref": f"{message}Request"},
        "response": {"$ref": f"{message}Response"},
    }


def document(root_url: str) -> bytes:
    """Write the document for a service at *root_url*, which ends in a slash."""
    return orjson.dumps(
        {
            "kind": "discovery#restDescription",
            "discoveryVersion": "v1",
            "id": f"commentanalyzer:{VERSION}",
            "name": "commentanalyzer",
            "canonicalName": "Comment Analyzer",
            "version": VERSION,
            "title": "Perspective Comment Analyzer API, answered by aboveboard",
            "description": "Scores comments by a model that runs where the comments are.",
            "protocol": "rest",
            "rootUrl": root_url,
            "baseUrl": root_url,
            "servicePath": "",
            "basePath": "",
            "batchPath": "batch",
            "version_module": True,
            "parameters": _PARAMETERS,
            "schemas": {
                name: {"id": name, "type": "object", "properties": properties}
                for name, properties in _PROPERTIES.items()
            },
            "resources": {
                "comments": {
                    "methods": {
                        "analyze": _method(
                            "analyze", "AnalyzeComment", "Scores a comment for attributes."
                        ),
                        "suggestscore": _method(
                            "suggestscore",
                            "SuggestCommentScore",
                            "Says what a comment's scores should be.",
                        ),
                    }
                }
            },
        }
    )
