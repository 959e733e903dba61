-- wrk script: posts one infer request again and again and prints the result as one line of JSON.
-- wrk -t1 -c16 -d5 -s infer.lua URL -- BODY_FILE HEADER_LENGTH
function init(args)
  local file = assert(io.open(args[1], 'rb'))
  wrk.method = 'POST'
  wrk.body = file:read('*a')
  file:close()
  wrk.headers['Content-Type'] = 'application/octet-stream'
  wrk.headers['Inference-Header-Content-Length'] = args[2]
  fixed = wrk.format()
end

function request()
  return fixed
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '\nRESULT {"requests": %d, "micros": %d, "p50": %.1f, "p99": %.1f, "bad": %d, "broken": %d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.status, e.connect + e.read + e.write + e.timeout))
end
