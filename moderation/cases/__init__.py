"""What becomes of a comment after its verdict: its events, its case, and where that one queues."""
