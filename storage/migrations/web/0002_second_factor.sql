-- web.db: one-time codes beside the password. The secret has to be readable to work out the codes; recovery codes are not.

CREATE TABLE totp (
  user TEXT PRIMARY KEY REFERENCES user (name),
  secret BLOB NOT NULL,
  confirmed_ns INTEGER,        -- NULL: shown, and not yet proven by a code
  step INTEGER NOT NULL        -- of the last code that was taken: neither it nor an earlier one is taken again
) STRICT, WITHOUT ROWID;

CREATE TABLE recovery (
  code BLOB PRIMARY KEY,       -- SHA-256
  user TEXT NOT NULL REFERENCES user (name)
) STRICT, WITHOUT ROWID;

-- A browser whose password was right and whose code is awaited.
CREATE TABLE challenge (
  token BLOB PRIMARY KEY,
  user TEXT NOT NULL REFERENCES user (name),
  until_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
