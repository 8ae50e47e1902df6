"""Meetings by video: when they are, and whether each room can take part."""
