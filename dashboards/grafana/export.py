"""Dashboards as files that Grafana reads by itself: provisioning, which works alike in Grafana 10 to 13.

Source: Grafana's manual, "Provision Grafana". A ``$`` in a value is written ``$$`` there, and ``$__file{…}`` and
``$__env{…}`` are put in by Grafana when it reads: no secret is in these files.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from dashboards.grafana.boards import BOARDS
from dashboards.grafana.document import Writer
from dashboards.grafana.sources import UID, Store
from dashboards.grafana.words import words

FOLDER = "haidang"
"""The UID of the folder."""
PLACE = "/etc/grafana/provisioning"


def documents(store: Store, language: str, known: Iterable[str], source: str = UID) -> Iterator[dict[str, Any]]:
    """Write every dashboard.

    Parameters:
        store: what is asked.
        language: ``vi`` or ``en``.
        known: ids of the configured systems.
        source: UID of the data source.
    """
    writer = Writer(language, store.language, {"type": store.type, "uid": source}, known)
    return (writer.document(board) for board in BOARDS)


def files(store: Store, language: str, known: Iterable[str], place: str = PLACE) -> Iterator[tuple[str, str]]:
    """Write every file, as path and content.

    Parameters:
        store, language, known: see `documents`; the store's secrets are already what Grafana puts in their place.
        place: where Grafana will find the folder.
    """
    source = _doubled(store.source())
    source |= {"orgId": 1, "editable": False, "isDefault": False}
    if store.secrets():
        source["secureJsonData"] = dict(store.secrets())
    yield "datasources/haidang.yaml", _yaml({"apiVersion": 1, "datasources": [source]})
    provider = {
        "name": "haidang", "orgId": 1, "type": "file", "folder": words(language)["folder"], "folderUid": FOLDER,
        "disableDeletion": False, "allowUiUpdates": False, "updateIntervalSeconds": 30,
        "options": {"path": f"{place}/dashboards/haidang"},
    }  # fmt: skip
    yield "dashboards/haidang.yaml", _yaml({"apiVersion": 1, "providers": [provider]})
    for document in documents(store, language, known):
        name = f"dashboards/haidang/{document['uid']}.json"
        yield name, json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def export(folder: Path, written: Iterable[tuple[str, str]]) -> list[Path]:
    """Put the files under ``folder/provisioning``; what is there under the same names is replaced.

    Returns:
        the files.

    Raises:
        OSError: one cannot be written.
    """
    made = []
    for name, content in written:
        path = folder / "provisioning" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        made.append(path)
    return made


def _doubled(value: Any) -> Any:  # noqa: ANN401 whatever YAML holds
    """Keep Grafana from taking a ``$`` for the name of a variable."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, Mapping):
        return {name: _doubled(one) for name, one in value.items()}
    return value


def _yaml(content: Mapping[str, Any]) -> str:
    yaml = YAML(typ="safe")
    yaml.allow_unicode = True
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # its annotation says None only
    text = io.StringIO()
    yaml.dump(content, text)
    return text.getvalue()
