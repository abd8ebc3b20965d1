-- Counts a connection as present no more, unless a node of another generation holds it by now.
--
-- KEYS who, users, nodes
-- ARGV 1 connection, 2 generation of the node that held it
-- Answers what others saw of it; nil: it was not there.
local before = redis.call('HGET', KEYS[1], ARGV[1])
if not before then return false end
local user, generation, seen = string.match(before, '^([^\n]*)\n([^\n]*)\n(.*)$')
if generation ~= ARGV[2] then return false end
redis.call('HDEL', KEYS[1], ARGV[1])
if redis.call('HINCRBY', KEYS[2], user, -1) <= 0 then redis.call('HDEL', KEYS[2], user) end
if redis.call('HINCRBY', KEYS[3], generation, -1) <= 0 then redis.call('HDEL', KEYS[3], generation) end
return seen
