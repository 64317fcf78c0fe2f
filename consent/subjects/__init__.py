"""Use cases of the person: what is held of them, restricted, erased."""
