"""What a text is to whoever scores and matches it: normalised, undisguised, its links."""
