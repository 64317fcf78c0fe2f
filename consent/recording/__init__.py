"""Use cases of the site: notices out, choices in, standings and proofs back."""
