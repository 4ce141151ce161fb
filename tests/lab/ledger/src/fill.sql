-- Fills the empty schema; the setting ledger.megabytes says how much, documents make most of it.
CREATE TEMPORARY TABLE noise AS
    SELECT string_agg(encode(sha512(convert_to(i::text, 'UTF8')), 'hex'), '' ORDER BY i) AS hex
    FROM generate_series(1, 1000) i;

INSERT INTO shop.customers (reference, name, email, tier, tags, profile, balance, birthday, created_at)
    SELECT 'fill:' || i, 'Customer ' || i, 'c' || i || '@shop.example',
        (ARRAY['bronze', 'silver', 'gold'])[1 + i % 3]::shop.tier, ARRAY['old', 'number ' || i % 7],
        jsonb_build_object('since', 2000 + i % 25, 'note', substr(hex, 1 + i % 100000, 400)), i % 1000 + 0.25,
        CASE WHEN i % 4 > 0 THEN date '1960-01-01' + i % 15000 END,
        timestamptz '2024-01-01 00:00+00' + i * interval '1 minute'
    FROM noise, generate_series(1, 60 * current_setting('ledger.megabytes')::integer) i ORDER BY i;

INSERT INTO shop.orders (customer_id, status, coupon, note, placed_at)
    SELECT 1 + (i * 7) % (60 * current_setting('ledger.megabytes')::integer), 'sent',
        CASE WHEN i % 5 = 0 THEN 'SAVE' || i % 9 END, substr(hex, 1 + i % 100000, 500),
        timestamptz '2024-06-01 00:00+00' + i * interval '37 seconds'
    FROM noise, generate_series(1, 120 * current_setting('ledger.megabytes')::integer) i ORDER BY i;

INSERT INTO shop."Order Lines" ("Order Id", "line's number", sku, "select", quantity, price)
    SELECT i, line, 'fill-' || to_char((i + line) % 2000 + 1, 'FM000000'), substr(hex, 1 + i % 100000, 40),
        1 + i % 5, 1 + i % 300 + 0.99
    FROM noise, generate_series(1, 120 * current_setting('ledger.megabytes')::integer) i, generate_series(1, 2) line;

INSERT INTO shop.products (sku, title, dimensions, attributes)
    SELECT 'fill-' || to_char(i, 'FM000000'), 'Product ' || i, ARRAY[i % 90, 2.5, i % 7]::numeric(6, 2)[],
        jsonb_build_object('colour', 'blue', 'weight', i)
    FROM generate_series(1, 2000) i;

INSERT INTO shop.stock_levels (warehouse, sku, quantity, counted_at)
    SELECT 'main', 'fill-' || to_char(i, 'FM000000'), i % 500, timestamptz '2025-01-01 00:00+00'
    FROM generate_series(1, 2000) i;

INSERT INTO audit.events (reference, kind, detail, happened_at)
    SELECT 'fill:' || i, 'import', jsonb_build_object('n', i), timestamptz '2025-01-01 00:00+00' + i * interval '1 second'
    FROM generate_series(1, 1000) i, generate_series(0, i % 2);

INSERT INTO shop.measurements (sensor, reading, region, recorded_at, "Value")
    SELECT 'fill', i, (ARRAY['north', 'south', 'east'])[1 + i % 3],
        timestamptz '2025-01-01 00:00+00' + i % 700 * interval '1 day', i / 8.0
    FROM generate_series(1, 80 * current_setting('ledger.megabytes')::integer) i;

INSERT INTO shop.documents (reference, title, body, scan)
    SELECT 'fill:' || i, 'Document ' || i, substr(hex, 1 + i % 80000, 36000),
        decode(substr(hex, 1 + 2 * (i % 30000), 8000), 'hex')
    FROM noise, generate_series(1, 21 * current_setting('ledger.megabytes')::integer) i ORDER BY i;

INSERT INTO shop.invoices (currency, amount) SELECT 'EUR', i FROM generate_series(1, 500) i;
INSERT INTO shop.credit_notes (amount, reason) SELECT i, 'returned' FROM generate_series(1, 500) i;
INSERT INTO audit."Tickets" (subject) SELECT 'Ticket ' || i FROM generate_series(1, 500) i;
INSERT INTO shop.work_batches (id) VALUES (1);
INSERT INTO shop.work_items SELECT 1, i, 'fill:' || i FROM generate_series(1, 20) i;
INSERT INTO shop.carts SELECT 'fill:' || i, '{}' FROM generate_series(1, 100) i;

DROP TABLE noise;
REFRESH MATERIALIZED VIEW shop."Customers by Tier";
ANALYZE;
