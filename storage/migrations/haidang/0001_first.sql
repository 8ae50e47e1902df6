-- haidang.db: what is true (the ledger), what was told to whom (incidents, outbox). Times: UTC nanoseconds since 1970.

-- One row a start of the daemon. The beat is written while it lives: what lies after the last beat of a run and
-- before the first sample of the next was not watched by anybody.
CREATE TABLE run (
  id INTEGER PRIMARY KEY,
  started_ns INTEGER NOT NULL,
  beat_ns INTEGER NOT NULL,
  stopped_ns INTEGER,          -- set by an orderly end
  version TEXT NOT NULL,
  says TEXT NOT NULL DEFAULT '{}'  -- JSON: what the daemon said of itself with its last beat
) STRICT;

CREATE TABLE incident (
  id INTEGER PRIMARY KEY,      -- the number people say on the phone
  target TEXT NOT NULL,
  probe TEXT NOT NULL,
  subject TEXT NOT NULL,       -- JSON: what it was called and where it stood when it failed
  reason TEXT NOT NULL,
  started_ns INTEGER NOT NULL, -- the failure's true start
  opened_ns INTEGER NOT NULL,  -- when it was confirmed
  ended_ns INTEGER,            -- the true end of the failure, when it is known
  resolved_ns INTEGER          -- when the end was confirmed
) STRICT;
CREATE UNIQUE INDEX incident_open ON incident (target, probe) WHERE resolved_ns IS NULL;

-- What happened in an incident, in order. Rows are only ever added.
CREATE TABLE incident_event (
  id INTEGER PRIMARY KEY,
  incident INTEGER NOT NULL REFERENCES incident (id),
  at_ns INTEGER NOT NULL,
  kind TEXT NOT NULL,          -- opened, again, hidden (a check behind it), state, resolved, closed
  text TEXT NOT NULL,
  target TEXT,                 -- of a hidden check
  probe TEXT
) STRICT;
CREATE INDEX incident_event_of ON incident_event (incident, id);
CREATE UNIQUE INDEX incident_member ON incident_event (incident, target, probe) WHERE kind = 'hidden';

-- The ledger. An interval that runs has no end. Closed intervals are never changed; one that a wrong clock made is
-- retracted: it stays for the record and counts no more.
CREATE TABLE interval (
  id INTEGER PRIMARY KEY,
  target TEXT NOT NULL,
  probe TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('up', 'degraded', 'down', 'unreachable', 'unknown', 'maintenance')),
  start_ns INTEGER NOT NULL,
  end_ns INTEGER CHECK (end_ns >= start_ns),
  confirmed_ns INTEGER NOT NULL,
  reason TEXT NOT NULL,
  cause_target TEXT,
  cause_probe TEXT,
  owner TEXT NOT NULL DEFAULT '',
  incident INTEGER REFERENCES incident (id),
  evidence TEXT NOT NULL DEFAULT '{}', -- JSON
  retracted_ns INTEGER                 -- when it was retracted
) STRICT;
CREATE UNIQUE INDEX interval_open ON interval (target, probe) WHERE end_ns IS NULL;
CREATE INDEX interval_of_check ON interval (target, probe, start_ns) WHERE retracted_ns IS NULL;
CREATE INDEX interval_by_end ON interval (end_ns);

-- The outbox: a message is here, on disk, before anything is sent, and stays for the record.
CREATE TABLE notification (
  id INTEGER PRIMARY KEY,
  incident INTEGER REFERENCES incident (id),
  step TEXT NOT NULL,          -- opened, resolved, closed
  contact TEXT NOT NULL,       -- id in the configuration
  channel TEXT NOT NULL,       -- mail
  address TEXT NOT NULL,
  language TEXT NOT NULL,
  message_id TEXT NOT NULL UNIQUE,
  payload TEXT NOT NULL,       -- JSON: what the channel needs, rendered when the step happened
  created_ns INTEGER NOT NULL,
  state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sending', 'sent', 'failed')),
  attempts INTEGER NOT NULL DEFAULT 0,
  next_ns INTEGER NOT NULL,    -- not before this time
  done_ns INTEGER,
  last_error TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX notification_waiting ON notification (channel, address, next_ns, id) WHERE state = 'waiting';
CREATE INDEX notification_of ON notification (incident, step);
