-- Records that a node has no subscribers of a channel, and since when no node has any.
--
-- KEYS occupancy
-- ARGV 1 generation of the node
-- Returns {generation of the occupation, 1 if no node has subscribers}, or {0, 0} if the channel is not occupied.
delete_earlier_generations(KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[1], ARGV[1])
local generation = redis.call('HGET', KEYS[1], 'generation')
if not generation then return { 0, 0 } end
local holds = redis.call('HLEN', KEYS[1]) - 1 - redis.call('HEXISTS', KEYS[1], 'vacant')
if holds > 0 then return { tonumber(generation), 0 } end
local time = redis.call('TIME')
redis.call('HSETNX', KEYS[1], 'vacant', string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)))
return { tonumber(generation), 1 }
