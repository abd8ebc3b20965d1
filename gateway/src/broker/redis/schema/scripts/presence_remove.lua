-- Removes a connection from presence, unless its entry belongs to another generation.
--
-- KEYS presence, users, nodes
-- ARGV 1 connection, 2 generation of the connection's node
-- Returns 1, or 0 if it removed nothing.
local before = redis.call('HGET', KEYS[1], ARGV[1])
if not before then return 0 end
local user, generation = string.match(before, '^([^\n]*)\n([^\n]*)')
if generation ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
if redis.call('HINCRBY', KEYS[2], user, -1) <= 0 then redis.call('HDEL', KEYS[2], user) end
if redis.call('HINCRBY', KEYS[3], generation, -1) <= 0 then redis.call('HDEL', KEYS[3], generation) end
return 1
