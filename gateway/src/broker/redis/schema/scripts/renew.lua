-- Renews the lease and the record of a node.
--
-- KEYS nodes, lease of this node's generation
-- ARGV 1 name and generation, 2 record, 3 lease (ms), 4 "first" or "again"
-- Returns 1, or 0 if the lease had expired. In that case, other nodes may have declared this node dead.
-- NL-7.1
if ARGV[4] == 'again' and redis.call('EXISTS', KEYS[2]) == 0 then return 0 end
redis.call('SET', KEYS[2], '', 'PX', ARGV[3])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
