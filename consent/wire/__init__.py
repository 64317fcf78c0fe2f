"""The one door for consent's JSON: strict models in, plain bytes out; a file a subject."""
