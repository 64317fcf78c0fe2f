"""The HTTP side of moderation: parse, call one use case, render; a file a subject."""
