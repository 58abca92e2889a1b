-- For perf/compare: sends each request as a batch of pipelined ones, and prints the outcome as one line of JSON.
-- wrk -s perf/wrk.lua URL -- [DEPTH]

function init(args)
   local depth = tonumber(args[1] or "1")
   if depth > 1 then
      local one = wrk.format()
      local batch = string.rep(one, depth)
      request = function() return batch end
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
