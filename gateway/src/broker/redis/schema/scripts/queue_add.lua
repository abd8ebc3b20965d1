-- Stores an event at the end of a partition, or changes nothing.
--
-- KEYS entries, what the repeats of the event find; then the same of later events that may have been stored before this one
-- ARGV 1 largest number of entries, 2 id of the event, 3 its key, 4 event, 5 time until it expires (ms, or nothing), 6 digest of the data (nothing
--      if only the id tells a repeat), 7 how long a repeat is recognised (ms), 8 token of this command; last: deadline by this server's clock (ms
--      since 1970)
-- Returns {"stored", id of the entry}, {"repeated", id of the event}, {"mismatch"}, or {"full", number of entries}. After any of the last three, or
-- one of the errors LATE and OUTOFORDER, it has done nothing.
--
-- NL-8.4
-- Redis does not undo the writes of a script that fails. So all steps that can fail come before the first write, or are the first write.
local entries, once = KEYS[1], KEYS[2]

local known = redis.call('GET', once)
if known then
    local token, body, entry, id = string.match(known, '^(%x+) (%x*) (%S+) (.*)$')
    -- WAIT covers the last write of its connection. Without one here, it would not wait for the event.
    redis.call('PEXPIRE', once, math.max(redis.call('PTTL', once), 1))
    -- This very command, whose answer was lost or which waited for replicas in vain.
    if token == ARGV[8] then return { 'stored', entry } end
    if body ~= ARGV[6] then return { 'mismatch' } end
    return { 'repeated', id }
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if now > tonumber(ARGV[#ARGV]) then return redis.error_reply('LATE the command arrived after its deadline') end
local refusal = out_of_order(3)
if refusal then return refusal end
-- NL-8.9
local length = redis.call('XLEN', entries)
if length >= tonumber(ARGV[1]) then return { 'full', length } end

local add = { 'XADD', entries, '*', 'id', ARGV[2], 'key', ARGV[3], 'event', ARGV[4] }
if ARGV[5] ~= '' then
    add[#add + 1] = 'expires_ms'
    add[#add + 1] = string.format('%.0f', now + ARGV[5])
end
local id = redis.call(unpack(add))
redis.call('SET', once, table.concat({ ARGV[8], ARGV[6], id, ARGV[2] }, ' '), 'PX', ARGV[7])
return { 'stored', id }
