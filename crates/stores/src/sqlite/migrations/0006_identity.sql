-- Who of an identity provider is which user. Times are microseconds since 1970-01-01T00:00:00Z.
CREATE TABLE identity (
  issuer       TEXT    NOT NULL,
  subject      TEXT    NOT NULL,
  address      TEXT    NOT NULL REFERENCES user (address),
  claims       TEXT    NOT NULL,
  scopes       TEXT    NOT NULL,
  tokens       BLOB,
  checked_at   INTEGER NOT NULL,
  refused_at   INTEGER,
  asking_until INTEGER,
  PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX identity_of_user ON identity (address, issuer);
