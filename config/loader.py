"""Loads a configuration: read the files, check each section, check them against each other. All errors, or a result."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as Mapping_
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from config import crosscheck, crosscheck_alerting, profile_files
from config.configuration import Configuration
from config.crosscheck import Item
from config.document import top_value
from config.errors import ConfigError, ConfigurationInvalid, Hints, shown
from config.files import Files, Source
from config.inventory import AnySection, Things, resolve
from config.messages import explain, is_about_absence
from config.schema.document import SETTINGS, Document, Included
from config.schema.objectives import Objective
from config.schema.oncall import Rota
from config.schema.things import LISTS, Circuit, Contact, Credential, Risk, Site, System, Target
from config.schema.values import Section
from config.source import LARGEST_FILE, Unreadable, decode, read_bytes
from config.tree import List, Mapping, Refused


def load(path: Path) -> Configuration:
    """Load and check a configuration.

    Parameters:
        path: the main file.

    Raises:
        ConfigurationInvalid: with everything that is wrong. Nothing else is raised, whatever the files hold.
    """
    return _Loading(path).result()


def language_of(path: Path) -> str:
    """Return the language a configuration chooses, without reading more of it; whatever else is wrong with it.

    Parameters:
        path: the main file.
    """
    usual: str = Document.model_fields["language"].default
    try:
        said = top_value(decode(read_bytes(path, LARGEST_FILE)), "language")
    except Unreadable:
        return usual
    return said if said in ("vi", "en") else usual


@dataclass(frozen=True, slots=True)
class Written:
    """A configuration as it was written, for whoever changes it.

    Parameters:
        configuration: ``None`` when something is wrong with it.
        items: every item of the list sections, in the order of the files, with its place.
        files: every file that was read, the main one first.
        errors: everything that is wrong.
    """

    configuration: Configuration | None
    items: tuple[Item, ...]
    files: tuple[Path, ...]
    errors: tuple[ConfigError, ...]


def read_written(path: Path, instead: Mapping_[str, bytes] | None = None) -> Written:
    """Load and check a configuration and keep what was written; nothing is raised.

    Parameters:
        path: the main file.
        instead: what is read in place of files, by their real path.
    """
    loading = _Loading(path, instead)
    try:
        configuration = loading.result()
    except ConfigurationInvalid as invalid:
        return Written(None, *loading.written(), invalid.errors)
    return Written(configuration, *loading.written(), ())


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration with what was read for it, to tell where things come from.

    Parameters:
        configuration: the result.
        settings, things: the main file's settings and all lists, as written.
        items: of all lists, each with its place.
        main: the main file.
    """

    configuration: Configuration
    settings: Document
    things: Things
    items: tuple[Item, ...]
    main: Source


def load_with_places(path: Path) -> Loaded:
    """Load as `load`, and keep what is needed to say where a setting comes from. Raises the same."""
    loading = _Loading(path)
    return loading.with_places(loading.result())


def check(path: Path) -> list[ConfigError]:
    """Return what is wrong with a configuration, in the order of the files and lines; empty when nothing is."""
    try:
        load(path)
    except ConfigurationInvalid as invalid:
        return list(invalid.errors)
    return []


class _Loading:
    """One load: collects errors on the way."""

    def __init__(self, path: Path, instead: Mapping_[str, bytes] | None = None) -> None:
        self._path = path
        self._files = Files(path, instead)
        self._errors = self._files.errors
        self._hints = Hints()
        self._items: list[Item] = []
        self._settings: Document | None = None

    def written(self) -> tuple[tuple[Item, ...], tuple[Path, ...]]:
        """Return the items and the files as they were read."""
        return tuple(self._items), tuple(self._files.order)

    def result(self) -> Configuration:
        """Check everything and build the result."""
        for source in self._files.sources:
            self._check_file(source)
        if self._files.sources and self._files.sources[0].path == self._path:
            self._cross_check(self._files.sources[0])
        profiles = self._profiles()
        if self._errors or self._settings is None:
            raise ConfigurationInvalid(self._ordered(self._errors))
        settings, things = self._settings, self._things()
        traps = settings.receivers.traps
        inventory = resolve(things, settings.probing, settings.confirmation, settings.roles)
        if unsettled := list(crosscheck.settled(self._items, inventory)):
            raise ConfigurationInvalid(self._ordered(unsettled))
        return Configuration(
            path=self._path,
            files=tuple(self._files.order),
            profiles=profiles,
            timezone=ZoneInfo(settings.timezone),
            language=settings.language,
            data_dir=Path(self._path.parent, settings.data_dir).absolute(),
            logging=settings.logging,
            storage=settings.storage,
            probing=settings.probing,
            confirmation=settings.confirmation,
            receivers=settings.receivers,
            trap_credentials=tuple(things.credentials[name] for name in (traps.credentials if traps else ())),
            alerting=settings.alerting,
            web=settings.web,
            reports=settings.reports,
            conferences=settings.conferences,
            netbox=settings.netbox,
            inventory=inventory,
        )

    def with_places(self, configuration: Configuration) -> Loaded:
        """Add what was read to the result."""
        if self._settings is None:
            raise ValueError("a configuration that was taken has settings")
        return Loaded(configuration, self._settings, self._things(), tuple(self._items), self._files.sources[0])

    def _check_file(self, source: Source) -> None:
        root = source.root
        # A section whose lines are all commented out is left with no value: as good as not there.
        head = root.without(set(LISTS) | {key for key, value in root.items() if value is None or _refused(value)})
        if source.path == self._path:
            self._settings = cast("Document | None", self._section(source, Document, head, ()))
        else:
            misplaced = [key for key in head if key in SETTINGS]
            for key in misplaced:
                mark = root.keys_at[key]
                message = "settings stand in the main file only; an included file holds lists"
                self._errors.append(ConfigError(source.path, mark.line, mark.column, key, message))
            self._section(source, Included, head.without(set(misplaced)), ())
        for kind, model in LISTS.items():
            self._list(source, kind, model)

    def _list(self, source: Source, kind: str, model: type[Section]) -> None:
        items = source.root.get(kind)
        if items is None or _refused(items):
            return
        if not isinstance(items, List):
            self._errors.append(
                source.error([kind], f"{shown(items)} where a list is expected: begin each item with '- '")
            )
            return
        for index, raw in enumerate(items):
            place = (kind, index)
            if isinstance(raw, Mapping):
                self._items.append(Item(kind, source, place, raw, self._section(source, model, raw, place)))
            elif not _refused(raw):
                self._errors.append(source.error([*place], f"{shown(raw)} where a mapping is expected: {{id: …}}"))

    def _section(
        self, source: Source, model: type[Section], raw: Mapping, place: tuple[str | int, ...]
    ) -> Section | None:
        """Check one section; when keys are wrong, check what remains without them as well.

        So the checks of a whole section, and those across sections, find their errors in the same run.
        """
        context = {"folder": str(source.path.parent)}
        for first in (True, False, False):
            try:
                return model.model_validate(raw, context=context)
            except ValidationError as invalid:
                wrong: set[str] = set()
                for error in invalid.errors(include_url=False):
                    finding = explain(error, model, source.root, place, self._hints)
                    # Later rounds miss the keys that were taken out: what they say of missing ones is not the author's.
                    if finding is not None and (first or not is_about_absence(error)):
                        mark, path, message, hint = finding
                        self._errors.append(ConfigError(source.path, mark.line, mark.column, path, message, hint))
                    if error["loc"]:
                        wrong.add(str(error["loc"][0]))
                if not wrong or not wrong <= raw.keys():  # a key is missing, or the section as a whole is wrong
                    return None
                raw = raw.without(wrong)
        return None

    def _cross_check(self, main: Source) -> None:
        self._errors += crosscheck.duplicates(self._items)
        self._errors += crosscheck.circles(self._items, "sites", "parent")
        self._errors += crosscheck.circles(self._items, "targets", "parents", "needs")
        if self._files.complete:
            self._errors += crosscheck.dangling(self._items, self._hints)
            self._errors += crosscheck.objectives(self._items, self._hints)
            self._errors += crosscheck_alerting.alerting(main, self._items, self._hints)
            self._errors += crosscheck.reports(main, self._items, self._hints)
            self._errors += crosscheck.meetings(main, self._items, self._hints)
            self._errors += crosscheck.pages(main, self._items, self._hints)
            self._errors += crosscheck.receivers(main, self._items, self._hints)
        if self._settings is not None:
            self._errors += crosscheck.probing(main, self._settings.probing)
            self._errors += crosscheck.targets(self._items, self._settings.probing)

    def _profiles(self) -> tuple[Path, ...]:
        """Find the operator's own device profiles and check them together with the shipped ones."""
        if self._settings is None or not self._settings.probing.profiles:
            return ()
        paths = self._files.named(self._files.sources[0], ["probing", "profiles"])
        try:
            profile_files.load(paths)
        except ConfigurationInvalid as invalid:
            self._errors += invalid.errors
        return tuple(paths)

    def _things(self) -> Things:
        return Things(
            credentials=self._of(Credential),
            systems=self._of(System),
            sites=self._of(Site),
            circuits=self._of(Circuit),
            targets=self._of(Target),
            contacts=self._of(Contact),
            rotas=self._of(Rota),
            objectives=self._of(Objective),
            risks=self._of(Risk),
        )

    def _of(self, model: type[AnySection]) -> dict[str, AnySection]:
        return {item.id: item.model for item in self._items if isinstance(item.model, model)}

    def _ordered(self, errors: Iterable[ConfigError]) -> list[ConfigError]:
        rank = {path: number for number, path in enumerate(self._files.order)}
        unique = dict.fromkeys(errors)
        return sorted(unique, key=lambda error: (rank.get(error.file, 0), error.line, error.column))


def _refused(value: object) -> bool:
    return isinstance(value, Refused)
