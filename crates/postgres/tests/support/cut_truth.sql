-- The decoded transactions in order, by another decoder than the one under test: those that wrote into the journal.
SELECT xid::text::bigint, bool_or(encode(substr(data, 1, 1), 'escape') = 'I' AND substr(data, 2, 4) = journal.oid)
FROM pg_logical_slot_peek_binary_changes($1, NULL, NULL, 'proto_version', '1', 'publication_names', 'pgupgrade_6b2f0c1e_a1_main')
  WITH ORDINALITY AS changes(lsn, xid, data, place),
  LATERAL (SELECT int4send('s.journal'::regclass::oid::int) AS oid) journal
GROUP BY xid
ORDER BY min(place)
