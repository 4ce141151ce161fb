-- NULL for a role without one: whoever may not read passwords has no such column.
SELECT 'role' AS kind, rolname AS name, encode(sha256(textsend(rolpassword)), 'hex') AS password
FROM pg_authid
WHERE rolname !~ '^(pg_|pgupgrade_)'
