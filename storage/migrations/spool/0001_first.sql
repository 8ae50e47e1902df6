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

-- Kept up here, because adding up a spool of days each second would read all of it.
INSERT INTO counter (name, value) VALUES ('spooled_points', 0), ('spooled_bytes', 0);

CREATE TRIGGER batch_came AFTER INSERT ON batch BEGIN
  UPDATE counter SET value = value + new.points WHERE name = 'spooled_points';
  UPDATE counter SET value = value + new.size WHERE name = 'spooled_bytes';
END;

CREATE TRIGGER batch_went AFTER DELETE ON batch BEGIN
  UPDATE counter SET value = value - old.points WHERE name = 'spooled_points';
  UPDATE counter SET value = value - old.size WHERE name = 'spooled_bytes';
END;
