-- Events that other programs hand in: the table is made anew, since SQLite cannot change a check.

CREATE TABLE event_wider (
  id INTEGER PRIMARY KEY,
  target TEXT NOT NULL,
  first_ns INTEGER NOT NULL,   -- when the first of them arrived
  last_ns INTEGER NOT NULL,    -- when the last of them arrived
  count INTEGER NOT NULL,      -- how many there were that said the same within a minute
  kind TEXT NOT NULL CHECK (kind IN ('trap', 'inform', 'syslog', 'hook')),
  source TEXT NOT NULL,        -- address; of a hook its token's name
  name TEXT NOT NULL,          -- as the catalogue calls it; of a hook its own
  severity TEXT NOT NULL CHECK (severity IN ('critical', 'warning', 'info')),
  text TEXT NOT NULL,
  proven INTEGER NOT NULL      -- 1: from an SNMPv3 user with a key, or a program with a token
) STRICT;

INSERT INTO event_wider SELECT * FROM event;
DROP TABLE event;
ALTER TABLE event_wider RENAME TO event;
CREATE INDEX event_of ON event (target, id);
CREATE INDEX event_by_time ON event (last_ns);
