"""Configuration: the schema, loading and checking it, the inventory of what is watched."""
