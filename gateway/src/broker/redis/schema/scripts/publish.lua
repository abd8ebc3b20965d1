-- Stores a publication and its idempotency key, or changes nothing. Then sends the publication to subscribers.
--
-- KEYS meta, stream, with a producer the producers of the channel, idempotency key; then the idempotency keys of later commands that may have run
--      before this one
-- ARGV 1 pub/sub channel, 2 body, 3 publications to keep, 4 their lifetime (ms), 5 lifetime of meta (ms), 6 fingerprint of the request
--      (empty if the gateway made the key), 7 lifetime of the idempotency key (ms), 8 fresh epoch, 9 PUBLISH or SPUBLISH,
--      10 the producer's "epoch number id" or nothing, 11 deadline by this server's clock (ms since 1970)
-- Returns {what, epoch, offset, 1 if the history was empty before}. `what` is "stored", "unannounced" (stored, but PUBLISH failed), or
-- "replayed" (an earlier request with this idempotency key stored it). {"done", epoch, first offset, last offset}: an earlier request with
-- this number stored it; without the position if that is forgotten. If it returns {"mismatch"}, {"gap", expected number},
-- {"fenced", epoch of the producer} or one of the errors LATE and OUTOFORDER, it has done nothing.
--
-- NL-2.1
-- Redis does not undo the writes of a script that fails. So a step that can fail either comes before the first write, or does not end the
-- script: XADD is the first write of the publication, and PUBLISH comes last. Before XADD, the script may only delete a stream that belongs to
-- another timeline.
local meta, stream = KEYS[1], KEYS[2]
local producer_epoch, seq, producer = string.match(ARGV[10], '^(%d+) (%d+) (.+)$')
local own = producer and 4 or 3
local key = KEYS[own]

-- NL-2.10
local answered = redis.call('GET', key)
if answered then
    local fingerprint, epoch, offset = string.match(answered, '^(%S*) (%S+) (%S+)$')
    if fingerprint ~= ARGV[6] then return { 'mismatch' } end
    return { 'replayed', epoch, offset }
end
-- NL-2.5
local time = redis.call('TIME')
if time[1] * 1000 + time[2] / 1000 > tonumber(ARGV[11]) then return redis.error_reply('LATE the command arrived after its deadline') end
local refusal = out_of_order(own + 1)
if refusal then return refusal end

local epoch, top, forks, replid, changed = timeline(meta, stream, ARGV[8])
-- NL-2.16
local positions
if producer then
    refusal, positions = judge(KEYS[3], producer, tonumber(producer_epoch), tonumber(seq), top)
    if refusal then return refusal end
end
local offset = string.format('%.0f', top + 1)
local add = { 'XADD', stream, 'MAXLEN', ARGV[3], offset .. '-0', 'd', ARGV[2] }
local added = redis.pcall(unpack(add))
if type(added) == 'table' and added.err then
    if string.find(added.err, 'equal or smaller', 1, true) then
        epoch, forks, changed = ARGV[8], discard(stream, ARGV[8], epoch, top, forks), true
    end
    -- Any other error occurs again here, and ends the script with its own code.
    redis.call(unpack(add))
end
if changed then
    redis.call('HSET', meta, 'epoch', epoch, 'top', offset, 'replid', replid, 'forks', forks)
else
    redis.call('HSET', meta, 'top', offset)
end
if producer then
    local span = epoch .. ':' .. offset .. ':' .. offset
    record_publish(KEYS[3], producer, producer_epoch, seq, span, positions, ARGV[5])
end
redis.call('SET', key, ARGV[6] .. ' ' .. epoch .. ' ' .. offset, 'PX', ARGV[7])
local first = redis.call('PTTL', stream) < 0 and 1 or 0
redis.call('PEXPIRE', stream, ARGV[4])
redis.call('PEXPIRE', meta, ARGV[5])
-- NL-2.2
local receivers = redis.pcall(ARGV[9], ARGV[1], 'p' .. epoch .. offset .. ' ' .. ARGV[2])
if type(receivers) == 'table' and receivers.err then return { 'unannounced', epoch, offset, first } end
return { 'stored', epoch, offset, first }
