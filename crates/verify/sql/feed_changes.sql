SELECT data
FROM pg_logical_slot_get_binary_changes($1, $2, $3, VARIADIC
  ARRAY['proto_version', '1', 'publication_names', quote_ident($4)] || $5::text[])
