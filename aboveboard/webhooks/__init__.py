"""Webhooks: a site is told of what happens, at an address of its own, by signed posts."""
