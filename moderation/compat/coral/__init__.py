"""Coral's external moderation phase: what Coral posts, and what it may be answered."""
