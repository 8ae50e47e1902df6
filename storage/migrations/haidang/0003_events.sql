-- What devices told by themselves: traps, informs, log messages. Nothing here is proof of a state; people read it.
CREATE TABLE event (
  id INTEGER PRIMARY KEY,
  target TEXT NOT NULL,
  first_ns INTEGER NOT NULL,   -- when the first of them arrived
  last_ns INTEGER NOT NULL,    -- when the last of them arrived
  count INTEGER NOT NULL,      -- how many there were that said the same within a minute
  kind TEXT NOT NULL CHECK (kind IN ('trap', 'inform', 'syslog')),
  source TEXT NOT NULL,        -- address
  name TEXT NOT NULL,          -- as the catalogue calls it
  severity TEXT NOT NULL CHECK (severity IN ('critical', 'warning', 'info')),
  text TEXT NOT NULL,
  proven INTEGER NOT NULL      -- 1: from an SNMPv3 user with a key
) STRICT;
CREATE INDEX event_of ON event (target, id);
CREATE INDEX event_by_time ON event (last_ns);
