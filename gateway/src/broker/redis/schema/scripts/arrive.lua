-- Counts a connection as present, or replaces what is known of it.
--
-- KEYS who, users, nodes
-- ARGV 1 connection, 2 user, 3 generation of the node that holds it, 4 what others see of it
local function fewer(counts, of)
    if redis.call('HINCRBY', counts, of, -1) <= 0 then redis.call('HDEL', counts, of) end
end

local before = redis.call('HGET', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. '\n' .. ARGV[3] .. '\n' .. ARGV[4])
redis.call('HINCRBY', KEYS[2], ARGV[2], 1)
redis.call('HINCRBY', KEYS[3], ARGV[3], 1)
if not before then return 1 end
local user, generation = string.match(before, '^([^\n]*)\n([^\n]*)')
fewer(KEYS[2], user)
fewer(KEYS[3], generation)
return 0
