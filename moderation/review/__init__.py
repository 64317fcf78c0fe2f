"""People decide: the queue, the context of a decision, and the use cases around them."""
