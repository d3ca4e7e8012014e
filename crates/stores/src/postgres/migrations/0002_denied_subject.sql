-- Callers who are cut off by name. Times are microseconds since 1970-01-01T00:00:00Z.
CREATE TABLE bridgehead_denied_subject (
  subject   TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  denied_at BIGINT NOT NULL
);
