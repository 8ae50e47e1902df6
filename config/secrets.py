"""Secrets live outside the configuration: it only says where. They are read when needed and kept nowhere."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from config.schema.values import Refusal, Section
from config.source import Unreadable, read_bytes

LARGEST_SECRET = 65536
_CURE = (
    "write it into a file only the daemon can read, e.g. "
    "(umask 077; printf %s 'SECRET' > secrets/NAME), and say {file: secrets/NAME}; "
    "{env: NAME} and {credential: NAME} do too"
)


class SecretUnavailable(Exception):
    """A secret cannot be read now; the text says which and what to do, never the secret."""


def beside_the_file(path: str, info: ValidationInfo) -> str:
    """Check a path: a relative one is relative to the file that says so."""
    if not path or "\0" in path:
        raise Refusal("a path is expected")
    folder = (info.context or {}).get("folder")
    return str(Path(folder, path).absolute()) if folder else path


def _environment_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,127}", name):
        raise Refusal("this is not the name of an environment variable: letters, digits and _ are allowed")
    return name


def _credential_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.:@-]{1,255}", name) or name in (".", ".."):
        raise Refusal("this is not the name of a systemd credential: letters, digits and . _ - : @ are allowed")
    return name


class Secret(Section):
    """Where a secret is: exactly one of a file, an environment variable, a systemd credential."""

    file: Annotated[str, AfterValidator(beside_the_file)] | None = Field(
        None, description="a file; relative paths are relative to the file that says so"
    )
    env: Annotated[str, AfterValidator(_environment_name)] | None = Field(None, description="an environment variable")
    credential: Annotated[str, AfterValidator(_credential_name)] | None = Field(
        None, description="a systemd credential (LoadCredential=), read from $CREDENTIALS_DIRECTORY"
    )

    @model_validator(mode="before")
    @classmethod
    def _not_in_clear(cls, value: object) -> object:
        if isinstance(value, str | int | float):
            # Never quote the value: this message goes to screens and logs.
            raise Refusal(f"a secret in clear, also a well-known one: {_CURE}")
        return value

    @model_validator(mode="after")
    def _one_place(self) -> Secret:
        if sum(place is not None for place in (self.file, self.env, self.credential)) != 1:
            raise Refusal("exactly one of {file: PATH}, {env: NAME}, {credential: NAME} is expected")
        return self

    def __str__(self) -> str:
        if self.file is not None:
            return f"file {self.file}"
        return f"environment variable {self.env}" if self.env is not None else f"systemd credential {self.credential}"

    def read(self) -> str:
        """Read the secret now; one newline at the end of a file is not part of it.

        Raises:
            SecretUnavailable: it is not there, may not be read, is empty or no text.
        """
        if self.env is not None:
            secret = os.environ.get(self.env, "")
        else:
            try:
                secret = read_bytes(self._path(), LARGEST_SECRET).decode("utf-8")
            except Unreadable as error:
                raise SecretUnavailable(f"{self}: {error.message}") from error
            except UnicodeDecodeError:
                raise SecretUnavailable(f"{self}: not UTF-8 text") from None
            secret = secret.removesuffix("\n").removesuffix("\r")
        if not secret:
            raise SecretUnavailable(f"{self}: {'not set, or empty' if self.env is not None else 'empty'}")
        return secret

    def weakness(self) -> str:
        """Say what is wrong with how the secret is kept, with the cure; empty when nothing is."""
        if self.file is None:
            return ""
        try:
            mode = Path(self.file).stat().st_mode
        except OSError:
            return ""
        if mode & (stat.S_IROTH | stat.S_IWOTH):
            return f"{self.file} can be read by everyone on this machine: chmod o= {self.file}"
        return ""

    def _path(self) -> Path:
        if self.file is not None:
            return Path(self.file)
        directory = os.environ.get("CREDENTIALS_DIRECTORY")
        if not directory:
            raise SecretUnavailable(f"{self}: not started by systemd with LoadCredential={self.credential}:PATH")
        return Path(directory, str(self.credential))
