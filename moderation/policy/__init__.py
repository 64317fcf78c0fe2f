"""What a site wants done: its rules and thresholds, what they look at, and their versions."""
