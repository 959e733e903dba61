/**
 * ONNX Runtime without a server: how often a model runs per second when nothing else is done.
 * `bare.ts MODEL.onnx BASE PARALLEL SECONDS` prints runs per second; with PARALLEL > 1 the runs overlap on one session.
 */
import { BENCH_MODELS, inputData } from './models.ts'
import { type BareSession, openBare } from './ort.ts'

const [path = '', base, parallel = '1', seconds = '3'] = process.argv.slice(2)
const model = BENCH_MODELS.find((candidate) => candidate.base === base)
if (model === undefined) throw new Error('usage: bare.ts MODEL.onnx BASE PARALLEL SECONDS')

const data = inputData(model)
const session = await openBare(path, model.inputs, model.outputs)
const sessions = Array.from({ length: Number(parallel) }, (_, i) =>
  i === 0 ? session : session.clone(),
)
for (const each of sessions) {
  for (const [i, input] of each.inputs.entries()) input.set(data[i] as Uint8Array)
  each.run()
}

let runs = 0
const begin = performance.now()
const end = begin + Number(seconds) * 1000
async function loop(each: BareSession): Promise<void> {
  while (performance.now() < end) {
    if (sessions.length === 1) each.run()
    else await each.runAsync()
    runs++
  }
}
await Promise.all(sessions.map(loop))
console.log((runs / (performance.now() - begin)) * 1000)
// The session lives as long as the process; nothing is to be freed before it ends.
process.exit(0)
