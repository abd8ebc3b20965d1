-- A node goes in peace, or its remains are cleared away.
--
-- KEYS nodes, lease of the node
-- ARGV 1 name, 2 generation
-- Answers 1; 0: it is of another generation by now.
local lease = redis.call('GET', KEYS[2])
if lease and lease ~= ARGV[2] then return 0 end
redis.call('DEL', KEYS[2])
redis.call('HDEL', KEYS[1], ARGV[1])
return 1
