"""The append-only log of a site: tree, checkpoints, tiles."""
