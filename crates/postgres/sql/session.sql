-- An acknowledged commit survives a crash, whatever the database's owner has set.
SET synchronous_commit = 'on';
SET default_transaction_isolation = 'read committed';
SET default_transaction_deferrable = 'off';
SET search_path = pg_catalog;
SET client_min_messages = 'warning';
-- A row that a policy hides becomes an error instead of a wrong answer.
SET row_security = 'off';
SET bytea_output = 'hex';
-- Sessions that are opened ahead of their use must not be ended by the server's own limits.
SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN ('idle_session_timeout', 'transaction_timeout');
-- A statement whose operator has died ends; not every platform has the setting.
SELECT set_config(name, '2s', false) FROM pg_settings WHERE name = 'client_connection_check_interval';
