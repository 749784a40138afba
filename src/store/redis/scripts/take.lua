-- Takes one from each limit, or from none when one is used up (GCRA): answers zero, or how many
-- microseconds it takes until all would let one pass.
--
-- A limit's value is the moment from which on its whole burst may come again. After a clock jumped back
-- that moment could be far ahead: it is brought within the limit's own span, and written down so that
-- the wait really passes.
--
-- KEYS: the limits. ARGV: now, then each one's time for one more and for its burst, in milliseconds.
local SLACK = 600000
local now = tonumber(ARGV[1])
local free, wait = {}, 0
for index, key in ipairs(KEYS) do
  local every, span = tonumber(ARGV[2 * index]), tonumber(ARGV[2 * index + 1])
  local at = free[key]
  if not at then
    at = tonumber(redis.call('GET', key) or '0')
    if at > now + span then
      at = now + span
      redis.call('SET', key, string.format('%.17g', at), 'PX', string.format('%.0f', span + SLACK))
    end
    at = math.max(at, now)
  end
  wait = math.max(wait, at - now - (span - every))
  free[key] = at + every
end
if wait > 0.001 then
  return string.format('%.0f', math.ceil(wait * 1000))
end
for key, at in pairs(free) do
  redis.call('SET', key, string.format('%.17g', at), 'PX', string.format('%.0f', at - now + SLACK))
end
return '0'
