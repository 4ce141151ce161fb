INSERT INTO pgupgrade.owner AS o (resource, uid, cluster, epoch) VALUES ($1, $2, $3, 1)
ON CONFLICT (one) DO UPDATE SET resource = excluded.resource, cluster = excluded.cluster, epoch = o.epoch + 1
WHERE o.uid = excluded.uid
RETURNING epoch
