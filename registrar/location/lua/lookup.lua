-- The bindings of an AOR; who asks leaves out what has ended. KEYS: its zset.
-- ARGV: prefix of contact keys. Reply: now in ms, then the values.
local t = redis.call('TIME')
local reply = { t[1] * 1000 + math.floor(t[2] / 1000) }
local cids = redis.call('ZRANGE', KEYS[1], 0, -1)
if #cids == 0 then return reply end
local keys = {}
for i, cid in ipairs(cids) do keys[i] = ARGV[1] .. cid end
for _, value in ipairs(redis.call('MGET', unpack(keys))) do
  if value then reply[#reply + 1] = value end
end
return reply
