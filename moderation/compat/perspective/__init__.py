"""Perspective's Comment Analyzer API, version v1alpha1: what its clients send and expect."""
