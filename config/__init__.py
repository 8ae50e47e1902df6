"""Configuration: the schema, loading and checking it, the inventory of what is watched."""

from config.by_hand import given_service, load_steps
from config.configuration import Configuration
from config.errors import ConfigError, ConfigurationInvalid
from config.inventory import Inventory, Target
from config.loader import Written, check, language_of, load, read_written
from config.schema.document import json_schema
from config.schema.services import SERVICES
from config.secrets import Secret, SecretUnavailable
from config.starter import StarterRefused, write_starter

__all__ = [
    "SERVICES",
    "ConfigError",
    "Configuration",
    "ConfigurationInvalid",
    "Inventory",
    "Secret",
    "SecretUnavailable",
    "StarterRefused",
    "Target",
    "Written",
    "check",
    "given_service",
    "json_schema",
    "language_of",
    "load",
    "load_steps",
    "read_written",
    "write_starter",
]
