-- What changes rows while changes from the source are applied, in the name of the subscription: triggers and rules that
-- fire for a replica.
SELECT format('trigger %I on %s', t.tgname, t.tgrelid::regclass)
FROM pg_trigger AS t
  JOIN pg_proc AS p ON p.oid = t.tgfoid
WHERE NOT t.tgisinternal AND t.tgenabled IN ('A', 'R') AND p.pronamespace::regnamespace::text <> 'pgupgrade'
UNION ALL
SELECT format('rule %I on %s', r.rulename, r.ev_class::regclass)
FROM pg_rewrite AS r
WHERE r.ev_enabled IN ('A', 'R') AND r.rulename <> '_RETURN'
ORDER BY 1
LIMIT 1
