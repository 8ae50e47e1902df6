-- spool.db: points on their way to a remote store. A batch is deleted only after the store acknowledged it.

CREATE TABLE batch (
  id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used twice: the order of sending
  points INTEGER NOT NULL,
  oldest_ns INTEGER NOT NULL,
  size INTEGER NOT NULL,                 -- bytes of the body
  body BLOB NOT NULL                     -- line protocol, zlib
) STRICT;

-- Lines a store would not have, with its words.
CREATE TABLE dead_letter (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at_ns INTEGER NOT NULL,
  line TEXT NOT NULL,
  reason TEXT NOT NULL
) STRICT;

CREATE TABLE counter (
  name TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
