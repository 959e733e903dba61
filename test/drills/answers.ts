import { join } from 'node:path'
import { serve } from '../targets/child.ts'
import { Client } from './client.ts'
import { atLeast, atMost, type Drill } from './drill.ts'
import { runLoad, type Target } from './load.ts'
import { IDENTITY, writeModel } from './models.ts'
import { randomFrom } from './random.ts'
import { metric, metrics, settled } from './server-figures.ts'

const REQUESTS = { ci: 100_000, long: 2_000_000 }
const CONNECTIONS = 24
/** Of these, some are answered before they are cancelled; a fifth of all requests remains. */
const CANCEL_SHARE = 0.3
/** Time for what was cancelled at the very end to leave the queue. */
const SETTLE_MS = 2_000

const TARGETS: readonly (Target & { readonly config: string })[] = [
  { model: 'identity', affine: IDENTITY, config: 'dynamic_batching { }' },
  {
    model: 'affine',
    affine: { scale: 3n, offset: 7n },
    config:
      'dynamic_batching { max_queue_delay_microseconds: 500 }\ninstance_group [{ count: 2 kind: KIND_CPU }]',
  },
]

export const answers: Drill = {
  name: 'answers',
  promise: 'every request gets exactly one answer, its own',
  async run({ profile, seed, folder, progress, note }) {
    const root = join(folder, 'models')
    for (const { model, affine, config } of TARGETS) {
      writeModel(root, { name: model, affine, config })
    }
    const server = await serve([`--model-repository=${root}`])
    const client = new Client(server.url, CONNECTIONS)
    const total = REQUESTS[profile]
    const tally = await runLoad({
      client,
      targets: TARGETS,
      connections: CONNECTIONS,
      random: randomFrom(seed),
      cancelShare: CANCEL_SHARE,
      more(asked) {
        if (asked % 1000 === 0) progress(`${asked} of ${total}`)
        return asked < total
      },
      note,
    })
    client.close()
    const gauge = async (): Promise<number> =>
      metric(await metrics(server.metricsUrl), 'nv_inference_pending_request_count')
    const pending = await settled(gauge, 0, SETTLE_MS)
    const text = await metrics(server.metricsUrl)
    const executions = metric(text, 'nv_inference_exec_count')
    const inferences = metric(text, 'nv_inference_request_success')
    server.process.kill('SIGTERM')
    const { code } = await server.ended
    return [
      atLeast('requests', tally.asked, total),
      atLeast('right answers', tally.right, total * (1 - CANCEL_SHARE)),
      atLeast('cancelled', tally.cancelled, (total * CANCEL_SHARE) / 2),
      atMost('wrong answers', tally.wrong, 0),
      atMost('missing answers', tally.missing, 0),
      atMost('unaccounted', tally.asked - sum(tally), 0),
      atMost('pending after it', pending, 0),
      atLeast('requests per execution', inferences / executions, 1.05),
      atMost('exit code', code ?? 255, 0),
    ]
  },
}

function sum(tally: {
  readonly right: number
  readonly wrong: number
  readonly missing: number
  readonly cancelled: number
}): number {
  return tally.right + tally.wrong + tally.missing + tally.cancelled
}
