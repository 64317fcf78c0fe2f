"""OpenAI's moderation endpoint: what its clients send and expect."""
