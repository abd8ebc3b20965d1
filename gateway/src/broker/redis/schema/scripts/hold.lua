-- Records that a node has subscribers of a channel. Begins an occupation of the channel if there is none.
--
-- KEYS occupancy
-- ARGV 1 generation of the node
-- Returns {generation of the occupation, 1 if this node began it}.
delete_earlier_generations(KEYS[1], ARGV[1])
local generation = redis.call('HGET', KEYS[1], 'generation')
if generation then
    redis.call('HDEL', KEYS[1], 'vacant')
    redis.call('HSETNX', KEYS[1], ARGV[1], 0)
    return { tonumber(generation), tonumber(redis.call('HGET', KEYS[1], ARGV[1])) }
end
-- The time grows even if this server loses the last generation.
local time = redis.call('TIME')
local last = tonumber(redis.call('HGET', KEYS[1], 'vacated') or 0)
generation = math.max(time[1] * 1000 + math.floor(time[2] / 1000), last + 1)
redis.call('HDEL', KEYS[1], 'vacated')
redis.call('HSET', KEYS[1], 'generation', string.format('%.0f', generation), ARGV[1], 1)
redis.call('PERSIST', KEYS[1])
return { generation, 1 }
