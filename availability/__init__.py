"""Availability: what is up, what is down because of what, and what it costs the month."""
