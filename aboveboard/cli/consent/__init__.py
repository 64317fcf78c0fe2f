"""`aboveboard consent`: what visitors, auditors and operators do with the log."""
