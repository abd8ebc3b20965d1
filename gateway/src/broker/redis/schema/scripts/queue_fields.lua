-- Included at the start of the scripts that return entries.

-- Number of entries in one fetch. It is small, because fetched entries beyond the largest number of bytes are wasted work.
local CHUNK = 64

-- Bytes of all names and values of an entry.
local function bytes_of(fields)
    local bytes = 0
    for _, text in ipairs(fields) do bytes = bytes + #text end
    return bytes
end

-- Collects entries until there are as many as the limits allow. The first one may exceed the limit of all bytes.
local function collector(most, bytes, entry_bytes)
    local all = { found = {} }
    most, bytes, entry_bytes = tonumber(most), tonumber(bytes), tonumber(entry_bytes)
    -- Whether the entry had room. `fields` is false if the entry was deleted.
    function all.add(id, tries, fields)
        local size = fields and bytes_of(fields) or 0
        if size > entry_bytes then fields, size = size, 0 end
        if #all.found >= most or size > bytes and #all.found > 0 then return false end
        bytes = bytes - size
        all.found[#all.found + 1] = { id, tries, fields }
        return true
    end
    function all.room() return most - #all.found end
    return all
end

-- The fields of an entry, or false.
local function fetch(stream, id)
    local entry = redis.call('XRANGE', stream, id, id)[1]
    return entry and entry[2] or false
end
