-- Shared by the scripts that publish. It goes ahead of their text.

-- What is sent again may have been refused the first time, while something later of the same source was carried out; it would come behind that now. The
-- NL-2.6
-- keys of what is later are those from `first` on. An error with the identity of the server's data, or nothing.
local function overtaken(first)
    if #KEYS < first or redis.call('EXISTS', unpack(KEYS, first)) == 0 then return nil end
    return redis.error_reply('OVERTAKEN ' .. string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)'))
end

