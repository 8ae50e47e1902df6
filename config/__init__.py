"""Configuration: the schema, loading and checking it, the inventory of what is watched."""

from config.errors import ConfigError, ConfigurationInvalid
from config.inventory import Configuration, Difference, Inventory, Target
from config.loader import Written, check, load, read_written
from config.schema.document import json_schema
from config.secrets import Secret, SecretUnavailable
from config.starter import StarterRefused, write_starter

__all__ = [
    "ConfigError",
    "Configuration",
    "ConfigurationInvalid",
    "Difference",
    "Inventory",
    "Secret",
    "SecretUnavailable",
    "StarterRefused",
    "Target",
    "Written",
    "check",
    "json_schema",
    "load",
    "read_written",
    "write_starter",
]
