-- What teammates entered or connected for systems behind. Times are microseconds since
-- 1970-01-01T00:00:00Z. What is secret is sealed as belonging to one vault and one teammate.
CREATE TABLE credential (
  vault         TEXT    NOT NULL,
  subject       TEXT    NOT NULL,
  kind          TEXT    NOT NULL,
  sealed        BLOB    NOT NULL,
  version       TEXT    NOT NULL,
  entered_at    INTEGER NOT NULL,
  renewed_at    INTEGER NOT NULL,
  expires_at    INTEGER,
  refused_at    INTEGER,
  -- Which process renews it, and until when.
  renewer       TEXT,
  renewer_until INTEGER,
  PRIMARY KEY (vault, subject)
) STRICT, WITHOUT ROWID;

CREATE INDEX credential_of_subject ON credential (subject, vault);

-- Teammates on their way to another authorization server and back.
CREATE TABLE pending_connection (
  state      BLOB    NOT NULL PRIMARY KEY CHECK (length(state) = 32),
  session    TEXT    NOT NULL,
  vault      TEXT    NOT NULL,
  subject    TEXT    NOT NULL,
  verifier   BLOB    NOT NULL,
  next       TEXT,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX pending_connection_by_end ON pending_connection (expires_at);
