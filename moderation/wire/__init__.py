"""The one door for moderation's JSON: strict models in, plain bytes out; a file a subject."""
