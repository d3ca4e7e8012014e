-- People who sign in here. Times are microseconds since 1970-01-01T00:00:00Z, here and below.
CREATE TABLE user (
  address      TEXT    NOT NULL PRIMARY KEY,
  name         TEXT,
  admin        INTEGER NOT NULL CHECK (admin IN (0, 1)),
  scopes       TEXT    NOT NULL,
  password     TEXT,
  created_at   INTEGER NOT NULL,
  disabled_at  INTEGER,
  signed_in_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX user_in_order ON user (created_at, address);

-- Links that work once.
CREATE TABLE one_time_link (
  id             TEXT    NOT NULL PRIMARY KEY,
  purpose        TEXT    NOT NULL,
  address        TEXT    REFERENCES user (address),
  hash           BLOB    NOT NULL CHECK (length(hash) = 32),
  pepper_version TEXT    NOT NULL,
  created_at     INTEGER NOT NULL,
  expires_at     INTEGER NOT NULL,
  used_at        INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX one_time_link_of_user ON one_time_link (address);
CREATE UNIQUE INDEX one_time_link_first ON one_time_link (purpose) WHERE purpose = 'first_administrator';

-- Browser sessions.
CREATE TABLE session (
  id             TEXT    NOT NULL PRIMARY KEY,
  address        TEXT    NOT NULL REFERENCES user (address),
  hash           BLOB    NOT NULL CHECK (length(hash) = 32),
  pepper_version TEXT    NOT NULL,
  created_at     INTEGER NOT NULL,
  expires_at     INTEGER NOT NULL,
  last_used_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX session_of_user ON session (address);

-- Steps of connection attempts, kept for a day.
CREATE TABLE trace_event (
  number  INTEGER PRIMARY KEY AUTOINCREMENT,
  at      INTEGER NOT NULL,
  step    TEXT    NOT NULL,
  outcome TEXT    NOT NULL,
  facts   TEXT    NOT NULL
) STRICT;

CREATE INDEX trace_event_in_order ON trace_event (at, number);
