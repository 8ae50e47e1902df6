-- Who is told and that it arrives: stand-ins, silences, escalation, digests, drills, the audit log. Times: UTC nanoseconds.

-- Somebody stands in for whoever the rota has. Called off: the two last columns are filled, nothing else ever changes.
CREATE TABLE duty_override (
  id INTEGER PRIMARY KEY,
  rota TEXT NOT NULL,
  person TEXT NOT NULL,        -- contact
  start_ns INTEGER NOT NULL,
  end_ns INTEGER NOT NULL CHECK (end_ns > start_ns),
  reason TEXT NOT NULL,
  author TEXT NOT NULL,
  created_ns INTEGER NOT NULL,
  cancelled_ns INTEGER,
  cancelled_by TEXT NOT NULL DEFAULT ''
) STRICT;

-- Nobody is told of something until a time; everything is recorded and told then if it still lasts.
CREATE TABLE silence (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('target', 'site', 'circuit', 'carrier', 'system')),
  name TEXT NOT NULL,
  start_ns INTEGER NOT NULL,
  end_ns INTEGER NOT NULL CHECK (end_ns > start_ns),
  reason TEXT NOT NULL,
  author TEXT NOT NULL,
  created_ns INTEGER NOT NULL,
  cancelled_ns INTEGER,
  cancelled_by TEXT NOT NULL DEFAULT ''
) STRICT;

-- An incident on its way through one route: a timer that survives the daemon.
CREATE TABLE escalation (
  incident INTEGER NOT NULL REFERENCES incident (id),
  route TEXT NOT NULL,         -- id of the route; empty: those who are told of everything
  policy TEXT NOT NULL,        -- JSON: the steps as they were when it began
  began_ns INTEGER NOT NULL,   -- the steps' ages count from here
  done INTEGER NOT NULL,       -- steps that were told
  due_ns INTEGER,              -- when to look again; NULL: over
  set_ns INTEGER NOT NULL,     -- when that was planned: a clock that shows less was set back
  PRIMARY KEY (incident, route)
) STRICT, WITHOUT ROWID;
CREATE INDEX escalation_due ON escalation (due_ns) WHERE due_ns IS NOT NULL;

-- What waits for a daily list.
CREATE TABLE digest (
  id INTEGER PRIMARY KEY,
  incident INTEGER NOT NULL REFERENCES incident (id),
  step TEXT NOT NULL,
  recipients TEXT NOT NULL,    -- JSON: contacts and rotas
  at_ns INTEGER NOT NULL,
  due_ns INTEGER NOT NULL,
  told_ns INTEGER
) STRICT;
CREATE INDEX digest_due ON digest (due_ns) WHERE told_ns IS NULL;

-- One drill message: to whom, by which way, and whether it was acknowledged in time.
CREATE TABLE drill (
  id INTEGER PRIMARY KEY,
  day TEXT NOT NULL,           -- date in the configuration's zone
  duty TEXT NOT NULL,          -- the rota or contact that is drilled
  contact TEXT NOT NULL,
  channel TEXT NOT NULL,
  address TEXT NOT NULL,
  message_id TEXT NOT NULL DEFAULT '',
  began_ns INTEGER NOT NULL,
  due_ns INTEGER NOT NULL,
  acknowledged_ns INTEGER,
  missed_ns INTEGER            -- when others were told that it was not
) STRICT;
CREATE UNIQUE INDEX drill_once ON drill (day, duty, contact, channel, address);

-- What people changed. Each row's hash covers the row and the hash before it.
CREATE TABLE audit (
  id INTEGER PRIMARY KEY,
  at_ns INTEGER NOT NULL,
  kind TEXT NOT NULL,
  author TEXT NOT NULL,
  data TEXT NOT NULL,          -- canonical JSON
  hash TEXT NOT NULL           -- SHA-256, hexadecimal
) STRICT;

-- A contact's further ways, and when the next of them is taken if this one has not delivered; NULL: it was, or none is.
ALTER TABLE notification ADD COLUMN ways TEXT NOT NULL DEFAULT '[]';
ALTER TABLE notification ADD COLUMN second_ns INTEGER;
CREATE INDEX notification_second ON notification (second_ns) WHERE second_ns IS NOT NULL;
