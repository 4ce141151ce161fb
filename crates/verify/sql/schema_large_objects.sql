-- A page of large objects at a time; trailing zeros and pages that are not there are the same content.
SELECT m.oid,
  pg_get_userbyid(m.lomowner)::text AS owner,
  (
    SELECT string_agg(g::text, ', ' ORDER BY g::text COLLATE "C")
    FROM unnest(COALESCE(m.lomacl, acldefault('L', m.lomowner))) g
  ) AS privileges,
  true AS readable,
  COALESCE(p.bytes, 0) AS bytes,
  COALESCE(p.digest, 0)::text AS digest
FROM pg_largeobject_metadata m
LEFT JOIN (
  SELECT loid,
    max(pageno::bigint * current_setting('block_size')::bigint / 4 + octet_length(data)) AS bytes,
    sum(('x' || left(encode(sha256(int4send(pageno) || content), 'hex'), 16))::bit(64)::bigint) FILTER (WHERE content <> '') AS digest
  FROM pg_largeobject
  CROSS JOIN LATERAL (
    SELECT data AS content -- before 14
    SELECT rtrim(data, '\x00') AS content -- from 14
  ) c
  GROUP BY loid
) p ON p.loid = m.oid
