-- Reads dead letters.
--
-- KEYS dead
-- ARGV 1 begin of the range, 2 its end, 3 largest number, 4 largest number of bytes (the first may exceed it), 5 largest number of bytes of one
-- Returns {{id, {entry, reason, tries, detail}, fields}, ...}. In place of fields that are too large it has their size. The second part is empty if
-- another program wrote the dead letter.
local all = collector(ARGV[3], ARGV[4], ARGV[5])
local from, full = ARGV[1], false
while not full and all.room() > 0 do
    local count = math.min(all.room(), CHUNK)
    local letters = redis.call('XRANGE', KEYS[1], from, ARGV[2], 'COUNT', count)
    for _, letter in ipairs(letters) do
        local about, fields = about_dead(letter[2])
        full = full or not all.add(letter[1], about, fields)
        from = '(' .. letter[1]
    end
    if #letters < count then break end
end
return all.found
