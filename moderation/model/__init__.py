"""The classifier: features, scores, explanations, its bundle; how it is trained and measured."""
