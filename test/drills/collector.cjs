// Loaded into a server under drill: collects garbage at SIGUSR2 and says what is left.
const { setFlagsFromString } = require('node:v8')
const { runInNewContext } = require('node:vm')

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc')
let count = 0
process.on('SIGUSR2', () => {
  collect()
  // Finalizers free native memory in the turn after; the second collection takes what held it.
  setImmediate(() => {
    collect()
    const { rss, heapUsed, external } = process.memoryUsage()
    count++
    process.stderr.write(`collected ${count} ${JSON.stringify({ rss, heapUsed, external })}\n`)
  })
})
