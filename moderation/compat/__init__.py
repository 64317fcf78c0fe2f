"""The APIs of others, over the same screening, review and storage: their clients work here."""
