import { createHash } from 'node:crypto'

/** A Lua script and its SHA-1. */
export interface Script {
  readonly text: string
  readonly sha: string
}

export function script(flags: string, ...parts: string[]): Script {
  const text = `#!lua${flags && ` flags=${flags}`}\n${parts.join('\n')}`
  return { text, sha: createHash('sha1').update(text).digest('hex') }
}

/** The names of all keys. Their hash tag is the prefix. */
const KEYS = 'local LOG, META, EPOCHS, FLOORS, NAMES, ORDER, ENDED, KEPT, WRITER = unpack(KEYS)'

/**
 * Reads the epoch, and begins a new one if the history may have forked: if this is not the server that wrote last, if
 * its data were restored (`master_replid` changes at each start and each promotion), or if the calling instance has
 * followed an epoch that is unknown here. An entry holds a batch of messages. Its id is `generation-seq` of the last of
 * them, so that a read after a place returns it. Ids of a new epoch are greater than all previous ones, so that a
 * reader that waits after a lost entry wakes up. The first entry of an epoch, `generation-head`, announces it. Lua
 * prints numbers near 2^53 as 9.007e+15.
 */
const EPOCH = `
local function whole(number) return string.format('%.0f', number) end
local KNOWN, FRESH, SEEN = ARGV[1], ARGV[2], tonumber(ARGV[3])
local meta = redis.call('HMGET', META, 'epoch', 'generation', 'head', 'server', 'unknown')
local epoch, generation, head = meta[1], tonumber(meta[2] or 0), tonumber(meta[3] or 0)
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local server = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')

local function isKnown(name)
  if name == '' or name == epoch then return true end
  -- The present epoch began because of it: the instances ask one after the other.
  if name == meta[5] and SEEN <= generation then return true end
  for _, past in ipairs(redis.call('LRANGE', EPOCHS, 0, -1)) do
    if string.match(past, '^%S+') == name then return true end
  end
  return false
end

local over = not epoch or redis.call('EXISTS', LOG) == 0
if over or meta[4] ~= server or not isKnown(KNOWN) then
  local parent = epoch
  if over then
    redis.call('DEL', LOG, META, EPOCHS, FLOORS, NAMES, ORDER, ENDED, KEPT)
    head, parent = 0, ''
  else
    redis.call('RPUSH', EPOCHS, epoch .. ' ' .. whole(generation) .. ' ' .. whole(head))
    redis.call('LTRIM', EPOCHS, -64, -1)
  end
  generation = math.max(generation + 1, SEEN + 1, now)
  epoch = FRESH
  redis.call('XADD', LOG, whole(generation) .. '-' .. whole(head), 't', epoch .. ' ' .. parent)
  redis.call('HSET', META, 'epoch', epoch, 'generation', whole(generation), 'head', whole(head), 'server', server,
    'unknown', KNOWN)
end`

/**
 * Appends a batch. ARGV: the arguments of EPOCH, the batch's number, the milliseconds for which a writer is kept, those
 * for which a key is kept, the maximum number and bytes of keys, whether the batch has keys, the messages (one line
 * each), their number, and whether some have marks. If there are keys, one line for each name and one for each digest
 * follow. An entry is a line with its time and its number of messages, then the messages. The reply is `epoch
 * generation first time verdicts`, then `epoch:seq:time` for each message with a known key.
 */
export const APPEND = script(
  '',
  KEYS,
  EPOCH,
  `
local NUMBER, TTL, AGE, MOST, BYTES, KEYED =
  tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9] == '1'
local last = redis.call('HMGET', WRITER, 'number', 'answer')
if last[1] and NUMBER == tonumber(last[1]) then return last[2] end
-- A copy that was held up on its way.
if last[1] and NUMBER < tonumber(last[1]) then return '' end

local first = head + 1
local id = whole(generation) .. '-'
local stamp = whole(now) .. ' '
local function append(count, lines)
  redis.call('XADD', LOG, id .. whole(head), 'm', stamp .. count .. '\\n' .. lines)
end
local placed = {}
local repeats = ''
local letters, odd = {}, false
local function verdict(letter)
  letters[#letters + 1] = letter
  odd = odd or letter ~= 'p'
end

local ended = redis.call('HLEN', ENDED)
local function place(body)
  if ended > 0 or string.byte(body, 2) ~= 32 then
    local mark, channel = string.match(body, '^%a(%a?) (%S+) ')
    if mark == 'r' or mark == 'd' then ended = ended - redis.call('HDEL', ENDED, channel)
    elseif redis.call('HEXISTS', ENDED, channel) == 1 then return false
    elseif mark == 'e' then
      redis.call('HSET', ENDED, channel, whole(head + 1))
      ended = ended + 1
    end
  end
  head = head + 1
  placed[#placed + 1] = body
  return true
end

if KEYED then
  local keys = tonumber(redis.call('HGET', META, 'keys') or 0)
  local function isOver(time) return tonumber(time) + AGE <= now end
  for _ = 1, 256 do
    local oldest = redis.call('LINDEX', ORDER, 0)
    if not oldest then break end
    local time, name = string.match(oldest, '^(%d+) (.*)$')
    if not isOver(time) then break end
    redis.call('LPOP', ORDER)
    -- It may have been used anew.
    local known = redis.call('HGET', NAMES, name)
    if known and string.match(known, '^%d+') == time then
      redis.call('HDEL', NAMES, name)
      keys = keys - #name - 188
    end
  end
  local count = redis.call('HLEN', NAMES)
  for body, name, digest in string.gmatch(ARGV[10], '([^\\n]+)\\n([^\\n]+)\\n([^\\n]+)') do
    local letter = 'p'
    if name ~= '-' then
      local known = redis.call('HGET', NAMES, name)
      local time, known_place, before = string.match(known or '', '^(%d+) (%S+) (%S+)$')
      if time and not isOver(time) then
        letter = before == digest and 'r' or 'x'
        if letter == 'r' then repeats = repeats .. ' ' .. known_place .. ':' .. time end
      elseif not known and (count >= MOST or keys + #name + 188 > BYTES) then
        letter = 'f'
      elseif not place(body) then
        letter = 'e'
      else
        if not known then
          count = count + 1
          keys = keys + #name + 188
        end
        redis.call('HSET', NAMES, name, stamp .. epoch .. ':' .. whole(head) .. ' ' .. digest)
        redis.call('RPUSH', ORDER, stamp .. name)
      end
    elseif not place(body) then
      letter = 'e'
    end
    verdict(letter)
  end
  redis.call('HSET', META, 'keys', whole(keys))
elseif ended > 0 or ARGV[12] == '1' then
  for body in string.gmatch(ARGV[10], '[^\\n]+') do verdict(place(body) and 'p' or 'e') end
else
  head = head + tonumber(ARGV[11])
  append(ARGV[11], ARGV[10])
end
if #placed > 0 then append(#placed, table.concat(placed, '\\n')) end

redis.call('HSET', META, 'head', whole(head))
local answer = epoch .. ' ' .. whole(generation) .. ' ' .. whole(first) .. ' ' .. whole(now)
  .. ' ' .. (odd and table.concat(letters) or 'p') .. repeats
redis.call('HSET', WRITER, 'number', whole(NUMBER), 'answer', answer)
redis.call('PEXPIRE', WRITER, TTL)
return answer`,
)

/** Returns the state of the log. It writes little, and must work when memory is full. */
export const STATE = script(
  'allow-oom',
  KEYS,
  EPOCH,
  `return { epoch, whole(generation), whole(head), whole(now) }`,
)

/** Returns the state of the log beside its messages. */
export const HISTORY = script(
  'allow-oom',
  KEYS,
  EPOCH,
  `
return {
  epoch, whole(generation), whole(head), whole(now), redis.call('HGET', META, 'start') or '0',
  redis.call('HGET', META, 'forgotten') or '0',
  redis.call('LRANGE', EPOCHS, 0, -1),
  redis.call('ZRANGE', FLOORS, 0, -1, 'WITHSCORES'),
}`,
)

/**
 * Removes messages that the instances no longer keep. ARGV: the epoch, the seq up to which the tail is cut, the
 * smallest id that stays, the floor of unknown channels, the maximum number of floors, the seqs to move to `kept`, the
 * seqs to remove from there, the channels that the instance has forgotten, the id of its head, and pairs of floor and
 * channel. A moved message is one line: its seq, its generation, its
 * time, then as in the tail. The number of places, not of messages, bounds a call.
 */
export const TRIM = script(
  'allow-oom',
  KEYS,
  `
-- What was let go of may be a tail that a promotion has lost: nobody has told of that yet.
local server = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
local known = redis.call('HMGET', META, 'epoch', 'server')
if known[1] ~= ARGV[1] or known[2] ~= server then return '' end
local function whole(number) return string.format('%.0f', number) end
local forgotten = math.max(tonumber(ARGV[4]), tonumber(redis.call('HGET', META, 'forgotten') or 0))
local ended = redis.call('HLEN', ENDED) > 0
for i = 10, #ARGV, 2 do
  redis.call('ZADD', FLOORS, 'GT', ARGV[i], ARGV[i + 1])
  -- An end that is not kept any more holds no longer.
  local at = ended and redis.call('HGET', ENDED, ARGV[i + 1])
  if at and tonumber(at) <= tonumber(ARGV[i]) then redis.call('HDEL', ENDED, ARGV[i + 1]) end
end
local unknown = {}
for channel in string.gmatch(ARGV[8], '%S+') do
  unknown[channel] = true
  local at = ended and redis.call('HGET', ENDED, channel)
  if at and tonumber(at) <= forgotten then redis.call('HDEL', ENDED, channel) end
end
local more = redis.call('ZCARD', FLOORS) - tonumber(ARGV[5])
if ARGV[9] ~= '' and (more > 0 or next(unknown)) then
  -- A channel that has come back meanwhile needs its floor. An instance that lags far behind does not decide.
  local later = redis.call('XRANGE', LOG, '(' .. ARGV[9], '+', 'COUNT', 64)
  for _, entry in ipairs(later) do
    for channel in string.gmatch(entry[2][2], '\\n%a+ (%S+)') do unknown[channel] = nil end
  end
  if #later < 64 then
    for channel in pairs(unknown) do more = more - redis.call('ZREM', FLOORS, channel) end
    if more > 0 then
      local lowest = redis.call('ZPOPMIN', FLOORS, more)
      forgotten = math.max(forgotten, tonumber(lowest[#lowest]))
    end
  end
end
redis.call('HSET', META, 'forgotten', whole(forgotten))
for seq in string.gmatch(ARGV[7], '%d+') do redis.call('ZREMRANGEBYSCORE', KEPT, seq, seq) end

local start = tonumber(redis.call('HGET', META, 'start') or 0)
local cut = tonumber(ARGV[2])
if cut <= start then return whole(start) end

local function move(seq, generation, time, line)
  local floor = redis.call('ZSCORE', FLOORS, string.match(line, '^%a+ (%S+)'))
  -- Another instance has let go of it.
  if floor and tonumber(floor) >= seq then return end
  redis.call('ZADD', KEPT, whole(seq), whole(seq) .. ' ' .. generation .. ' ' .. time .. ' ' .. line)
end

local wanted, last_wanted = {}, 0
for seq in string.gmatch(ARGV[6], '%d+') do
  last_wanted = tonumber(seq)
  wanted[last_wanted] = true
end
local from, last = '-', 0
while last < last_wanted do
  local entries = redis.call('XRANGE', LOG, from, '+', 'COUNT', 16)
  if #entries == 0 then break end
  for _, entry in ipairs(entries) do
    local generation, seq = string.match(entry[1], '^(%d+)-(%d+)$')
    last = tonumber(seq)
    if entry[2][1] == 'm' and last > start then
      local body = entry[2][2]
      local time, count = string.match(body, '^(%d+) (%d+)')
      local at, any = last - tonumber(count), false
      for i = math.max(at, start) + 1, last do any = any or wanted[i] end
      if any then
        for line in string.gmatch(string.sub(body, #time + #count + 3), '[^\\n]+') do
          at = at + 1
          if at > start and wanted[at] then move(at, generation, time, line) end
        end
      end
    end
    from = '(' .. entry[1]
  end
end
redis.call('HSET', META, 'start', whole(cut))
if ARGV[3] ~= '' then redis.call('XTRIM', LOG, 'MINID', '~', ARGV[3]) end
return whole(cut)`,
)

/** The commands of these scripts that the Redis user may not run. */
export const DENIED = script(
  'no-writes,allow-oom',
  KEYS,
  `
local denied = {}
for _, command in ipairs({
  { 'hmget', META, 'f' }, { 'hget', META, 'f' }, { 'hset', META, 'f', 'v' }, { 'hdel', NAMES, 'f' }, { 'hlen', NAMES },
  { 'time' }, { 'info', 'replication' }, { 'exists', LOG }, { 'del', LOG }, { 'rpush', EPOCHS, 'v' },
  { 'ltrim', EPOCHS, '0', '1' }, { 'lrange', EPOCHS, '0', '1' }, { 'lindex', ORDER, '0' }, { 'lpop', ORDER }, { 'hexists', ENDED, 'f' },
  { 'xadd', LOG, '*', 'm', 'v' }, { 'xrange', LOG, '-', '+' }, { 'xtrim', LOG, 'MINID', '0' },
  { 'xread', 'STREAMS', LOG, '0' }, { 'zadd', FLOORS, '1', 'm' }, { 'zcard', FLOORS }, { 'zpopmin', FLOORS },
  { 'zscore', FLOORS, 'm' }, { 'zrem', FLOORS, 'm' }, { 'zremrangebyscore', KEPT, '1', '1' },
  { 'zrange', FLOORS, '0', '1' }, { 'pexpire', WRITER, '1' },
}) do
  if not redis.acl_check_cmd(unpack(command)) then denied[#denied + 1] = command[1] end
end
return denied`,
)
