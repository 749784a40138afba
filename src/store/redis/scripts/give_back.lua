-- Gives back what was taken from limits together with one, elsewhere, that refused.
--
-- KEYS: the limits. ARGV: each one's time for one more, in milliseconds.
for index, key in ipairs(KEYS) do
  local at = redis.call('GET', key)
  if at then
    redis.call('SET', key, string.format('%.17g', tonumber(at) - tonumber(ARGV[index])), 'KEEPTTL')
  end
end
return '0'
