SELECT '*', generation,
    left(encode(sha256(convert_to(string_agg(item || ':' || payload, '|' ORDER BY item), 'UTF8')), 'hex'), 16),
    1::bigint
FROM shop.work_items GROUP BY generation
