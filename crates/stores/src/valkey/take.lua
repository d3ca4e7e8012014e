local longest, ahead = tonumber(ARGV[4]), tonumber(ARGV[5])
local free = math.max(busy, now)
local wait = math.max(free - slack - now, 0)
if wait <= longest then
  busy = free + interval
  store()
  return { 1, wait }
end

local at = math.max(promised, now + wait)
local furthest = math.max(ahead, wait)
if at - now > furthest then
  return { 0, furthest }
end
promised = at + interval
store()
return { 0, at - now }
