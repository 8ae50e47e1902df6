-- web.db: users whom an OpenID provider vouches for.

CREATE TABLE identity (
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,       -- the provider's own name of somebody, which never becomes another's
  user TEXT NOT NULL UNIQUE REFERENCES user (name),
  removed_ns INTEGER,          -- access was taken away here: whoever gets the name later is somebody else
  PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;

-- A user whom the next new subject of that name will be.
CREATE TABLE adoption (
  user TEXT PRIMARY KEY REFERENCES user (name),
  until_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

ALTER TABLE session ADD COLUMN until_ns INTEGER;  -- NULL: by the usual bounds only
