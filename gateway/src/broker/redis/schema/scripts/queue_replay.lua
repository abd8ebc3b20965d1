-- Puts a dead letter at the end of its partition, or changes nothing.
--
-- KEYS entries, dead
-- ARGV 1 id of the dead letter, 2 largest number of entries
-- Returns {"replayed"}, {"unknown"}, or {"full", number of entries}.
local letter = redis.call('XRANGE', KEYS[2], ARGV[1], ARGV[1])[1]
if not letter then return { 'unknown' } end
local length = redis.call('XLEN', KEYS[1])
if length >= tonumber(ARGV[2]) then return { 'full', length } end
local about, fields = about_dead(letter[2])
local add = { 'XADD', KEYS[1], '*' }
for i = 1, #fields, 2 do
    -- What has expired would expire again at once.
    if about[2] ~= 'expired' or fields[i] ~= 'expires_ms' or #fields == 2 then
        add[#add + 1] = fields[i]
        add[#add + 1] = fields[i + 1]
    end
end
redis.call(unpack(add))
redis.call('XDEL', KEYS[2], ARGV[1])
return { 'replayed' }
