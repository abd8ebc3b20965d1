-- Stores one or several publications and their idempotency key, or changes nothing. Then sends the publications to subscribers.
--
-- KEYS meta, stream, with a producer the producers of the channel, idempotency key; then the idempotency keys of later commands that may have run
--      before this one
-- ARGV 1 pub/sub channel, 2 publications to keep, 3 their lifetime (ms), 4 lifetime of meta (ms), 5 fingerprint of the request (empty if the
--      gateway made the key), 6 lifetime of the idempotency key (ms), 7 fresh epoch, 8 PUBLISH or SPUBLISH, 9 nothing, or with a producer or an
--      entry of ingest "place|number": the place as `judge_entry` takes it or nothing, the producer's "epoch number id" or nothing; then the
--      bodies, at most as many as to keep; last: deadline by this server's clock (ms since 1970)
-- Returns {what, epoch, last offset, 1 if the history was empty before}. `what` is "stored", "unannounced" (stored, but PUBLISH failed), or
-- "replayed" (an earlier request with this idempotency key stored them). {"done", epoch, first offset, last offset}: an earlier request with
-- this number stored it; without the position if that is forgotten. {"passed"}: the channel has passed this entry of ingest. If it returns
-- {"mismatch"}, {"gap", expected number}, {"fenced", epoch of the producer}, {"early"}, {"stale", epoch of the owner} or one of the errors LATE
-- and OUTOFORDER, it has done nothing.
--
-- NL-2.1
-- Redis does not undo the writes of a script that fails. So a step that can fail either comes before the first write, or does not end the
-- script: XADD is the first write of the publication, and PUBLISH comes last. Before XADD, the script may only delete a stream that belongs to
-- another timeline.
local meta, stream = KEYS[1], KEYS[2]
local own, place, number = 3, '', ''
if ARGV[9] ~= '' then
    place, number = string.match(ARGV[9], '^(.-)|(.*)$')
    if number ~= '' then own = 4 end
end
local key = KEYS[own]

-- NL-2.10
local answered = redis.call('GET', key)
if answered then
    local fingerprint, epoch, offset = string.match(answered, '^(%S*) (%S+) (%S+)$')
    if fingerprint ~= ARGV[5] then return { 'mismatch' } end
    return place ~= '' and pass_entry(meta, place) or { 'replayed', epoch, offset }
end
-- NL-2.5
local time = redis.call('TIME')
if time[1] * 1000 + time[2] / 1000 > tonumber(ARGV[#ARGV]) then return redis.error_reply('LATE the command arrived after its deadline') end
local refusal = out_of_order(own + 1)
if refusal then return refusal end

local field = place ~= '' and field_of(place) or nil
local epoch, top, forks, replid, changed, record = timeline(meta, stream, ARGV[7], field)
if field then
    local what
    what, record = judge_entry(place, record)
    if what == 'passed' then redis.call('HSET', meta, field, record) end
    if what ~= 'next' then return { what, what == 'stale' and record or nil } end
end
-- NL-2.16
local producer_epoch, seq, producer, positions
if own == 4 then
    producer_epoch, seq, producer = string.match(number, '^(%d+) (%d+) (.+)$')
    refusal, positions = judge(KEYS[3], producer, tonumber(producer_epoch), tonumber(seq), top)
    if refusal then return refusal[1] == 'done' and place ~= '' and pass_entry(meta, place) or refusal end
end
local first = string.format('%.0f', top + 1)
local add = { 'XADD', stream, 'MAXLEN', ARGV[2], first .. '-0', 'd', ARGV[10] }
local added = redis.pcall(unpack(add))
if type(added) == 'table' and added.err then
    if string.find(added.err, 'equal or smaller', 1, true) then
        epoch, forks, changed = ARGV[7], discard(stream, ARGV[7], epoch, top, forks), true
    end
    -- Any other error occurs again here, and ends the script with its own code.
    redis.call(unpack(add))
end
-- None of these fails: their offsets follow the first, and a script that has written may exceed maxmemory.
local count, last = #ARGV - 10, first
for i = 2, count do
    last = string.format('%.0f', top + i)
    redis.call('XADD', stream, 'MAXLEN', ARGV[2], last .. '-0', 'd', ARGV[9 + i])
end
if changed then redis.call('HSET', meta, 'epoch', epoch, 'replid', replid, 'forks', forks) end
if field then
    redis.call('HSET', meta, 'top', last, field, record)
else
    redis.call('HSET', meta, 'top', last)
end
if producer then
    local span = epoch .. ':' .. first .. ':' .. last
    record_publish(KEYS[3], producer, producer_epoch, seq, span, positions, ARGV[4])
end
redis.call('SET', key, ARGV[5] .. ' ' .. epoch .. ' ' .. last, 'PX', ARGV[6])
local was_empty = redis.call('PTTL', stream) < 0 and 1 or 0
redis.call('PEXPIRE', stream, ARGV[3])
redis.call('PEXPIRE', meta, ARGV[4])
-- NL-2.2
local what = 'stored'
for i = 1, count do
    local offset = i == count and last or string.format('%.0f', top + i)
    local receivers = redis.pcall(ARGV[8], ARGV[1], 'p' .. epoch .. offset .. ' ' .. ARGV[9 + i])
    if type(receivers) == 'table' and receivers.err then what = 'unannounced' end
end
return { what, epoch, last, was_empty }
