-- Sets or renews the assignment of this server.
--
-- KEYS assignment
-- ARGV 1 the assignment, 2 lifetime (ms), 3 "first" or "again": only "first" sets it where there is none
-- Answers the valid assignment, or an empty text.
local current = redis.call('GET', KEYS[1]) or ''
if current ~= ARGV[1] and (current ~= '' or ARGV[3] ~= 'first') then return current end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]
