-- The database of callers.toml: notes that belong to people.
CREATE TABLE note (
  note_id INTEGER PRIMARY KEY,
  owner TEXT NOT NULL,
  words TEXT NOT NULL
) STRICT;
INSERT INTO note (owner, words) VALUES
  ('you@localhost', 'Order more ink.'),
  ('you@localhost', 'Ask about the envelopes.'),
  ('alice@example.com', 'Call the printer.');
