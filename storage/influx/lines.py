"""Points as line protocol. A series is escaped once and kept; values are written so that they come back unchanged.

Source: InfluxDB line protocol reference; checked against 1.6.7, which differs from the text in places named below.
"""

from __future__ import annotations

from math import isfinite

from haidang.model import FieldValue, Point, Series

_INTEGER = 1 << 63
_MOST_SERIES = 200_000
_MOST_TEXT = 60_000  # 64 KiB is the limit of a string field in 1.x and 2.x


class LineBuilder:
    """Builds lines and remembers the escaped form of series and field names. Used by one thread.

    Parameters:
        text_fields: ``False`` leaves text out: VictoriaMetrics would turn it into a number.
    """

    def __init__(self, *, text_fields: bool = True) -> None:
        self.text_fields = text_fields
        self.skipped = 0
        self._series: dict[Series, str] = {}
        self._fields: dict[str, str] = {}

    def line(self, point: Point) -> bytes | None:
        """Return a point's line with nanoseconds, ``None`` when no field can be written."""
        prefix = self._series.get(point.series) or self._prefix(point.series)
        names = self._fields
        parts: dict[str, str] = {}  # two names may be the same once they are tame
        for name, value in point.fields.items():
            if type(value) is float and isfinite(value):
                text = repr(value)
            elif type(value) is int and -_INTEGER <= value < _INTEGER:
                text = f"{value}i"
            else:
                other = self._other(value)
                if other is None:
                    self.skipped += 1
                    continue
                text = other
            parts[names.get(name) or self._field(name)] = text
        if not parts or not prefix:
            return None
        fields = ",".join([name + value for name, value in parts.items()])
        return f"{prefix} {fields} {point.time_ns}".encode("utf-8", "replace")

    def _other(self, value: FieldValue) -> str | None:
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            return f"{int(value)}i" if -_INTEGER <= value < _INTEGER else None
        if isinstance(value, float):
            return repr(float(value)) if isfinite(value) else None
        if isinstance(value, str) and self.text_fields:
            return quote(value[:_MOST_TEXT])
        return None

    def _prefix(self, series: Series) -> str:
        if len(self._series) >= _MOST_SERIES:
            self._series.clear()
        measurement = escape(series.measurement, ", ")
        if measurement.startswith("#"):  # would be a comment, and no version has an escape for it
            measurement = "_" + measurement[1:]
        # two keys may be the same once they are tame, and a key given twice is refused
        tags = {escape(key, ",= "): escape(value, ",= ") for key, value in sorted(series.tags) if key and value}
        prefix = measurement + "".join(f",{key}={tags[key]}" for key in sorted(tags))
        self._series[series] = prefix if measurement else ""
        return self._series[series]

    def _field(self, name: str) -> str:
        if len(self._fields) >= _MOST_SERIES:
            self._fields.clear()
        self._fields[name] = text = escape(name, ",= ") + "="
        return text


def escape(text: str, special: str) -> str:
    """Escape a measurement, tag or field name, or a tag value.

    A line break would end the line and becomes a blank. A backslash stands for itself, but not at the end, where it
    would escape the separator behind it, nor before a character that can be escaped: there a slash takes its place.
    """
    clean = _one_line(text)
    if "\\" in clean:
        clean = _harmless_backslashes(clean)
    for character in special:
        clean = clean.replace(character, "\\" + character)
    return clean


def _one_line(text: str) -> str:
    """Return text without line breaks and control characters, which some versions refuse or cut at."""
    if text.isprintable():
        return text
    return "".join(" " if character < " " or character == "\x7f" else character for character in text)


def _harmless_backslashes(text: str) -> str:
    characters = list(text)
    following: str | None = None
    for index in range(len(characters) - 1, -1, -1):
        if characters[index] == "\\" and (following is None or following in ',= \\"/'):
            characters[index] = "/"
        following = characters[index]
    return "".join(characters)


def quote(text: str) -> str:
    """Write a string field; only the quote and the backslash are escaped, a line break may stay.

    Line breaks become blanks all the same: the servers' words about a bad line name it by its text.
    """
    return '"' + _one_line(text).replace("\\", "\\\\").replace('"', '\\"') + '"'
