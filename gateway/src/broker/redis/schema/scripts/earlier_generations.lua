-- Deletes the fields of earlier generations of a process of a node: `name process.number` with a smaller number. A process that was stopped may write
-- under a generation that others have already cleaned up after.
local function delete_earlier_generations(key, node)
    local process, number = string.match(node, '^(.*%.)(%d+)$')
    if not process then return end
    for _, field in ipairs(redis.call('HKEYS', key)) do
        local other = string.sub(field, 1, #process) == process and tonumber(string.sub(field, #process + 1))
        if other and other < tonumber(number) then redis.call('HDEL', key, field) end
    end
end

