-- Updates of some AORs, each all or nothing and in order. The rules are those of
-- rules.go.
-- KEYS: per update the bindings of the AOR (zset) and the key of each contact.
-- ARGV: length of the stream, then per update: contacts, CSeq (10 places), Call-ID
--       (as in JSON), most contacts (0 no bound), wildcard ('' no, '*' all, else
--       the device as in JSON), then per contact: ttl in ms, hash, content.
-- All other keys are of the slot of the first: they are made from its name. A value
-- is HEAD .. content, see record.go; equal hashes mean equal Call-ID and content.
-- Reply: now in ms, then per update: when it was registered, for one contact that
--       is alone and only lives on; else a list: status (0 done, 1 repetition,
--       -1 stale, -2 too many, -3 an error and its text), then per contact when it
--       was registered (0: it is not), then the values of all other bindings;
--       after a repetition those of all.
-- The scores of both zsets are never later than the end of a binding, and may be
-- earlier: a refresh does not move them, sweep.lua does when their time has come.
local HEAD = '^{"v":2,"refreshedAt":(%d+),"expiresAt":(%d+),"cseq":(%d+) *,"registeredAt":(%d+),"hash":"%x+","callId":("[^"]*"),()'
local call, match, find, format, sub = redis.call, string.match, string.find, string.format, string.sub
local t = call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local nowtext = format('%d', now)
local keep = ARGV[1]

-- What a refresh writes, up to the CSeq, is the same for equal ttls.
local lastttl, ends, moved

local function moving(ttl)
  if ttl ~= lastttl then
    lastttl, ends = ttl, format('%d', now + tonumber(ttl))
    moved = '"refreshedAt":' .. nowtext .. ',"expiresAt":' .. ends .. ',"cseq":'
  end
end

-- The reply to a refresh that keeps its registration of reg, or nil when there is
-- something to clear away.
local function others(akey, ckey, reg)
  local n = call('ZCARD', akey)
  if n == 1 then return tonumber(reg) end
  local base, aor = match(akey, '^(.*:)a:([^:]*)$')
  local keys = {}
  for _, cid in ipairs(call('ZRANGE', akey, 0, -1)) do
    local key = base .. 'contact:' .. aor .. ':' .. cid
    if key ~= ckey then keys[#keys + 1] = key end
  end
  if #keys ~= n - 1 or n == 0 then return nil end
  local reply = { 0, tonumber(reg) }
  for _, value in ipairs(call('MGET', unpack(keys))) do
    if not value or sub(value, 48, 60) <= nowtext then return nil end
    reply[#reply + 1] = value
  end
  return reply
end

local function update(k, a)
  local akey, ncontacts, cseqtext, callid = KEYS[k], tonumber(ARGV[a]), ARGV[a + 1], ARGV[a + 2]
  local cseq, scope = tonumber(cseqtext), ARGV[a + 4]

  -- The usual case: one contact, which is there and only lives on, for longer.
  if ncontacts == 1 and scope == '' and ARGV[a + 5] ~= '0' then
    local ckey = KEYS[k + 1]
    local head = call('GETRANGE', ckey, 7, 139)
    if sub(head, 110) == ARGV[a + 6] then
      moving(ARGV[a + 5])
      local expires = sub(head, 41, 53)
      if expires > nowtext and expires <= ends and tonumber(sub(head, 62, 71)) < cseq then
        local reply = others(akey, ckey, sub(head, 88, 100))
        if reply then
          call('SETRANGE', ckey, 7, moved .. cseqtext)
          call('PEXPIREAT', ckey, ends)
          return reply
        end
      end
    end
  end

  local max = tonumber(ARGV[a + 3])
  local base, aor = match(akey, '^(.*:)a:([^:]*)$')
  local xkey, skey, kprefix, mprefix = base .. 'x', base .. 'ev', base .. 'contact:' .. aor .. ':', aor .. '|'

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
      if value then ref, expires, seq, reg, id, at = match(value, HEAD) end
      if at and tonumber(expires) > now then
        stored[cid] = { value = value, reg = reg, ref = ref, expires = expires, cseq = tonumber(seq), callid = id, at = at }
        order[#order + 1] = cid
      else
        dead[#dead + 1] = cid
      end
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
    local at = a + 5 + 3 * (i - 1)
    local key = KEYS[k + i]
    local c = { cid = sub(key, #kprefix + 1), ttl = tonumber(ARGV[at]), hash = ARGV[at + 1], content = ARGV[at + 2], key = key }
    contacts[i] = c
    named[c.cid] = true
  end

  local count = #order
  if scope ~= '' then
    for _, cid in ipairs(order) do
      local b = stored[cid]
      if scope == '*' or device(b.value, b.at) == scope then
        if stale(b) then return { -1 } end
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
        return { -1 }
      end
    end
    if repeated then
      if fresh then return { -1 } end
      local reply = { 1 }
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
        if not victim then return { -2 } end
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

  local function put(c)
    local b = stored[c.cid]
    local expires = format('%d', now + c.ttl)
    local reg = b and b.reg or nowtext
    local head = '"refreshedAt":' .. nowtext .. ',"expiresAt":' .. expires .. ',"cseq":' .. cseqtext
    if b and b.callid == callid and same(b, c.content) then
      call('SETRANGE', c.key, 7, head)
      call('PEXPIREAT', c.key, expires)
      if now + c.ttl < tonumber(b.expires) then
        call('ZADD', akey, expires, c.cid)
        call('ZADD', xkey, expires, mprefix .. c.cid)
        -- Who knows the later end would take the report of the earlier one for old.
        emit('refreshed', c.cid, expires, call('GET', c.key))
      end
    else
      local value = '{"v":2,' .. head .. ',"registeredAt":' .. reg .. ',"hash":"' .. c.hash .. '","callId":' .. callid .. ',' .. c.content
      local member = mprefix .. c.cid
      -- The key may have run out before anyone could report it.
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
        emit('refreshed', c.cid, expires, value)
      end
    end
    stored[c.cid] = { reg = reg }
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

  local reply = { 0 }
  for i, c in ipairs(contacts) do reply[1 + i] = stored[c.cid] and tonumber(stored[c.cid].reg) or 0 end
  for cid, b in pairs(stored) do
    if not named[cid] then reply[#reply + 1] = b.value end
  end
  return reply
end

local reply = { now }
local k, a = 1, 2
while a <= #ARGV do
  -- What is wrong with the keys of one AOR is not the others' business.
  local ok, outcome = pcall(update, k, a)
  if not ok then
    if type(outcome) == 'table' then outcome = outcome.err end
    outcome = { -3, tostring(outcome) }
  end
  reply[#reply + 1] = outcome
  local n = tonumber(ARGV[a])
  k, a = k + 1 + n, a + 5 + 3 * n
end
return reply
