-- Revokes the tokens of a user that were issued before a time.
--
-- KEYS revocation
-- ARGV 1 the time (s since 1970), 2 close code and reason for the user's connections, 3 lifetime of this record (ms)
local before = tonumber(string.match(redis.call('GET', KEYS[1]) or '', '^%d+'))
local until_when = ARGV[1]
if before and before > tonumber(until_when) then until_when = string.format('%.0f', before) end
redis.call('SET', KEYS[1], until_when .. ' ' .. ARGV[2], 'PX', ARGV[3])
return 1
