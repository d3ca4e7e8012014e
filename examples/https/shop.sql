-- The database of the examples in this folder: what a stationer sells, and who ordered it.
CREATE TABLE article (
  sku TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  price_cents INTEGER NOT NULL CHECK (price_cents > 0),
  on_sale INTEGER NOT NULL,
  tags TEXT NOT NULL          -- a JSON array
) STRICT;
CREATE TABLE purchase (
  purchase_id INTEGER PRIMARY KEY,
  sku TEXT NOT NULL REFERENCES article,
  units INTEGER NOT NULL CHECK (units > 0),
  ordered_on TEXT NOT NULL    -- YYYY-MM-DD
) STRICT;
INSERT INTO article VALUES
  ('P-01', 'Fountain pen', 2950, 1, '["pen", "gift"]'),
  ('P-02', 'Pencil, HB', 120, 1, '["pen", "school"]'),
  ('P-03', 'Blue ink, 30 ml', 640, 1, '["ink"]'),
  ('N-01', 'Notebook, A5, lined', 780, 1, '["paper", "school"]'),
  ('N-02', 'Notebook, A4, blank', 990, 0, '["paper"]'),
  ('N-03', 'Letter paper, 50 sheets', 1450, 1, '["paper", "gift"]'),
  ('E-01', 'Envelopes, 50 pieces', 560, 1, '["paper"]');
INSERT INTO purchase (sku, units, ordered_on) VALUES
  ('P-01', 1, '2026-01-08'), ('P-02', 40, '2026-01-12'), ('N-01', 25, '2026-01-12'),
  ('P-03', 2, '2026-02-03'), ('N-03', 1, '2026-02-14'), ('P-02', 10, '2026-03-02');
