-- Counts what a node let pass of limits (GCRA), whether or not it was too much: answers for each how many
-- microseconds it takes until its whole burst may come again.
--
-- What passed is counted from when it began, so that what a node tells late takes nothing from now. The
-- clock is the server's, since those of the nodes may differ by more than a limit's span; after it jumped
-- back, as when a replica took over, a limit is brought near it again.
--
-- KEYS: the limits. ARGV: each one's time for one more and for its burst, how many passed, and how long
-- ago they began, times in milliseconds.
local SLACK, TOO_FAR = 60000, 8
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + tonumber(time[2]) / 1000
local ahead = {}
for index, key in ipairs(KEYS) do
  local every, span = tonumber(ARGV[4 * index - 3]), tonumber(ARGV[4 * index - 2])
  local count, age = tonumber(ARGV[4 * index - 1]), tonumber(ARGV[4 * index])
  local at = tonumber(redis.call('GET', key) or '0')
  if at > now + TOO_FAR * span + SLACK then
    at = now + span
  end
  at = math.max(at, now - age) + every * count
  local left = math.max(at - now, 0)
  -- Another node may tell of as long a time, which then comes on top of this one.
  redis.call('SET', key, string.format('%.17g', at), 'PX', string.format('%.0f', left + span + SLACK))
  ahead[index] = string.format('%.0f', math.ceil(left * 1000))
end
return ahead
