"""Use cases of the auditor: records, figures, evidence out and in, and whether it all accords."""
