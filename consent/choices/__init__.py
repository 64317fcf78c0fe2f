"""The words and rules of consent, pure: choices, notices, events, where they lead, which law."""
