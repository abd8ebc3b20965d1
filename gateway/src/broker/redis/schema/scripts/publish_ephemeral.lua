-- Sends a publication to subscribers without storing it, unless an earlier request with the same idempotency key did so.
--
-- KEYS idempotency key; then the idempotency keys of later commands that may have run before this one
-- ARGV 1 pub/sub channel, 2 message, 3 fingerprint of the request, 4 lifetime of the idempotency key (ms), 5 PUBLISH or SPUBLISH,
--      6 deadline by this server's clock (ms since 1970)
-- Returns {"announced"} or {"replayed"}. If it returns {"mismatch"} or one of the errors LATE and OUTOFORDER, it has done nothing.
local answered = redis.call('GET', KEYS[1])
if answered then
    if answered ~= ARGV[3] then return { 'mismatch' } end
    return { 'replayed' }
end
local time = redis.call('TIME')
if time[1] * 1000 + time[2] / 1000 > tonumber(ARGV[6]) then return redis.error_reply('LATE the command arrived after its deadline') end
local refusal = out_of_order(2)
if refusal then return refusal end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
local receivers = redis.pcall(ARGV[5], ARGV[1], ARGV[2])
if type(receivers) == 'table' and receivers.err then
    redis.call('DEL', KEYS[1])
    return receivers
end
return { 'announced' }
