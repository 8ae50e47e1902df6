"""On call: who is on duty when, as pure computation, and as a calendar file."""
