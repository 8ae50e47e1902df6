"""Alerting: incidents, and the messages that tell people of them."""
