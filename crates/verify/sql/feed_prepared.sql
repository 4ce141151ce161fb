-- Of all databases: the creation of a slot waits for those too.
SELECT string_agg(format('%L of %s in database %s', gid, owner, database), ', ' ORDER BY prepared)
FROM pg_prepared_xacts
