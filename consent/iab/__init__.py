"""Strings of the IAB, decoded and never made: TCF and GPP."""
