"""The commands, grouped as people meet them: running, configuring, probing by hand, reading what is on record."""
