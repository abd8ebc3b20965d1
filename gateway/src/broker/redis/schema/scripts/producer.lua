-- Included at the start of the script that publishes with a producer.

-- Number of producers that a channel remembers, and number of publishes of a producer whose positions are remembered.
local PRODUCERS, POSITIONS = 64, 16

-- A hash has the producers of a channel. A record is "epoch number", followed by " epoch:first:last" for each of the last publishes, newest
-- first: the positions in the channel.

-- The newest offset in a record.
local function newest(record)
    return tonumber(string.match(record, ':%d+:(%d+)'))
end

-- NL-2.15, NL-2.17
-- Judges the number `seq` of a producer in its epoch. `top` is the channel's newest offset. A producer that is ahead of it belongs to a timeline
-- that is lost, so it is not known. Returns the answer of the script, or nil and the positions of earlier publishes if the number is the next.
local function judge(producers, id, epoch, seq, top)
    local record = redis.call('HGET', producers, id)
    local known, last, positions = -1, -1, ''
    if record and newest(record) <= top then
        local text, number, rest = string.match(record, '^(%d+) (%d+)(.*)$')
        known, last, positions = tonumber(text), tonumber(number), rest
    end
    if epoch < known then return { 'fenced', string.format('%.0f', known) } end
    if epoch > known then last, positions = -1, '' end
    if seq > last + 1 then return { 'gap', string.format('%.0f', last + 1) } end
    if seq == last + 1 then return nil, positions end
    for of, first, upto in string.gmatch(positions, '(%w+):(%d+):(%d+)') do
        if seq == last then return { 'done', of, first, upto } end
        last = last - 1
    end
    return { 'done' }
end

-- NL-2.18
-- Records a publish. `span` is its positions, `positions` those of earlier publishes.
local function record_publish(producers, id, epoch, seq, span, positions, lifetime)
    local kept = { epoch, seq, span }
    for earlier in string.gmatch(positions, '%S+') do
        if #kept == POSITIONS + 2 then break end
        kept[#kept + 1] = earlier
    end
    local is_new = redis.call('HSET', producers, id, table.concat(kept, ' ')) == 1
    redis.call('PEXPIRE', producers, lifetime)
    if not is_new or redis.call('HLEN', producers) <= PRODUCERS then return end
    -- Forgets the producer that published least recently.
    local oldest, offset
    local all = redis.call('HGETALL', producers)
    for i = 1, #all, 2 do
        local this = newest(all[i + 1])
        if not offset or this < offset then oldest, offset = all[i], this end
    end
    redis.call('HDEL', producers, oldest)
end

