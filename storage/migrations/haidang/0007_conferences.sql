-- What was found of the rooms of a meeting, and when: each sheet once. Times: UTC nanoseconds.
CREATE TABLE conference_sheet (
  id INTEGER PRIMARY KEY,
  meeting TEXT NOT NULL,
  start_ns INTEGER NOT NULL,   -- of the meeting
  end_ns INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('readiness', 'quality')),
  before_s INTEGER NOT NULL,   -- how long before the meeting it was due; of its quality: 0
  made_ns INTEGER NOT NULL,
  rooms TEXT NOT NULL          -- JSON: what was found of each
) STRICT;
CREATE UNIQUE INDEX conference_sheet_once ON conference_sheet (meeting, start_ns, kind, before_s);
