CREATE TABLE article (sku TEXT PRIMARY KEY, name TEXT NOT NULL, price_cents INTEGER NOT NULL);
INSERT INTO article VALUES ('P-01', 'Pencil', 90), ('P-02', 'Notebook', 450), ('P-03', 'Stapler', 1290);
