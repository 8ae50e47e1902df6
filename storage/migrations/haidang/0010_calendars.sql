-- Calendars of meetings as they were read last: what is known while one is away. Times: UTC nanoseconds.
CREATE TABLE conference_calendar (
  id TEXT PRIMARY KEY,         -- in the configuration
  place TEXT NOT NULL,         -- where it was read: another place is another calendar
  body BLOB NOT NULL,          -- as it was read
  read_ns INTEGER NOT NULL,    -- when it was read last
  tried_ns INTEGER NOT NULL,   -- when that was tried last
  fault TEXT NOT NULL          -- why it could not be read then; empty: it was
) STRICT, WITHOUT ROWID;
