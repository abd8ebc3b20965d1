-- A node claims something for a time, or goes on claiming it.
--
-- KEYS claim
-- ARGV 1 name and generation, 2 for how long (ms)
-- Answers 1; 0: another one has it.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
