-- web.db: users who are known by an OpenID provider, and browsers that were sent there.

CREATE TABLE identity (
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,       -- the provider's own name of somebody, which never becomes another's
  user TEXT NOT NULL UNIQUE REFERENCES user (name),
  PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;

CREATE TABLE journey (
  state BLOB PRIMARY KEY,      -- SHA-256
  nonce TEXT NOT NULL,
  verifier TEXT NOT NULL,      -- of PKCE
  back TEXT NOT NULL,
  until_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
