-- The last entry of a stream, which is begun when it is not there, so that there
-- is one to stand on. KEYS: stream.
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
if #last > 0 then return last[1][1] end
return redis.call('XADD', KEYS[1], '*', 'k', '', 'm', '', 'e', 0, 'v', '')
