-- Takes or renews a lock that expires.
--
-- KEYS lock
-- ARGV 1 holder: name and generation of a node, 2 lifetime (ms)
-- Returns 1, or 0 if another node holds the lock.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
