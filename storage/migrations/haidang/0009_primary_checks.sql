-- Which check says whether a target is there, from when on: a row whenever that becomes another one. Moved only with a
-- wrong clock. What was before this table the daemon takes over from the snapshots when it starts.
CREATE TABLE primary_check (
  target TEXT NOT NULL,
  from_ns INTEGER NOT NULL,
  probe TEXT NOT NULL,
  PRIMARY KEY (target, from_ns)
) STRICT, WITHOUT ROWID;
