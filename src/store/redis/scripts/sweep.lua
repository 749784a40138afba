-- Forgets what is due, and answers how much that was. What somebody made due later meanwhile, or has
-- swept already, is left alone.
--
-- KEYS: what is due, ids of all keys, last use of keys, then the record of each (or what is due).
-- ARGV: the moment, then for each its name in what is due, and the id of the key if it is one.
local removed = 0
for index = 4, #KEYS do
  local at = 2 + (index - 4) * 2
  local due = redis.call('ZSCORE', KEYS[1], ARGV[at])
  if due and tonumber(due) <= tonumber(ARGV[1]) then
    redis.call('ZREM', KEYS[1], ARGV[at])
    if KEYS[index] ~= KEYS[1] then
      redis.call('DEL', KEYS[index])
    end
    if ARGV[at + 1] ~= '' then
      redis.call('HDEL', KEYS[2], ARGV[at + 1])
      redis.call('ZREM', KEYS[3], ARGV[at + 1])
    end
    removed = removed + 1
  end
end
return removed
