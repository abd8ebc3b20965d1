-- A node says that it lives, and what it is.
--
-- KEYS nodes, lease of this node
-- ARGV 1 name, 2 generation, 3 record, 4 lease (ms), 5 "first" or "again"
-- Answers 1; 0: the lease had ended, or is another generation's: the node may have been taken for dead.
if ARGV[5] == 'again' and redis.call('GET', KEYS[2]) ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[4])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
