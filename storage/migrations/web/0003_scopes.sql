-- web.db: what a program may do with its token, until when, and when it last came.

ALTER TABLE token RENAME TO token_of_old;

CREATE TABLE token (
  token BLOB PRIMARY KEY,      -- SHA-256
  name TEXT NOT NULL UNIQUE,
  scopes TEXT NOT NULL,        -- of read, operate, admin, hook; spaces between them
  created_ns INTEGER NOT NULL,
  until_ns INTEGER,            -- NULL: until it is removed
  seen_ns INTEGER              -- to within ten minutes
) STRICT, WITHOUT ROWID;

INSERT INTO token SELECT token, name, CASE role WHEN 'operator' THEN 'operate' ELSE 'read' END, created_ns, NULL, NULL
FROM token_of_old;

DROP TABLE token_of_old;
