"""What the pages know: states from the daemon's memory, everything else read from its files."""
