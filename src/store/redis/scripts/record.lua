-- Shared by every script that changes something: KEYS[1] is the counter of changes, KEYS[2] the log,
-- ARGV[1..5] the entry.
--
-- Appends the entry under the next number, and only then counts it: numbers have no gaps. It is the
-- first write of each script, so when the server takes none (full, read-only, without replicas),
-- nothing at all was written. Answers the number, or nil and the server's refusal.
local function record()
  local number = tonumber(redis.call('GET', KEYS[1]) or '0') + 1
  local id = string.format('%.0f-0', number)
  local answer = redis.pcall('XADD', KEYS[2], 'MAXLEN', '~', LOG_LENGTH, id,
    'kind', ARGV[1], 'user', ARGV[2], 'target', ARGV[3], 'epoch', ARGV[4], 'forget', ARGV[5])
  if type(answer) == 'table' and answer.err then
    return nil, answer
  end
  redis.call('SET', KEYS[1], string.format('%.0f', number))
  return number
end
