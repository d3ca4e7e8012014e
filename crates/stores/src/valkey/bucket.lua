-- One key of the counters, in microseconds since 1970: `busy`, up to when the turns that were given out reach at
-- the even rate, and `promised`, up to when turns were promised to those who were refused.
-- ARGV: now (0 for this server's time), interval, slack, and what each question adds.

local key, now, interval, slack = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
if now == 0 then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end

local stored = redis.call('HMGET', key, 'busy', 'promised')
local busy, promised = tonumber(stored[1] or 0), tonumber(stored[2] or 0)

-- The key goes when it says no more than one that never counted.
local function store()
  redis.call('HSET', key, 'busy', string.format('%.0f', busy), 'promised', string.format('%.0f', promised))
  redis.call('PEXPIRE', key, string.format('%.0f', math.ceil((math.max(busy, promised) - now) / 1000) + 1000))
end

