busy = math.max(busy, now + tonumber(ARGV[4]) + slack)
store()
return 1
