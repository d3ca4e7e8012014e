-- Callers who are cut off by name. Times are microseconds since 1970-01-01T00:00:00Z.
CREATE TABLE denied_subject (
  subject   TEXT    NOT NULL PRIMARY KEY,
  denied_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
