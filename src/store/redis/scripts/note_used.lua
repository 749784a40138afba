-- Notes when keys were last used: never an earlier time, and nothing of keys that are gone.
--
-- KEYS: last use of keys, ids of all keys.
-- ARGV: a key's id and a time, for each.
for index = 1, #ARGV, 2 do
  if redis.call('HEXISTS', KEYS[2], ARGV[index]) == 1 then
    redis.call('ZADD', KEYS[1], 'GT', ARGV[index + 1], ARGV[index])
  end
end
return #ARGV / 2
