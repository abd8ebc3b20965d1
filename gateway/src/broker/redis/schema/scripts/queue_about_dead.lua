-- Included at the start of the scripts that read dead letters.

-- Splits the fields of a dead letter: {entry, reason, tries, detail}, and the fields that the entry had. The first part is empty if another program
-- wrote the dead letter.
local function about_dead(fields)
    local first, about = #fields - 7, {}
    for i, name in ipairs({ 'dead_entry', 'dead_reason', 'dead_tries', 'dead_detail' }) do
        if first < 3 or fields[first + 2 * (i - 1)] ~= name then return {}, fields end
        about[i] = string.sub(fields[first + 2 * i - 1], 1, 1100)
    end
    for i = #fields, first, -1 do fields[i] = nil end
    return about, fields
end
