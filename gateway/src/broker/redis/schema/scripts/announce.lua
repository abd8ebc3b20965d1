-- Announces a publication that is not stored, unless an earlier request with the same key did.
--
-- KEYS key, those of later commands that may have been carried out before this one
-- ARGV 1 pub/sub channel, 2 what is sent, 3 fingerprint of the request, 4 life of the key (ms), 5 PUBLISH or SPUBLISH,
--      6 latest time on this server's clock (ms since 1970)
-- Answers {"announced"}, {"replayed"}; or {"mismatch"}, an error LATE or OVERTAKEN: nothing was done.
local answered = redis.call('GET', KEYS[1])
if answered then
    if answered ~= ARGV[3] then return { 'mismatch' } end
    return { 'replayed' }
end
local time = redis.call('TIME')
if time[1] * 1000 + time[2] / 1000 > tonumber(ARGV[6]) then return redis.error_reply('LATE it came after its deadline') end
local refusal = overtaken(2)
if refusal then return refusal end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
local told = redis.pcall(ARGV[5], ARGV[1], ARGV[2])
if type(told) == 'table' and told.err then
    redis.call('DEL', KEYS[1])
    return told
end
return { 'announced' }
