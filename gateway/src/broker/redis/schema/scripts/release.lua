-- Records that a node has no subscribers of a channel.
--
-- KEYS occupancy
-- ARGV 1 generation of the node
-- Returns {generation of the occupation, 1 if no node has subscribers}, or {0, 0} if the channel is not occupied.
redis.call('HDEL', KEYS[1], ARGV[1])
local generation = redis.call('HGET', KEYS[1], 'generation')
if not generation then return { 0, 0 } end
return { tonumber(generation), redis.call('HLEN', KEYS[1]) == 1 and 1 or 0 }
