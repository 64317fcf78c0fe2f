"""The HTTP side of consent: parse, call one use case, render; a file a subject."""
