-- The warehouse of a small kitchen and home retailer: one central warehouse, three shops, a returns bench.
-- SQLite 3.37 or newer. Bridgehead runs this file once, when warehouse.db does not exist; by hand it is
-- `sqlite3 warehouse.db < warehouse.sql`.
--
-- Units are whole pieces, or sets where the article is sold as a set. Money is whole euro cents, so that sums are
-- exact; the tools show it as euros. Dates are YYYY-MM-DD, times RFC 3339 in UTC.

PRAGMA foreign_keys = ON;

CREATE TABLE location (
  location TEXT PRIMARY KEY,
  name     TEXT NOT NULL,
  kind     TEXT NOT NULL CHECK (kind IN ('warehouse', 'shop', 'returns'))
) STRICT;

CREATE TABLE supplier (
  supplier_id         TEXT PRIMARY KEY CHECK (supplier_id GLOB 'S-[0-9][0-9]'),
  name                TEXT NOT NULL UNIQUE,
  country             TEXT NOT NULL CHECK (country GLOB '[A-Z][A-Z]'),
  email               TEXT NOT NULL,
  lead_time_days      INTEGER NOT NULL CHECK (lead_time_days > 0),
  minimum_order_cents INTEGER NOT NULL CHECK (minimum_order_cents >= 0)
) STRICT;

CREATE TABLE article (
  sku                    TEXT PRIMARY KEY CHECK (sku GLOB 'A-[0-9][0-9][0-9][0-9]'),
  name                   TEXT NOT NULL UNIQUE,
  category               TEXT NOT NULL CHECK (category IN ('tableware', 'cookware', 'tools', 'textiles', 'pantry')),
  ean                    TEXT NOT NULL UNIQUE CHECK (length(ean) = 13),
  supplier_id            TEXT NOT NULL REFERENCES supplier,
  purchase_price_cents   INTEGER NOT NULL CHECK (purchase_price_cents > 0),
  sales_price_cents      INTEGER NOT NULL CHECK (sales_price_cents > 0),
  reorder_point_units    INTEGER NOT NULL CHECK (reorder_point_units >= 0),
  reorder_quantity_units INTEGER NOT NULL CHECK (reorder_quantity_units > 0),
  status                 TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'discontinued'))
) STRICT;

CREATE TABLE stock (
  sku        TEXT NOT NULL REFERENCES article,
  location   TEXT NOT NULL REFERENCES location,
  units      INTEGER NOT NULL CONSTRAINT units_not_below_zero CHECK (units >= 0),
  counted_on TEXT CHECK (counted_on IS date(counted_on)),
  PRIMARY KEY (sku, location)
) STRICT, WITHOUT ROWID;

-- Every correction and every receipt, and why. A trigger below carries each new row over into `stock`.
CREATE TABLE stock_adjustment (
  adjustment_id INTEGER PRIMARY KEY AUTOINCREMENT,
  sku           TEXT NOT NULL REFERENCES article,
  location      TEXT NOT NULL REFERENCES location,
  change_units  INTEGER NOT NULL CONSTRAINT change_not_zero CHECK (change_units <> 0),
  reason        TEXT NOT NULL CHECK (reason IN ('count', 'damage', 'loss', 'found', 'customer_return', 'receipt')),
  note          TEXT,
  recorded_at   TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
) STRICT;

CREATE TABLE purchase_order (
  purchase_order_id INTEGER PRIMARY KEY AUTOINCREMENT,
  supplier_id       TEXT NOT NULL REFERENCES supplier,
  deliver_to        TEXT NOT NULL REFERENCES location,
  state             TEXT NOT NULL DEFAULT 'draft' CHECK (state IN ('draft', 'sent', 'cancelled')),
  ordered_on        TEXT NOT NULL DEFAULT (date('now')) CHECK (ordered_on IS date(ordered_on)),
  expected_on       TEXT CONSTRAINT expected_on_is_a_date CHECK (expected_on IS date(expected_on)),
  note              TEXT
) STRICT;

CREATE TABLE purchase_order_line (
  purchase_order_id INTEGER NOT NULL REFERENCES purchase_order,
  sku               TEXT NOT NULL REFERENCES article,
  ordered_units     INTEGER NOT NULL CHECK (ordered_units > 0),
  received_units    INTEGER NOT NULL DEFAULT 0 CHECK (received_units >= 0),
  unit_price_cents  INTEGER NOT NULL CHECK (unit_price_cents > 0),
  PRIMARY KEY (purchase_order_id, sku),
  CONSTRAINT received_not_above_ordered CHECK (received_units <= ordered_units)
) STRICT, WITHOUT ROWID;

CREATE INDEX article_supplier ON article (supplier_id);
CREATE INDEX purchase_order_supplier ON purchase_order (supplier_id);
CREATE INDEX purchase_order_line_sku ON purchase_order_line (sku);

-- The status people speak of follows from the state and from what has arrived, so it is not stored.
CREATE VIEW purchase_order_overview AS
SELECT o.purchase_order_id, o.supplier_id, o.deliver_to, o.ordered_on, o.expected_on, o.note,
       CASE
         WHEN o.state <> 'sent' THEN o.state
         WHEN coalesce(sum(l.received_units), 0) = 0 THEN 'sent'
         WHEN sum(l.received_units) < sum(l.ordered_units) THEN 'partly_received'
         ELSE 'received'
       END AS status,
       count(l.sku) AS lines,
       coalesce(sum(l.ordered_units * l.unit_price_cents), 0) AS total_cents
FROM purchase_order o
LEFT JOIN purchase_order_line l USING (purchase_order_id)
GROUP BY o.purchase_order_id;

-- What can be sold (everything but the returns bench), and what is still to come from orders that were sent.
CREATE VIEW article_availability AS
SELECT a.sku,
       (SELECT coalesce(sum(s.units), 0)
        FROM stock s JOIN location p USING (location)
        WHERE s.sku = a.sku AND p.kind <> 'returns') AS on_hand_units,
       (SELECT coalesce(sum(l.ordered_units - l.received_units), 0)
        FROM purchase_order_line l JOIN purchase_order o USING (purchase_order_id)
        WHERE l.sku = a.sku AND o.state = 'sent') AS on_order_units
FROM article a;

INSERT INTO location
  (location, name, kind)
VALUES
  ('MAIN',         'Central warehouse',                        'warehouse'),
  ('SHOP-CENTRE',  'Shop in the old town',                     'shop'),
  ('SHOP-NORTH',   'Shop at the north station',                'shop'),
  ('SHOP-HARBOUR', 'Shop at the harbour',                      'shop'),
  ('RETURNS',      'Returns bench, goods awaiting inspection', 'returns');

INSERT INTO supplier
  (supplier_id, name, country, email, lead_time_days, minimum_order_cents)
VALUES
  ('S-01', 'Keramik Lindau GmbH',      'DE', 'orders@keramik-lindau.example',          21, 50000),
  ('S-02', 'Nordlys Textil A/S',       'DK', 'salg@nordlys-textil.example',            14, 30000),
  ('S-03', 'Fonderie du Rhône SARL',   'FR', 'commandes@fonderie-rhone.example',       28, 80000),
  ('S-04', 'Officina Ferri S.r.l.',    'IT', 'ordini@officina-ferri.example',          21, 40000),
  ('S-05', 'Teehandel Brandt & Sohn',  'DE', 'kontor@teehandel-brandt.example',        10, 15000),
  ('S-06', 'Casa Olivera S.L.',        'ES', 'pedidos@casa-olivera.example',           14, 25000),
  ('S-07', 'Dřevo Morava s.r.o.',      'CZ', 'objednavky@drevo-morava.example',        14, 20000),
  ('S-08', 'Glaswerk Silberbach GmbH', 'AT', 'bestellung@glaswerk-silberbach.example', 21, 35000);

INSERT INTO article
  (sku, name, category, ean, supplier_id, purchase_price_cents, sales_price_cents, reorder_point_units, reorder_quantity_units, status)
VALUES
  ('A-1001', 'Stoneware mug, blue, 300 ml',     'tableware', '2004711011377', 'S-01', 420,  1190,  60, 120, 'active'),
  ('A-1002', 'Stoneware mug, white, 300 ml',    'tableware', '2004711012749', 'S-01', 420,  1190,  60, 120, 'active'),
  ('A-1003', 'Stoneware mug, green, 300 ml',    'tableware', '2004711014118', 'S-01', 420,  1190,  60, 120, 'active'),
  ('A-1004', 'Cereal bowl, white, 16 cm',       'tableware', '2004711015481', 'S-01', 510,  1390,  40, 96,  'active'),
  ('A-1005', 'Dinner plate, white, 27 cm',      'tableware', '2004711016853', 'S-01', 690,  1790,  60, 120, 'active'),
  ('A-1006', 'Dinner plate, speckled, 27 cm',   'tableware', '2004711018222', 'S-01', 760,  1990,  40, 60,  'active'),
  ('A-1007', 'Soup plate, white, 22 cm',        'tableware', '2004711019595', 'S-01', 640,  1690,  40, 60,  'active'),
  ('A-1008', 'Serving platter, oval, 36 cm',    'tableware', '2004711020966', 'S-01', 1280, 3290,  10, 24,  'discontinued'),
  ('A-1009', 'Water glass, 250 ml, set of 6',   'tableware', '2004711022335', 'S-08', 980,  2490,  30, 60,  'active'),
  ('A-1010', 'Wine glass, 450 ml, set of 4',    'tableware', '2004711023707', 'S-08', 1450, 3690,  24, 48,  'active'),
  ('A-1011', 'Carafe with cork, 1 l',           'tableware', '2004711025077', 'S-08', 890,  2290,  20, 36,  'active'),
  ('A-1012', 'Storage jar, clip top, 1 l',      'tableware', '2004711026449', 'S-08', 360,  990,   50, 100, 'active'),
  ('A-1013', 'Tea towel, linen, grey',          'textiles',  '2004711027811', 'S-02', 530,  1490,  40, 80,  'active'),
  ('A-1014', 'Tea towel, linen, rust',          'textiles',  '2004711029181', 'S-02', 530,  1490,  40, 80,  'active'),
  ('A-1015', 'Apron, cotton, dark blue',        'textiles',  '2004711030552', 'S-02', 1190, 2990,  20, 40,  'active'),
  ('A-1016', 'Oven mitt, quilted',              'textiles',  '2004711031924', 'S-02', 450,  1290,  30, 60,  'active'),
  ('A-1017', 'Tablecloth, 140 x 240 cm',        'textiles',  '2004711033294', 'S-02', 1980, 4990,  12, 24,  'active'),
  ('A-1018', 'Napkin, linen, set of 4',         'textiles',  '2004711034666', 'S-02', 890,  2490,  24, 48,  'active'),
  ('A-1019', 'Frying pan, steel, 28 cm',        'cookware',  '2004711036035', 'S-03', 1890, 4790,  20, 36,  'active'),
  ('A-1020', 'Casserole, cast iron, 4.5 l',     'cookware',  '2004711037407', 'S-03', 5400, 12900, 12, 18,  'active'),
  ('A-1021', 'Saucepan with lid, 1.6 l',        'cookware',  '2004711038770', 'S-03', 1620, 3990,  16, 30,  'active'),
  ('A-1022', 'Baking dish, enamel, 33 cm',      'cookware',  '2004711040148', 'S-03', 1150, 2890,  20, 40,  'active'),
  ('A-1023', 'Stock pot, 8 l',                  'cookware',  '2004711041510', 'S-03', 2740, 6490,  8,  12,  'active'),
  ('A-1024', 'Crepe pan, 24 cm',                'cookware',  '2004711042883', 'S-03', 1240, 2990,  10, 20,  'discontinued'),
  ('A-1025', 'Moka pot, 3 cups',                'cookware',  '2004711044252', 'S-04', 1080, 2790,  30, 60,  'active'),
  ('A-1026', 'Moka pot, 6 cups',                'cookware',  '2004711045624', 'S-04', 1390, 3490,  24, 48,  'active'),
  ('A-1027', 'Whisk, stainless, 28 cm',         'tools',     '2004711046997', 'S-04', 340,  990,   30, 60,  'active'),
  ('A-1028', 'Pasta tongs',                     'tools',     '2004711048366', 'S-04', 390,  1090,  20, 40,  'active'),
  ('A-1029', 'Cheese grater, four sides',       'tools',     '2004711049738', 'S-04', 620,  1690,  20, 40,  'active'),
  ('A-1030', 'Chef''s knife, 20 cm',            'tools',     '2004711051106', 'S-04', 2350, 5990,  16, 24,  'active'),
  ('A-1031', 'Chopping board, oak, 40 cm',      'tools',     '2004711052479', 'S-07', 1470, 3690,  20, 40,  'active'),
  ('A-1032', 'Wooden spoon, beech',             'tools',     '2004711053841', 'S-07', 110,  390,   80, 200, 'active'),
  ('A-1033', 'Rolling pin, beech',              'tools',     '2004711055210', 'S-07', 480,  1290,  20, 40,  'active'),
  ('A-1034', 'Salad servers, olive wood',       'tools',     '2004711056583', 'S-07', 720,  1990,  16, 30,  'active'),
  ('A-1035', 'Assam tea, loose, 250 g',         'pantry',    '2004711057955', 'S-05', 560,  1290,  40, 80,  'active'),
  ('A-1036', 'Earl Grey tea, loose, 250 g',     'pantry',    '2004711059324', 'S-05', 590,  1350,  40, 80,  'active'),
  ('A-1037', 'Peppermint tea, 20 bags',         'pantry',    '2004711060696', 'S-05', 180,  450,   60, 144, 'active'),
  ('A-1038', 'Olive oil, extra virgin, 500 ml', 'pantry',    '2004711062065', 'S-06', 640,  1390,  60, 120, 'active'),
  ('A-1039', 'Smoked paprika, 75 g',            'pantry',    '2004711063437', 'S-06', 190,  490,   40, 96,  'active'),
  ('A-1040', 'Sea salt flakes, 250 g',          'pantry',    '2004711064809', 'S-06', 240,  590,   40, 96,  'active');

INSERT INTO stock
  (sku, location, units, counted_on)
VALUES
  ('A-1001', 'MAIN',         148, '2026-10-31'),
  ('A-1001', 'SHOP-CENTRE',  22,  '2026-11-07'),
  ('A-1001', 'SHOP-NORTH',   18,  '2026-11-07'),
  ('A-1001', 'SHOP-HARBOUR', 9,   '2026-11-08'),
  ('A-1002', 'MAIN',         96,  '2026-10-31'),
  ('A-1002', 'SHOP-CENTRE',  25,  '2026-11-07'),
  ('A-1002', 'SHOP-NORTH',   20,  '2026-11-07'),
  ('A-1002', 'SHOP-HARBOUR', 16,  '2026-11-08'),
  ('A-1002', 'RETURNS',      2,   NULL),
  ('A-1003', 'MAIN',         12,  '2026-10-31'),
  ('A-1003', 'SHOP-CENTRE',  8,   '2026-11-07'),
  ('A-1003', 'SHOP-NORTH',   6,   '2026-11-07'),
  ('A-1003', 'SHOP-HARBOUR', 3,   '2026-11-08'),
  ('A-1004', 'MAIN',         72,  '2026-10-31'),
  ('A-1004', 'SHOP-CENTRE',  15,  '2026-11-07'),
  ('A-1004', 'SHOP-NORTH',   12,  '2026-11-07'),
  ('A-1004', 'SHOP-HARBOUR', 8,   '2026-11-08'),
  ('A-1004', 'RETURNS',      1,   NULL),
  ('A-1005', 'MAIN',         110, '2026-10-31'),
  ('A-1005', 'SHOP-CENTRE',  20,  '2026-11-07'),
  ('A-1005', 'SHOP-NORTH',   24,  '2026-11-07'),
  ('A-1005', 'SHOP-HARBOUR', 12,  '2026-11-08'),
  ('A-1005', 'RETURNS',      3,   NULL),
  ('A-1006', 'MAIN',         38,  '2026-10-31'),
  ('A-1006', 'SHOP-CENTRE',  12,  '2026-11-07'),
  ('A-1006', 'SHOP-NORTH',   10,  '2026-11-07'),
  ('A-1006', 'SHOP-HARBOUR', 4,   '2026-11-08'),
  ('A-1007', 'MAIN',         9,   '2026-10-31'),
  ('A-1007', 'SHOP-CENTRE',  6,   '2026-11-07'),
  ('A-1007', 'SHOP-NORTH',   4,   '2026-11-07'),
  ('A-1007', 'SHOP-HARBOUR', 0,   '2026-11-08'),
  ('A-1008', 'MAIN',         3,   '2026-10-31'),
  ('A-1008', 'SHOP-CENTRE',  1,   '2026-11-07'),
  ('A-1008', 'RETURNS',      1,   NULL),
  ('A-1009', 'MAIN',         64,  '2026-10-31'),
  ('A-1009', 'SHOP-CENTRE',  10,  '2026-11-07'),
  ('A-1009', 'SHOP-NORTH',   9,   '2026-11-07'),
  ('A-1009', 'SHOP-HARBOUR', 6,   '2026-11-08'),
  ('A-1010', 'MAIN',         19,  '2026-10-31'),
  ('A-1010', 'SHOP-CENTRE',  6,   '2026-11-07'),
  ('A-1010', 'SHOP-NORTH',   5,   '2026-11-07'),
  ('A-1010', 'SHOP-HARBOUR', 2,   '2026-11-08'),
  ('A-1010', 'RETURNS',      4,   NULL),
  ('A-1011', 'MAIN',         41,  '2026-10-31'),
  ('A-1011', 'SHOP-CENTRE',  5,   '2026-11-07'),
  ('A-1011', 'SHOP-NORTH',   4,   '2026-11-07'),
  ('A-1011', 'SHOP-HARBOUR', 3,   '2026-11-08'),
  ('A-1012', 'MAIN',         132, '2026-10-31'),
  ('A-1012', 'SHOP-CENTRE',  14,  '2026-11-07'),
  ('A-1012', 'SHOP-NORTH',   16,  '2026-11-07'),
  ('A-1012', 'SHOP-HARBOUR', 10,  '2026-11-08'),
  ('A-1013', 'MAIN',         88,  '2026-10-31'),
  ('A-1013', 'SHOP-CENTRE',  16,  '2026-11-07'),
  ('A-1013', 'SHOP-NORTH',   12,  '2026-11-07'),
  ('A-1013', 'SHOP-HARBOUR', 10,  '2026-11-08'),
  ('A-1014', 'MAIN',         27,  '2026-10-31'),
  ('A-1014', 'SHOP-CENTRE',  9,   '2026-11-07'),
  ('A-1014', 'SHOP-NORTH',   5,   '2026-11-07'),
  ('A-1014', 'SHOP-HARBOUR', 4,   '2026-11-08'),
  ('A-1015', 'MAIN',         35,  '2026-10-31'),
  ('A-1015', 'SHOP-CENTRE',  6,   '2026-11-07'),
  ('A-1015', 'SHOP-NORTH',   5,   '2026-11-07'),
  ('A-1015', 'SHOP-HARBOUR', 4,   '2026-11-08'),
  ('A-1015', 'RETURNS',      1,   NULL),
  ('A-1016', 'MAIN',         17,  '2026-10-31'),
  ('A-1016', 'SHOP-CENTRE',  5,   '2026-11-07'),
  ('A-1016', 'SHOP-NORTH',   4,   '2026-11-07'),
  ('A-1016', 'SHOP-HARBOUR', 2,   '2026-11-08'),
  ('A-1017', 'MAIN',         26,  '2026-10-31'),
  ('A-1017', 'SHOP-CENTRE',  3,   '2026-11-07'),
  ('A-1017', 'SHOP-NORTH',   3,   '2026-11-07'),
  ('A-1017', 'SHOP-HARBOUR', 2,   '2026-11-08'),
  ('A-1018', 'MAIN',         52,  '2026-10-31'),
  ('A-1018', 'SHOP-CENTRE',  8,   '2026-11-07'),
  ('A-1018', 'SHOP-NORTH',   6,   '2026-11-07'),
  ('A-1018', 'SHOP-HARBOUR', 4,   '2026-11-08'),
  ('A-1019', 'MAIN',         44,  '2026-10-31'),
  ('A-1019', 'SHOP-CENTRE',  6,   '2026-11-07'),
  ('A-1019', 'SHOP-NORTH',   5,   '2026-11-07'),
  ('A-1019', 'SHOP-HARBOUR', 3,   '2026-11-08'),
  ('A-1019', 'RETURNS',      2,   NULL),
  ('A-1020', 'MAIN',         5,   '2026-10-31'),
  ('A-1020', 'SHOP-CENTRE',  2,   '2026-11-07'),
  ('A-1020', 'SHOP-NORTH',   2,   '2026-11-07'),
  ('A-1020', 'SHOP-HARBOUR', 1,   '2026-11-08'),
  ('A-1020', 'RETURNS',      1,   NULL),
  ('A-1021', 'MAIN',         33,  '2026-10-31'),
  ('A-1021', 'SHOP-CENTRE',  4,   '2026-11-07'),
  ('A-1021', 'SHOP-NORTH',   4,   '2026-11-07'),
  ('A-1021', 'SHOP-HARBOUR', 2,   '2026-11-08'),
  ('A-1022', 'MAIN',         58,  '2026-10-31'),
  ('A-1022', 'SHOP-CENTRE',  7,   '2026-11-07'),
  ('A-1022', 'SHOP-NORTH',   6,   '2026-11-07'),
  ('A-1022', 'SHOP-HARBOUR', 4,   '2026-11-08'),
  ('A-1023', 'MAIN',         14,  '2026-10-31'),
  ('A-1023', 'SHOP-CENTRE',  1,   '2026-11-07'),
  ('A-1023', 'SHOP-NORTH',   2,   '2026-11-07'),
  ('A-1023', 'SHOP-HARBOUR', 1,   '2026-11-08'),
  ('A-1024', 'SHOP-CENTRE',  1,   '2026-11-07'),
  ('A-1025', 'MAIN',         67,  '2026-10-31'),
  ('A-1025', 'SHOP-CENTRE',  10,  '2026-11-07'),
  ('A-1025', 'SHOP-NORTH',   12,  '2026-11-07'),
  ('A-1025', 'SHOP-HARBOUR', 8,   '2026-11-08'),
  ('A-1025', 'RETURNS',      1,   NULL),
  ('A-1026', 'MAIN',         15,  '2026-10-31'),
  ('A-1026', 'SHOP-CENTRE',  4,   '2026-11-07'),
  ('A-1026', 'SHOP-NORTH',   3,   '2026-11-07'),
  ('A-1026', 'SHOP-HARBOUR', 1,   '2026-11-08'),
  ('A-1027', 'MAIN',         81,  '2026-10-31'),
  ('A-1027', 'SHOP-CENTRE',  12,  '2026-11-07'),
  ('A-1027', 'SHOP-NORTH',   10,  '2026-11-07'),
  ('A-1027', 'SHOP-HARBOUR', 8,   '2026-11-08'),
  ('A-1028', 'MAIN',         46,  '2026-10-31'),
  ('A-1028', 'SHOP-CENTRE',  8,   '2026-11-07'),
  ('A-1028', 'SHOP-NORTH',   6,   '2026-11-07'),
  ('A-1028', 'SHOP-HARBOUR', 5,   '2026-11-08'),
  ('A-1029', 'MAIN',         38,  '2026-10-31'),
  ('A-1029', 'SHOP-CENTRE',  6,   '2026-11-07'),
  ('A-1029', 'SHOP-NORTH',   6,   '2026-11-07'),
  ('A-1029', 'SHOP-HARBOUR', 4,   '2026-11-08'),
  ('A-1029', 'RETURNS',      1,   NULL),
  ('A-1030', 'MAIN',         22,  '2026-10-31'),
  ('A-1030', 'SHOP-CENTRE',  4,   '2026-11-07'),
  ('A-1030', 'SHOP-NORTH',   4,   '2026-11-07'),
  ('A-1030', 'SHOP-HARBOUR', 2,   '2026-11-08'),
  ('A-1031', 'MAIN',         13,  '2026-10-31'),
  ('A-1031', 'SHOP-CENTRE',  4,   '2026-11-07'),
  ('A-1031', 'SHOP-NORTH',   2,   '2026-11-07'),
  ('A-1031', 'SHOP-HARBOUR', 0,   '2026-11-08'),
  ('A-1032', 'MAIN',         240, '2026-10-31'),
  ('A-1032', 'SHOP-CENTRE',  30,  '2026-11-07'),
  ('A-1032', 'SHOP-NORTH',   28,  '2026-11-07'),
  ('A-1032', 'SHOP-HARBOUR', 22,  '2026-11-08'),
  ('A-1033', 'MAIN',         49,  '2026-10-31'),
  ('A-1033', 'SHOP-CENTRE',  6,   '2026-11-07'),
  ('A-1033', 'SHOP-NORTH',   5,   '2026-11-07'),
  ('A-1033', 'SHOP-HARBOUR', 4,   '2026-11-08'),
  ('A-1034', 'MAIN',         31,  '2026-10-31'),
  ('A-1034', 'SHOP-CENTRE',  4,   '2026-11-07'),
  ('A-1034', 'SHOP-NORTH',   4,   '2026-11-07'),
  ('A-1034', 'SHOP-HARBOUR', 3,   '2026-11-08'),
  ('A-1035', 'MAIN',         74,  '2026-10-31'),
  ('A-1035', 'SHOP-CENTRE',  12,  '2026-11-07'),
  ('A-1035', 'SHOP-NORTH',   10,  '2026-11-07'),
  ('A-1035', 'SHOP-HARBOUR', 9,   '2026-11-08'),
  ('A-1036', 'MAIN',         21,  '2026-10-31'),
  ('A-1036', 'SHOP-CENTRE',  7,   '2026-11-07'),
  ('A-1036', 'SHOP-NORTH',   6,   '2026-11-07'),
  ('A-1036', 'SHOP-HARBOUR', 3,   '2026-11-08'),
  ('A-1037', 'MAIN',         168, '2026-10-31'),
  ('A-1037', 'SHOP-CENTRE',  24,  '2026-11-07'),
  ('A-1037', 'SHOP-NORTH',   20,  '2026-11-07'),
  ('A-1037', 'SHOP-HARBOUR', 18,  '2026-11-08'),
  ('A-1038', 'MAIN',         36,  '2026-10-31'),
  ('A-1038', 'SHOP-CENTRE',  9,   '2026-11-07'),
  ('A-1038', 'SHOP-NORTH',   8,   '2026-11-07'),
  ('A-1038', 'SHOP-HARBOUR', 4,   '2026-11-08'),
  ('A-1039', 'MAIN',         118, '2026-10-31'),
  ('A-1039', 'SHOP-CENTRE',  15,  '2026-11-07'),
  ('A-1039', 'SHOP-NORTH',   14,  '2026-11-07'),
  ('A-1039', 'SHOP-HARBOUR', 12,  '2026-11-08'),
  ('A-1040', 'MAIN',         92,  '2026-10-31'),
  ('A-1040', 'SHOP-CENTRE',  12,  '2026-11-07'),
  ('A-1040', 'SHOP-NORTH',   11,  '2026-11-07'),
  ('A-1040', 'SHOP-HARBOUR', 9,   '2026-11-08');

INSERT INTO purchase_order
  (purchase_order_id, supplier_id, deliver_to, state, ordered_on, expected_on, note)
VALUES
  (1001, 'S-01', 'MAIN',         'sent',      '2026-06-03', '2026-06-24', NULL),
  (1002, 'S-03', 'MAIN',         'sent',      '2026-06-10', '2026-07-08', NULL),
  (1003, 'S-05', 'MAIN',         'sent',      '2026-06-15', '2026-06-25', 'Summer teas'),
  (1004, 'S-02', 'MAIN',         'sent',      '2026-06-29', '2026-07-13', NULL),
  (1005, 'S-06', 'MAIN',         'sent',      '2026-07-06', '2026-07-20', NULL),
  (1006, 'S-08', 'MAIN',         'sent',      '2026-07-14', '2026-08-04', NULL),
  (1007, 'S-04', 'MAIN',         'cancelled', '2026-07-20', '2026-08-10', 'Supplier on summer break; ordered again as 1009'),
  (1008, 'S-07', 'MAIN',         'sent',      '2026-08-03', '2026-08-17', NULL),
  (1009, 'S-04', 'MAIN',         'sent',      '2026-08-24', '2026-09-14', NULL),
  (1010, 'S-01', 'SHOP-CENTRE',  'sent',      '2026-08-31', '2026-09-21', 'Direct delivery for the shop''s autumn table'),
  (1011, 'S-05', 'MAIN',         'sent',      '2026-09-07', '2026-09-17', NULL),
  (1012, 'S-03', 'MAIN',         'sent',      '2026-09-14', '2026-10-12', NULL),
  (1013, 'S-02', 'MAIN',         'sent',      '2026-09-21', '2026-10-05', NULL),
  (1014, 'S-06', 'MAIN',         'sent',      '2026-09-28', '2026-10-12', NULL),
  (1015, 'S-08', 'MAIN',         'sent',      '2026-10-05', '2026-10-26', NULL),
  (1016, 'S-01', 'MAIN',         'sent',      '2026-10-12', '2026-11-02', 'Second pallet follows'),
  (1017, 'S-07', 'SHOP-NORTH',   'sent',      '2026-10-19', '2026-11-02', NULL),
  (1018, 'S-04', 'MAIN',         'sent',      '2026-10-26', '2026-11-16', NULL),
  (1019, 'S-03', 'MAIN',         'sent',      '2026-10-28', '2026-11-25', NULL),
  (1020, 'S-06', 'MAIN',         'cancelled', '2026-11-02', '2026-11-16', 'Harvest late, supplier withdrew the price'),
  (1021, 'S-06', 'MAIN',         'sent',      '2026-11-09', '2026-11-23', NULL),
  (1022, 'S-05', 'MAIN',         'sent',      '2026-11-12', '2026-11-24', NULL),
  (1023, 'S-02', 'SHOP-HARBOUR', 'sent',      '2026-11-16', '2026-11-30', NULL),
  (1024, 'S-01', 'MAIN',         'draft',     '2026-11-19', NULL,         'Refill before Christmas'),
  (1025, 'S-07', 'MAIN',         'draft',     '2026-11-20', NULL,         NULL);

INSERT INTO purchase_order_line
  (purchase_order_id, sku, ordered_units, received_units, unit_price_cents)
VALUES
  (1001, 'A-1001', 120, 120, 410),
  (1001, 'A-1002', 120, 120, 410),
  (1001, 'A-1005', 96,  96,  675),
  (1002, 'A-1019', 36,  36,  1890),
  (1002, 'A-1021', 30,  30,  1620),
  (1003, 'A-1037', 144, 144, 175),
  (1004, 'A-1013', 80,  80,  530),
  (1004, 'A-1015', 40,  40,  1190),
  (1004, 'A-1018', 48,  48,  890),
  (1005, 'A-1038', 120, 120, 615),
  (1005, 'A-1039', 96,  96,  190),
  (1006, 'A-1009', 60,  60,  980),
  (1006, 'A-1012', 100, 100, 350),
  (1007, 'A-1025', 60,  0,   1080),
  (1007, 'A-1027', 60,  0,   340),
  (1008, 'A-1032', 200, 200, 110),
  (1008, 'A-1033', 40,  40,  480),
  (1009, 'A-1025', 60,  60,  1080),
  (1009, 'A-1027', 60,  60,  340),
  (1009, 'A-1028', 40,  40,  390),
  (1010, 'A-1004', 48,  48,  510),
  (1010, 'A-1006', 48,  48,  760),
  (1011, 'A-1035', 80,  80,  560),
  (1011, 'A-1036', 80,  80,  590),
  (1012, 'A-1022', 40,  40,  1150),
  (1012, 'A-1023', 14,  14,  2740),
  (1013, 'A-1014', 80,  80,  530),
  (1013, 'A-1017', 24,  24,  1980),
  (1014, 'A-1040', 96,  96,  240),
  (1014, 'A-1039', 96,  96,  190),
  (1015, 'A-1011', 36,  36,  890),
  (1015, 'A-1010', 48,  24,  1450),
  (1016, 'A-1003', 120, 0,   420),
  (1016, 'A-1001', 120, 120, 420),
  (1017, 'A-1034', 30,  30,  720),
  (1018, 'A-1026', 48,  0,   1390),
  (1018, 'A-1030', 24,  0,   2350),
  (1019, 'A-1020', 18,  0,   5400),
  (1019, 'A-1019', 36,  0,   1890),
  (1020, 'A-1038', 240, 0,   598),
  (1021, 'A-1038', 120, 60,  640),
  (1021, 'A-1040', 96,  0,   240),
  (1022, 'A-1036', 80,  0,   590),
  (1023, 'A-1015', 20,  0,   1190),
  (1023, 'A-1013', 20,  0,   530),
  (1024, 'A-1007', 60,  0,   640);

INSERT INTO stock_adjustment
  (adjustment_id, sku, location, change_units, reason, note, recorded_at)
VALUES
  (1, 'A-1010', 'RETURNS',      4,  'customer_return', 'Two sets with chipped rims, two unopened', '2026-11-05T15:20:00Z'),
  (2, 'A-1012', 'MAIN',         -3, 'damage',          'Dropped while picking',                    '2026-11-06T08:41:00Z'),
  (3, 'A-1038', 'MAIN',         -2, 'damage',          'Leaking bottles',                          '2026-11-10T10:05:00Z'),
  (4, 'A-1026', 'SHOP-HARBOUR', -1, 'loss',            NULL,                                       '2026-11-12T17:32:00Z'),
  (5, 'A-1032', 'MAIN',         20, 'found',           'Box behind the lift',                      '2026-11-13T09:12:00Z'),
  (6, 'A-1038', 'MAIN',         60, 'receipt',         'Purchase order 1021',                      '2026-11-18T07:50:00Z');

-- The rules for changes stand last: the rows above are history and already agree with each other.

CREATE TRIGGER stock_adjustment_changes_stock BEFORE INSERT ON stock_adjustment
BEGIN
  INSERT INTO stock (sku, location, units) VALUES (NEW.sku, NEW.location, 0)
    ON CONFLICT DO NOTHING;
  UPDATE stock
  SET units = units + NEW.change_units,
      counted_on = CASE NEW.reason WHEN 'count' THEN date('now') ELSE counted_on END
  WHERE sku = NEW.sku AND location = NEW.location;
END;

CREATE TRIGGER purchase_order_line_fits_the_order BEFORE INSERT ON purchase_order_line
BEGIN
  SELECT RAISE(ABORT, 'there is no purchase order with this number')
  WHERE NOT EXISTS (SELECT 1 FROM purchase_order WHERE purchase_order_id = NEW.purchase_order_id);
  SELECT RAISE(ABORT, 'lines can be added only while the purchase order is a draft')
  WHERE (SELECT state FROM purchase_order WHERE purchase_order_id = NEW.purchase_order_id) <> 'draft';
  SELECT RAISE(ABORT, 'the supplier of this purchase order does not offer this article')
  WHERE NOT EXISTS (SELECT 1 FROM article JOIN purchase_order USING (supplier_id)
                    WHERE sku = NEW.sku AND purchase_order_id = NEW.purchase_order_id);
  SELECT RAISE(ABORT, 'this article is discontinued and cannot be ordered')
  WHERE (SELECT status FROM article WHERE sku = NEW.sku) = 'discontinued';
END;

CREATE TRIGGER receipt_needs_a_sent_order BEFORE UPDATE OF received_units ON purchase_order_line
BEGIN
  SELECT RAISE(ABORT, 'goods can be received only for a purchase order that was sent')
  WHERE (SELECT state FROM purchase_order WHERE purchase_order_id = NEW.purchase_order_id) <> 'sent';
END;

CREATE TRIGGER receipt_adds_to_stock AFTER UPDATE OF received_units ON purchase_order_line
BEGIN
  INSERT INTO stock_adjustment (sku, location, change_units, reason, note)
  SELECT NEW.sku, deliver_to, NEW.received_units - OLD.received_units, 'receipt',
         'Purchase order ' || NEW.purchase_order_id
  FROM purchase_order WHERE purchase_order_id = NEW.purchase_order_id;
END;
