-- What the accounts of availability need beside the intervals. Rows are only ever added, except where it says so.

-- Since when a check is watched: before that there is nothing to be unknown about. Moved only with a wrong clock.
CREATE TABLE watched (
  target TEXT NOT NULL,
  probe TEXT NOT NULL,
  since_ns INTEGER NOT NULL,
  PRIMARY KEY (target, probe)
) STRICT, WITHOUT ROWID;
INSERT INTO watched SELECT target, probe, min(start_ns) FROM interval WHERE retracted_ns IS NULL GROUP BY target, probe;

-- Maintenance, planned before or written down afterwards. It never changes an interval.
CREATE TABLE maintenance (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('target', 'site', 'circuit', 'carrier', 'system')),
  name TEXT NOT NULL,          -- of the thing of that kind
  start_ns INTEGER NOT NULL,   -- of the first occurrence
  end_ns INTEGER NOT NULL CHECK (end_ns > start_ns),
  rule TEXT NOT NULL,          -- RFC 5545 RRULE; empty: once
  zone TEXT NOT NULL,          -- whose wall clock a rule follows
  excluded INTEGER NOT NULL,   -- 1: agreed not to count
  reason TEXT NOT NULL,
  author TEXT NOT NULL,
  created_ns INTEGER NOT NULL
) STRICT;

CREATE TABLE maintenance_cancel (
  maintenance INTEGER PRIMARY KEY REFERENCES maintenance (id),
  from_ns INTEGER NOT NULL,    -- what lies after this never was
  reason TEXT NOT NULL,
  author TEXT NOT NULL,
  created_ns INTEGER NOT NULL
) STRICT;

-- What a person put right: the last row about a moment has the last word.
CREATE TABLE correction (
  id INTEGER PRIMARY KEY,
  target TEXT NOT NULL,
  probe TEXT NOT NULL,
  start_ns INTEGER NOT NULL,
  end_ns INTEGER NOT NULL CHECK (end_ns > start_ns),
  state TEXT NOT NULL CHECK (state IN ('up', 'down', 'unknown')),
  reason TEXT NOT NULL,
  author TEXT NOT NULL,
  created_ns INTEGER NOT NULL
) STRICT;
CREATE INDEX correction_of ON correction (target, probe, id);

-- When an outage was reported to whoever owes the service: contracts count from here.
CREATE TABLE ticket (
  id INTEGER PRIMARY KEY,
  target TEXT NOT NULL,
  at_ns INTEGER NOT NULL,
  reference TEXT NOT NULL,
  author TEXT NOT NULL,
  created_ns INTEGER NOT NULL
) STRICT;
CREATE INDEX ticket_of ON ticket (target, at_ns);

-- Every forecast that was made, so that it can be held against what came.
CREATE TABLE forecast (
  id INTEGER PRIMARY KEY,
  made_ns INTEGER NOT NULL,
  objective TEXT NOT NULL,
  target TEXT NOT NULL,
  period TEXT NOT NULL,
  miss REAL NOT NULL CHECK (miss BETWEEN 0 AND 1),
  left_s REAL NOT NULL,        -- of the budget when it was made
  outages INTEGER NOT NULL     -- pooled ones it was made from
) STRICT;
CREATE INDEX forecast_of ON forecast (objective, target, period, made_ns);
