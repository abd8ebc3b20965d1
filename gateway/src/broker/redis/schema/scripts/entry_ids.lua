-- Included at the start of the scripts that compare ids of entries.

-- Whether an entry is newer than another. Their numbers may be too large for Lua.
local function is_newer(entry, other)
    local function compare(a, b)
        if #a ~= #b then return #a - #b end
        return a == b and 0 or (a < b and -1 or 1)
    end
    local ms, seq = string.match(entry, '^(%d+)-(%d+)$')
    local other_ms, other_seq = string.match(other, '^(%d+)-(%d+)$')
    local order = compare(ms, other_ms)
    return order > 0 or order == 0 and compare(seq, other_seq) > 0
end

