INSERT INTO shop.work_items (generation, item, payload)
SELECT $1::text::integer, item, $2::text FROM generate_series(1, $3::text::integer) item
