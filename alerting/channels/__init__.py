"""Channels: the ways a message reaches a person, one file each."""
