-- web.db: who may use the pages. Times: UTC nanoseconds since 1970. Tokens are kept as their SHA-256 only.

CREATE TABLE user (
  name TEXT PRIMARY KEY,
  role TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
  password TEXT NOT NULL,      -- argon2id, in its own encoding
  created_ns INTEGER NOT NULL,
  removed_ns INTEGER           -- may not sign in any more; the name stays for the record
) STRICT;

CREATE TABLE session (
  token BLOB PRIMARY KEY,
  user TEXT NOT NULL REFERENCES user (name),
  form TEXT NOT NULL,          -- what every form has to send along
  created_ns INTEGER NOT NULL,
  seen_ns INTEGER NOT NULL     -- to within ten minutes
) STRICT, WITHOUT ROWID;

-- A link that lets somebody choose a password, once.
CREATE TABLE invitation (
  token BLOB PRIMARY KEY,
  user TEXT NOT NULL,          -- empty: whoever opens it chooses the name
  role TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
  until_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Access of programs.
CREATE TABLE token (
  token BLOB PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  role TEXT NOT NULL CHECK (role IN ('viewer', 'operator')),
  created_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Who did what. Rows are only ever added.
CREATE TABLE audit (
  id INTEGER PRIMARY KEY,
  at_ns INTEGER NOT NULL,
  who TEXT NOT NULL,
  address TEXT NOT NULL,
  what TEXT NOT NULL,
  about TEXT NOT NULL
) STRICT;
