"""The service, the command and the client: the only package that knows both domains and the world."""
