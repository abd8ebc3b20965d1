-- Sets or renews the assignment of this server.
--
-- KEYS assignment
-- ARGV 1 the assignment, 2 lifetime (ms), 3 "first" or "again": only "first" sets a missing assignment
-- Returns the assignment that is valid now, or an empty text.
local current = redis.call('GET', KEYS[1]) or ''
if current ~= ARGV[1] and (current ~= '' or ARGV[3] ~= 'first') then return current end
-- A server whose memory is full refuses SET but accepts PEXPIRE.
if current == '' then
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
else
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return ARGV[1]
