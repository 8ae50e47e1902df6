-- What an incident is beside its failure: how bad, whose, who looks at it, what it went on in. Times: UTC nanoseconds.
ALTER TABLE incident ADD COLUMN severity TEXT NOT NULL DEFAULT 'minor'
  CHECK (severity IN ('warning', 'minor', 'major', 'critical'));
ALTER TABLE incident ADD COLUMN impact TEXT NOT NULL DEFAULT '{}'; -- JSON: what the severity was judged by
ALTER TABLE incident ADD COLUMN told_ns INTEGER;           -- when its first message was written; NULL: not yet
ALTER TABLE incident ADD COLUMN said_ns INTEGER;           -- when its newest message was written
ALTER TABLE incident ADD COLUMN again_ns INTEGER;          -- when the next message is due
ALTER TABLE incident ADD COLUMN pending TEXT NOT NULL DEFAULT ''; -- which step that tells; empty: that it lasts
ALTER TABLE incident ADD COLUMN reopened_ns INTEGER;       -- true start of the newest failure of one that was reopened
ALTER TABLE incident ADD COLUMN merged_into INTEGER REFERENCES incident (id); -- it goes on in this one
ALTER TABLE incident ADD COLUMN acknowledged_by TEXT NOT NULL DEFAULT '';
ALTER TABLE incident ADD COLUMN acknowledged_ns INTEGER;
ALTER TABLE incident ADD COLUMN acknowledged_until_ns INTEGER;
ALTER TABLE incident ADD COLUMN owner TEXT NOT NULL DEFAULT 'unknown'
  CHECK (owner IN ('unknown', 'carrier', 'power', 'own-works', 'third-party'));
ALTER TABLE incident ADD COLUMN owner_by TEXT NOT NULL DEFAULT ''; -- who said so; haidang: by the evidence
UPDATE incident SET told_ns = opened_ns;

CREATE INDEX incident_again ON incident (again_ns) WHERE again_ns IS NOT NULL;
CREATE INDEX incident_opened ON incident (opened_ns) WHERE resolved_ns IS NULL AND merged_into IS NULL;
CREATE INDEX incident_merged ON incident (merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX incident_apart ON incident (merged_into) WHERE merged_into IS NOT NULL AND resolved_ns IS NULL;
CREATE INDEX incident_of ON incident (target, probe, id);

CREATE INDEX incident_event_member ON incident_event (target, probe) WHERE kind = 'hidden';

-- What was found out when it failed: kept for the dispute, of each kind the first.
CREATE TABLE incident_evidence (
  incident INTEGER NOT NULL REFERENCES incident (id),
  kind TEXT NOT NULL,          -- samples, path, ports, events, others
  at_ns INTEGER NOT NULL,      -- when it was found out
  data TEXT NOT NULL,          -- JSON: a list of lines
  PRIMARY KEY (incident, kind)
) STRICT, WITHOUT ROWID;

CREATE INDEX interval_of_incident ON interval (incident) WHERE incident IS NOT NULL;
CREATE INDEX interval_failed ON interval (start_ns) WHERE state IN ('down', 'unreachable');
CREATE INDEX incident_told ON incident (told_ns) WHERE merged_into IS NULL;
