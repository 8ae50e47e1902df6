"""The lab: a digital twin of a province's network, to run, test, drill and measure against."""
