INSERT INTO shop.carts (id, content) VALUES ($1::text, $2::text::jsonb)
ON CONFLICT (id) DO UPDATE SET content = excluded.content
