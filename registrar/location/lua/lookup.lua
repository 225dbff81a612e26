-- The live bindings of an AOR. KEYS: its zset. ARGV: prefix of contact keys.
-- Reply: now in ms, then the values.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local reply = { now }
local cids = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. string.format('%.0f', now), '+inf')
if #cids == 0 then return reply end
local keys = {}
for i, cid in ipairs(cids) do keys[i] = ARGV[1] .. cid end
for _, value in ipairs(redis.call('MGET', unpack(keys))) do
  if value then reply[#reply + 1] = value end
end
return reply
