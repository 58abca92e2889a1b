-- For perf/compare: what wrk asks for and when, and its outcome as one line of JSON.
-- wrk -s perf/wrk.lua URL -- [NAME=VALUE...]
--
--    depth=N         each request is a batch of N pipelined ones
--    host=NAME       the Host field
--    unique=PREFIX   each request is for a URL of its own, PREFIX1, PREFIX2 and so on, instead of the URL's path
--    last=N          with unique: the numbers stop at N
--    turns=N         with unique: the numbers begin anew after N
--    post=TEXT       each request is a POST with this body
--    pause=MS        each connection waits about so long between an answer and its next request

function init(args)
   local settings = {}
   for _, word in ipairs(args) do
      local name, value = word:match("^(%w+)=(.*)$")
      settings[name] = value
   end
   if settings.host then
      wrk.headers["Host"] = settings.host
   end
   if settings.post then
      wrk.method, wrk.body = "POST", settings.post
   end
   if settings.unique then
      request = unique(settings.unique, tonumber(settings.last), tonumber(settings.turns))
   elseif tonumber(settings.depth or "1") > 1 then
      local batch = string.rep(wrk.format(), tonumber(settings.depth))
      request = function() return batch end
   end
   if settings.pause then
      local pause = tonumber(settings.pause)
      -- Spread, so that the connections don't all ask in the same moment.
      delay = function() return math.random(math.floor(pause / 2), math.floor(pause * 3 / 2)) end
   end
end

function unique(prefix, last, turns)
   -- wrk asks for one request ahead, to look at it, and never sends it: number 0.
   local number = -1
   return function()
      number = number + 1
      if last and number > last then
         number = last
      elseif turns and number > turns then
         number = 1
      end
      return wrk.format(nil, prefix .. number)
   end
end

function done(summary, latency, requests)
   local e = summary.errors
   io.write(string.format(
      'outcome {"requests": %d, "duration_us": %d, "bytes": %d, "p50_us": %.1f, "p99_us": %.1f, "p999_us": %.1f, "max_us": %.1f, "errors": %d, "timeouts": %d}\n',
      summary.requests, summary.duration, summary.bytes,
      latency:percentile(50), latency:percentile(99), latency:percentile(99.9), latency.max,
      e.connect + e.read + e.write + e.status, e.timeout))
end
