import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Serving, serve } from '../targets/child.ts'
import { Client, NoAnswer } from './client.ts'
import { atLeast, atMost, type Drill, type DrillContext } from './drill.ts'
import { inference, question, verify } from './inference.ts'
import { IDENTITY, writeModel } from './models.ts'
import { randomFrom } from './random.ts'

const ROUNDS = { ci: 8, long: 50 }
const CLIENTS_PER_MODEL = 8
const SLOW_MS = 200
/**
 * A request that is this old was taken by the server: it reads within a few milliseconds. Younger ones can cross the
 * end of a connection that was idle for the server, which HTTP lets every client try again (RFC 9112, 9.3.1).
 */
const TAKEN_MS = SLOW_MS / 2
/** Clients go on for this long after the first connection that was refused. */
const GO_ON_MS = 1_000
const MIN_LOAD_MS = 300

interface Count {
  right: number
  wrong: number
  lost: number
  turnedAway: number
}

export const drain: Drill = {
  name: 'drain',
  promise: 'shutdown loses nothing',
  async run(context) {
    const { profile, seed, folder, progress } = context
    const root = join(folder, 'models')
    const temporary = join(folder, 'tmp')
    mkdirSync(temporary)
    writeModel(root, { name: 'fast', config: 'dynamic_batching { }' })
    writeModel(root, {
      name: 'slow',
      backend: 'identity',
      config: `instance_group [{ count: ${CLIENTS_PER_MODEL} kind: KIND_CPU }]
parameters { key: "execute_delay_ms" value { string_value: "${SLOW_MS}" } }`,
    })
    const random = randomFrom(seed)
    const count: Count = { right: 0, wrong: 0, lost: 0, turnedAway: 0 }
    let badExits = 0
    for (let round = 1; round <= ROUNDS[profile]; round++) {
      progress(`stop ${round} of ${ROUNDS[profile]}`)
      const server = await serve([`--model-repository=${root}`], { TMPDIR: temporary })
      const code = await underLoad(server, count, context, MIN_LOAD_MS + random() * SLOW_MS)
      if (code !== 0) badExits++
    }
    return [
      atLeast('stops', ROUNDS[profile], ROUNDS[profile]),
      atLeast('right answers', count.right, ROUNDS[profile] * CLIENTS_PER_MODEL * 2),
      atMost('wrong answers', count.wrong, 0),
      atMost('accepted and lost', count.lost, 0),
      atMost('sent while the connection closed', count.turnedAway, ROUNDS[profile]),
      atMost('exits with another code than 0', badExits, 0),
      atMost('temporary files left', readdirSync(temporary).length, 0),
    ]
  },
}

/** Stops `server` after `ms` of load on all of its models; returns its exit code. */
async function underLoad(
  server: Serving,
  count: Count,
  { note }: DrillContext,
  ms: number,
): Promise<number | null> {
  const client = new Client(server.url, CLIENTS_PER_MODEL * 2)
  let serial = 0
  let end = Number.POSITIVE_INFINITY

  async function loop(model: string): Promise<void> {
    while (performance.now() < end) {
      const asked = inference(model, serial++, { rows: 1, binary: serial % 2 === 0 })
      try {
        const reply = await client.ask(question(asked))
        const problem = reply === null ? 'cancelled' : verify(asked, reply, IDENTITY)
        if (problem === '') count.right++
        else {
          count.wrong++
          note(problem)
        }
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error
        if (error.refused) {
          end = Math.min(end, performance.now() + GO_ON_MS)
          await new Promise((resolve) => setTimeout(resolve, 50))
        } else if (error.begun || error.ageMs >= TAKEN_MS) {
          count.lost++
          note(`${model} ${asked.id}: ${error.message}`)
        } else {
          count.turnedAway++
          note(`${model} ${asked.id}: ${error.message}`)
        }
      }
    }
  }

  const loops = Array.from({ length: CLIENTS_PER_MODEL * 2 }, (_, i) =>
    loop(i % 2 === 0 ? 'fast' : 'slow'),
  )
  await new Promise((resolve) => setTimeout(resolve, ms))
  server.process.kill('SIGTERM')
  const { code } = await server.ended
  await Promise.all(loops)
  client.close()
  return code
}
