"""Probes: one file per protocol; each sends something and tells what came back, and never stores or alerts."""
