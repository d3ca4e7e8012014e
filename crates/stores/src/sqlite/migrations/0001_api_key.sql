-- Keys that are issued to teammates. Times are microseconds since 1970-01-01T00:00:00Z.
CREATE TABLE api_key (
  id             TEXT    NOT NULL PRIMARY KEY,
  endpoint       TEXT    NOT NULL,
  subject        TEXT    NOT NULL,
  scopes         TEXT    NOT NULL,
  hash           BLOB    NOT NULL CHECK (length(hash) = 32),
  pepper_version TEXT    NOT NULL,
  created_at     INTEGER NOT NULL,
  expires_at     INTEGER,
  revoked_at     INTEGER,
  last_used_at   INTEGER,
  label          TEXT,
  header         TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX api_key_in_order ON api_key (created_at, id);
