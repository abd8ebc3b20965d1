-- Ends an occupation of a channel if no node has subscribers.
--
-- KEYS occupancy
-- ARGV 1 generation of the occupation, 2 how long the generation is remembered (ms)
-- Returns 1 if the occupation is over, now or before; 0 if it continues.
if redis.call('HGET', KEYS[1], 'generation') ~= ARGV[1] then return 1 end
if redis.call('HLEN', KEYS[1]) > 1 then return 0 end
redis.call('HDEL', KEYS[1], 'generation')
redis.call('HSET', KEYS[1], 'vacated', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
