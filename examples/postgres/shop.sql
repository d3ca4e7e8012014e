-- What a stationer sells, and who ordered it: run it once, in a database of its own.
CREATE TABLE article (
  sku text PRIMARY KEY,
  name text NOT NULL,
  price numeric(8, 2) NOT NULL CHECK (price > 0),
  tags text[] NOT NULL
);
CREATE TABLE purchase (
  purchase_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  sku text NOT NULL REFERENCES article,
  units integer NOT NULL CHECK (units > 0),
  ordered_on date NOT NULL DEFAULT current_date
);
INSERT INTO article VALUES
  ('P-01', 'Fountain pen', 29.50, '{pen,gift}'),
  ('P-02', 'Pencil, HB', 1.20, '{pen,school}'),
  ('N-01', 'Notebook, A5, lined', 7.80, '{paper,school}'),
  ('N-02', 'Notebook, A4, blank', 9.90, '{paper}');
