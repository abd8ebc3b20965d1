-- Counts a connection as present, or replaces what is known of it.
--
-- KEYS who, users
-- ARGV 1 connection, 2 user, 3 generation of the node that holds it, 4 what others see of it
local before = redis.call('HGET', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. '\n' .. ARGV[3] .. '\n' .. ARGV[4])
if before then
    local user = string.match(before, '^[^\n]*')
    if user == ARGV[2] then return 0 end
    if redis.call('HINCRBY', KEYS[2], user, -1) <= 0 then redis.call('HDEL', KEYS[2], user) end
end
redis.call('HINCRBY', KEYS[2], ARGV[2], 1)
return 1
