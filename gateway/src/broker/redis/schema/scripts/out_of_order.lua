-- Included at the start of the scripts that publish.

-- NL-2.6
-- Refuses a repeated command if a later command of the same order has already run, because the repeat would then run out of order. KEYS
-- from `first` on are the idempotency keys of those later commands. Returns an error with the identity of the server's data, or nil.
local function out_of_order(first)
    if #KEYS < first or redis.call('EXISTS', unpack(KEYS, first)) == 0 then return nil end
    return redis.error_reply('OUTOFORDER ' .. string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)'))
end

