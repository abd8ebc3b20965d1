-- Counts a connection as present no more.
--
-- KEYS who, users
-- ARGV 1 connection
local before = redis.call('HGET', KEYS[1], ARGV[1])
if not before then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
local user = string.match(before, '^[^\n]*')
if redis.call('HINCRBY', KEYS[2], user, -1) <= 0 then redis.call('HDEL', KEYS[2], user) end
return 1
