-- Remembers that tokens of a user that were issued until now are no good.
--
-- KEYS revocation
-- ARGV 1 until when (s since 1970), 2 code and reason with which connections are closed, 3 how long that is remembered (ms)
local before = tonumber(string.match(redis.call('GET', KEYS[1]) or '', '^%d+'))
local until_when = ARGV[1]
if before and before > tonumber(until_when) then until_when = string.format('%.0f', before) end
redis.call('SET', KEYS[1], until_when .. ' ' .. ARGV[2], 'PX', ARGV[3])
return 1
