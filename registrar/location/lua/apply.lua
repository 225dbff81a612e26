-- One Update of one AOR, all or nothing. The rules are those of rules.go.
-- KEYS: bindings of the AOR (zset), index of the shard (zset), stream of the
--       shard, then the key of each contact.
-- ARGV: 1 prefix of contact keys, 2 prefix of index members, 3 Call-ID and
--       4 CSeq (as in JSON), 5 most contacts (0 no bound), 6 wildcard ('' no,
--       '*' all, else the device as in JSON), 7 length of the stream, then per
--       contact: id, ttl in ms, content.
-- A value is HEAD .. content, see record.go; equal content is equal text.
-- Reply: status (0 done, 1 repetition, -1 stale, -2 too many), now in ms, then
--       per contact when it was registered (0: it is not), then the values of
--       all other bindings; after a repetition those of all.
local akey, xkey, skey = KEYS[1], KEYS[2], KEYS[3]
local kprefix, mprefix, callid, cseqtext = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local cseq, max, scope, keep = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6], ARGV[7]
local ncontacts = #KEYS - 3
local HEAD = '^{"v":1,"registeredAt":(%d+),"refreshedAt":(%d+),"expiresAt":(%d+),"cseq":(%d+),"callId":("[^"]*"),()'
local call, match, find, format = redis.call, string.match, string.find, string.format
local t = call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)

-- What is stored. Long strings are costly to make in this Lua (each is hashed
-- byte by byte), so values are compared in place.
local stored, order, dead = {}, {}, {}
local cids = call('ZRANGE', akey, 0, -1)
if #cids > 0 then
  local keys = {}
  for i = 1, #cids do keys[i] = kprefix .. cids[i] end
  local values = call('MGET', unpack(keys))
  for i = 1, #cids do
    local cid, value = cids[i], values[i]
    local reg, ref, expires, seq, id, at
    if value then reg, ref, expires, seq, id, at = match(value, HEAD) end
    if at and tonumber(expires) > now then
      stored[cid] = { value = value, reg = reg, ref = ref, expires = expires, cseq = tonumber(seq), callid = id, at = at }
      order[#order + 1] = cid
    else
      dead[#dead + 1] = cid
    end
  end
end

-- The usual case: one contact, which is there and only lives on, for longer.
if ncontacts == 1 and scope == '' and #dead == 0 then
  local cid, ttl, content = ARGV[8], tonumber(ARGV[9]), ARGV[10]
  local b = stored[cid]
  if b and ttl > 0 and now + ttl >= tonumber(b.expires) and (b.callid ~= callid or cseq > b.cseq) and
      #b.value - b.at + 1 == #content and find(b.value, content, b.at, true) == b.at then
    local expires = format('%d', now + ttl)
    call('SET', KEYS[4], '{"v":1,"registeredAt":' .. b.reg .. ',"refreshedAt":' .. format('%d', now) ..
      ',"expiresAt":' .. expires .. ',"cseq":' .. cseqtext .. ',"callId":' .. callid .. ',' .. content, 'PXAT', expires)
    call('ZADD', akey, expires, cid)
    call('ZADD', xkey, expires, mprefix .. cid)
    local reply, last = { 0, now, tonumber(b.reg) }, expires
    for i = 1, #order do
      local other = order[i]
      if other ~= cid then
        local o = stored[other]
        reply[#reply + 1] = o.value
        if o.expires > last then last = o.expires end
      end
    end
    call('PEXPIREAT', akey, last)
    return reply
  end
end

local function stale(b) return b.callid == callid and cseq <= b.cseq end

local function same(b, content)
  return #b.value - b.at + 1 == #content and find(b.value, content, b.at, true) == b.at
end

local function device(text, at) return match(text, '^"device":("[^"]*"),', at) end

-- Nothing is written before everything is decided.
local contacts, named, drops = {}, {}, {}
for i = 1, ncontacts do
  local at = 8 + 3 * (i - 1)
  local c = { cid = ARGV[at], ttl = tonumber(ARGV[at + 1]), content = ARGV[at + 2], key = KEYS[3 + i] }
  contacts[i] = c
  named[c.cid] = true
end

local count = #order
if scope ~= '' then
  for _, cid in ipairs(order) do
    local b = stored[cid]
    if scope == '*' or device(b.value, b.at) == scope then
      if stale(b) then return { -1, now } end
      drops[#drops + 1] = { cid, 'removed' }
    end
  end
else
  local repeated, fresh = false, false
  for _, c in ipairs(contacts) do
    local b = stored[c.cid]
    if not b then
      fresh = fresh or c.ttl > 0
    elseif not stale(b) then
      fresh = true
    elseif c.ttl > 0 and cseq == b.cseq and same(b, c.content) then
      repeated = true
    else
      return { -1, now }
    end
  end
  if repeated then
    if fresh then return { -1, now } end
    local reply = { 1, now }
    for _, cid in ipairs(order) do reply[#reply + 1] = stored[cid].value end
    return reply
  end
  local adds = {}
  for _, c in ipairs(contacts) do
    local b = stored[c.cid]
    if b and c.ttl == 0 then
      drops[#drops + 1] = { c.cid, 'removed' }
      b.gone = true
      count = count - 1
    elseif not b and c.ttl > 0 then
      adds[#adds + 1] = c
    end
  end
  for _, c in ipairs(adds) do
    while max > 0 and count >= max do
      local owner, victim, v = device(c.content, 1), nil, nil
      if owner ~= '""' then
        for _, cid in ipairs(order) do
          local b = stored[cid]
          if not b.gone and not named[cid] and device(b.value, b.at) == owner and
              (not v or b.ref < v.ref or b.ref == v.ref and (b.reg < v.reg or b.reg == v.reg and cid < victim)) then
            victim, v = cid, b
          end
        end
      end
      if not victim then return { -2, now } end
      v.gone = true
      count = count - 1
      c.evicts = c.evicts or {}
      c.evicts[#c.evicts + 1] = victim
    end
    count = count + 1
  end
end

local function emit(kind, cid, expires, value)
  call('XADD', skey, 'MAXLEN', '~', keep, '*', 'k', kind, 'm', mprefix .. cid, 'e', expires, 'v', value)
end

local function drop(cid, kind)
  local b = stored[cid]
  call('DEL', kprefix .. cid)
  call('ZREM', akey, cid)
  call('ZREM', xkey, mprefix .. cid)
  emit(kind, cid, b.expires, b.value)
  stored[cid] = nil
end

for _, cid in ipairs(dead) do
  local expires = call('ZSCORE', xkey, mprefix .. cid)
  call('ZREM', akey, cid)
  if call('ZREM', xkey, mprefix .. cid) == 1 then emit('expired', cid, expires, '') end
end
for _, d in ipairs(drops) do drop(d[1], d[2]) end

local nowtext = format('%d', now)

local function put(c)
  local b = stored[c.cid]
  local expires = format('%d', now + c.ttl)
  local value = '{"v":1,"registeredAt":' .. (b and b.reg or nowtext) .. ',"refreshedAt":' .. nowtext ..
    ',"expiresAt":' .. expires .. ',"cseq":' .. cseqtext .. ',"callId":' .. callid .. ',' .. c.content
  local member = mprefix .. c.cid
  -- The zset of the AOR may have run out with its last binding before anyone
  -- could report that one.
  local old = not b and call('ZSCORE', xkey, member)
  call('SET', c.key, value, 'PXAT', expires)
  call('ZADD', akey, expires, c.cid)
  call('ZADD', xkey, expires, member)
  if not b then
    if old then emit('expired', c.cid, old, '') end
    emit('added', c.cid, expires, value)
  elseif not same(b, c.content) then
    emit('changed', c.cid, expires, value)
  elseif now + c.ttl < tonumber(b.expires) then
    -- Who knows the later end would take the report of the earlier one for old.
    emit('refreshed', c.cid, expires, value)
  end
  stored[c.cid] = { expires = expires, reg = b and b.reg or nowtext }
end

for _, c in ipairs(contacts) do
  if c.ttl > 0 and stored[c.cid] then put(c) c.done = true end
end
for _, c in ipairs(contacts) do
  if c.ttl > 0 and not c.done then
    for _, cid in ipairs(c.evicts or {}) do drop(cid, 'evicted') end
    put(c)
  end
end

local reply = { 0, now }
for i, c in ipairs(contacts) do reply[2 + i] = stored[c.cid] and tonumber(stored[c.cid].reg) or 0 end
local last = '0'
for cid, b in pairs(stored) do
  if b.expires > last then last = b.expires end
  if not named[cid] then reply[#reply + 1] = b.value end
end
if last ~= '0' and (ncontacts > 0 or scope ~= '') then call('PEXPIREAT', akey, last) end
return reply
