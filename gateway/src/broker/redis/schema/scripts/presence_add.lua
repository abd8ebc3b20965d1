-- Adds a connection to presence, or replaces its entry.
--
-- KEYS presence, users, nodes
-- ARGV 1 connection, 2 user, 3 generation of the connection's node, 4 info that other clients see
-- Returns 1, or 0 if it replaced an entry.
local function decrement(counts, field)
    if redis.call('HINCRBY', counts, field, -1) <= 0 then redis.call('HDEL', counts, field) end
end

local before = redis.call('HGET', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. '\n' .. ARGV[3] .. '\n' .. ARGV[4])
redis.call('HINCRBY', KEYS[2], ARGV[2], 1)
redis.call('HINCRBY', KEYS[3], ARGV[3], 1)
if not before then return 1 end
local user, generation = string.match(before, '^([^\n]*)\n([^\n]*)')
decrement(KEYS[2], user)
decrement(KEYS[3], generation)
return 0
