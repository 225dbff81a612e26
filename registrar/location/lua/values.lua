-- The values of some contacts. KEYS: their keys. Reply: now in ms, the values.
local t = redis.call('TIME')
local reply = { t[1] * 1000 + math.floor(t[2] / 1000) }
for _, value in ipairs(redis.call('MGET', unpack(KEYS))) do
  if value then reply[#reply + 1] = value end
end
return reply
