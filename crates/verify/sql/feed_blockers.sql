SELECT string_agg(who, ', ')
FROM (
  SELECT format('backend %s (%s of user %s in database %s, open for %s s)', pid, COALESCE(NULLIF(application_name, ''), backend_type),
    usename, datname, round(extract(epoch FROM clock_timestamp() - xact_start))) AS who
  FROM pg_stat_activity
  WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()
  ORDER BY xact_start
  LIMIT 5
) oldest
