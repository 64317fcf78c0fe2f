"""The service and the command: the only package that knows both domains and the world."""
