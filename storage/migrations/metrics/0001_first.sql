-- metrics.db: the embedded metric store. Times: UTC nanoseconds since 1970; hours and days are counted since 1970, UTC.

CREATE TABLE series (
  id INTEGER PRIMARY KEY,
  measurement TEXT NOT NULL,
  tags TEXT NOT NULL,          -- canonical JSON object: keys sorted, no blanks
  UNIQUE (measurement, tags)
) STRICT;

CREATE TABLE field (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;

-- Points as they came, one row a commit and hour. The directory says which series are inside, so that a reader of one
-- series passes over the body.
CREATE TABLE journal (
  id INTEGER PRIMARY KEY,
  hour INTEGER NOT NULL,
  directory BLOB NOT NULL,
  body BLOB NOT NULL
) STRICT;
CREATE INDEX journal_hour ON journal (hour);

-- One series' hour, packed by column. id = series * 2^20 + hour: neighbours in time are neighbours on disk.
CREATE TABLE chunk (
  id INTEGER PRIMARY KEY,
  body BLOB NOT NULL
) STRICT;

-- One series' day as 5-minute and as hourly buckets. id = series * 2^20 + day.
CREATE TABLE day (
  id INTEGER PRIMARY KEY,
  five BLOB,
  hourly BLOB
) STRICT;

-- Days whose buckets are not made yet, or no longer match the points.
CREATE TABLE unrolled (
  day INTEGER NOT NULL,
  series INTEGER NOT NULL,
  PRIMARY KEY (day, series)
) STRICT, WITHOUT ROWID;

CREATE TABLE counter (
  name TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
