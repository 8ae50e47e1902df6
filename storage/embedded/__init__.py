"""The metric store in one SQLite file: a journal of points, packed into chunks of an hour, rolled up into days."""
