-- What was watched and promised, whenever it changed: reports tell which site came, which went, which objective changed.
CREATE TABLE snapshot (
  id INTEGER PRIMARY KEY,
  at_ns INTEGER NOT NULL,
  sha256 TEXT NOT NULL,        -- of the document
  document BLOB NOT NULL       -- JSON, zlib
) STRICT;
CREATE INDEX snapshot_by_time ON snapshot (at_ns);
