import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client, NoAnswer } from './client.ts'
import { restDoor } from './door.ts'
import { atLeast, atMost, type Drill, type Figure } from './drill.ts'
import { inference, verifyValues } from './inference.ts'
import { IDENTITY, writeModel } from './models.ts'
import { NEIGHBOURS, type Neighbour, writeNeighbour } from './neighbour-models.ts'
import { ProbeClient } from './probe-client.ts'
import { type DrillServer, PATIENT, serveAll } from './servers.ts'

const LOOKS = { ci: 3, long: 30 }
const DEATHS = { ci: 4, long: 50 }
const SLOW_MS = 300
const QUEUE = 2
/** At a time: at most a batch of eight runs and two wait, the others are refused. */
const CROWD = 24
const DRAIN_SECS = 2
/** A probe is answered within this, whatever models do; other work shares a machine of CI. */
const MAX_PROBE_MS = 500
const DOWN_MS = 10_000
const LOAD = '/v2/repository/models'

/** What probes said, beside what happened to requests. */
interface Count {
  /** Ready before and after a request that failed. */
  boasted: number
  /** Not ready before and after a request that was answered. */
  modest: number
  checked: number
  notLive: number
  slowestMs: number
}

export const probes: Drill = {
  name: 'probes',
  promise: 'probes tell the truth',
  async run({ profile, folder, progress, note }) {
    const root = join(folder, 'models')
    writeModel(root, { name: 'plain' })
    writeModel(root, { name: 'broken' })
    writeFileSync(join(root, 'broken/1/model.onnx'), 'no model')
    writeModel(root, {
      name: 'queue',
      backend: 'identity',
      config: `dynamic_batching { default_queue_policy { max_queue_size: ${QUEUE} } }
instance_group [{ count: 1 kind: KIND_CPU }]
parameters { key: "execute_delay_ms" value { string_value: "${SLOW_MS}" } }`,
    })
    const mortals = NEIGHBOURS.filter(({ dies }) => dies)
    for (const one of mortals) writeNeighbour(root, one)
    const server = await serveAll([
      PATIENT,
      `--model-repository=${root}`,
      '--model-control-mode=explicit',
      `--drain-delay-secs=${DRAIN_SECS}`,
      ...['plain', 'queue', ...mortals.map(({ name }) => name)].map((m) => `--load-model=${m}`),
    ])
    const client = new Client(server.url, CROWD * 2)
    const probe = new ProbeClient(server)
    const count: Count = { boasted: 0, modest: 0, checked: 0, notLive: 0, slowestMs: 0 }
    const door = restDoor(client)

    /** '' = the right answer; a request of an even number does no harm. */
    async function ask(model: string, number = 0): Promise<string> {
      const asked = inference(model, number, { rows: 1, binary: false })
      try {
        return verifyValues(asked, (await door.ask(asked)) ?? 'cancelled', IDENTITY)
      } catch (error) {
        if (error instanceof NoAnswer) return error.message
        throw error
      }
    }
    async function timed(question: Promise<boolean>): Promise<boolean> {
      const start = performance.now()
      const answer = await question
      count.slowestMs = Math.max(count.slowestMs, performance.now() - start)
      return answer
    }
    /** Compares what a probe says of `model` with what becomes of a request. */
    async function look(model: string, when: string): Promise<boolean> {
      const before = await timed(probe.modelReady(model))
      const problem = await ask(model)
      const after = await timed(probe.modelReady(model))
      if (!(await timed(probe.live()))) count.notLive++
      count.checked++
      if (before && after && problem !== '') {
        count.boasted++
        note(`${model}, ${when}: ready, but ${problem}`)
      } else if (!before && !after && problem === '') {
        count.modest++
        note(`${model}, ${when}: not ready, but answers`)
      }
      return after
    }
    /** The looks that found `model` as it should be. */
    async function looks(model: string, when: string, ready: boolean): Promise<number> {
      progress(when)
      let as = 0
      for (let i = 0; i < LOOKS[profile]; i++) if ((await look(model, when)) === ready) as++
      return as
    }
    const control = (model: string, verb: string, body = '') =>
      client.ask({ path: `${LOAD}/${model}/${verb}`, body })

    const states: Record<string, number> = {}
    states['loaded: ready'] = await looks('plain', 'loaded', true)
    states['never loaded: not ready'] = await looks('broken', 'never loaded', false)
    await control('broken', 'load')
    states['a load that failed: not ready'] = await looks('broken', 'failed load', false)
    await control('plain', 'load', '{"parameters":{"config":"{\\"backend\\":\\"nobody\\"}"}}')
    states['a reload that failed: ready'] = await looks('plain', 'failed reload', true)
    await control('plain', 'unload')
    states['unloaded: not ready'] = await looks('plain', 'unloaded', false)
    await control('plain', 'load')
    states['loaded again: ready'] = await looks('plain', 'loaded again', true)

    progress('a full queue')
    const crowd = Promise.all(Array.from({ length: CROWD }, () => ask('queue')))
    const busyReady = (await timed(probe.modelReady('queue'))) && (await timed(probe.live()))
    const refused = (await crowd).filter((problem) => problem !== '').length

    let deaths = 0
    let seenDown = 0
    for (const one of mortals) {
      for (let i = 0; i < DEATHS[profile]; i++) {
        progress(`${one.name} ${i + 1}`)
        const seen = await die(one)
        if (seen.down) seenDown++
        if (seen.back) deaths++
      }
    }
    /** Has a model end its own thread, and watches it come back. */
    async function die({ name }: Neighbour): Promise<{ down: boolean; back: boolean }> {
      let over = false
      const answer = ask(name, 1).finally(() => {
        over = true
      })
      // Meanwhile a thread that loops or fills its memory does not keep the server from answering.
      while (!over) if (!(await timed(probe.live()))) count.notLive++
      if ((await answer) === '') note(`${name}: an answer to what ends it`)
      const down = !(await timed(probe.modelReady(name)))
      const end = performance.now() + DOWN_MS
      while (performance.now() < end) {
        if ((await timed(probe.modelReady(name))) && (await look(name, 'restarted'))) {
          return { down, back: true }
        }
      }
      return { down, back: false }
    }

    progress('drain')
    const draining = await drained(server, probe, () => ask('plain'))
    client.close()
    probe.close()
    const total = mortals.length * DEATHS[profile]
    return [
      ...Object.entries(states).map(([name, as]) => atLeast(name, as, LOOKS[profile])),
      atLeast('a full queue: ready and live', busyReady ? 1 : 0, 1),
      atLeast('a full queue: refused', refused, 1),
      atLeast('threads that ended and came back', deaths, total),
      atLeast('ended: seen not ready', seenDown, total / 2),
      atLeast('looks', count.checked, 6 * LOOKS[profile]),
      atMost('ready, and the request failed', count.boasted, 0),
      atMost('not ready, and the request was answered', count.modest, 0),
      atMost('not live', count.notLive, 0),
      atMost('doors that disagree', probe.disagreements, 0),
      atMost('slowest probe', count.slowestMs, MAX_PROBE_MS, 'ms'),
      ...draining,
    ]
  },
}

/** Stops `server`: it is not ready at once, and serves until its delay is over. */
async function drained(
  server: DrillServer,
  probe: ProbeClient,
  ask: () => Promise<string>,
): Promise<readonly Figure[]> {
  const start = performance.now()
  server.process.kill('SIGTERM')
  while ((await probe.ready()) && performance.now() < start + DRAIN_SECS * 1000);
  const notReadyMs = performance.now() - start
  let failed = 0
  let answered = 0
  let notLive = 0
  let ready = 0
  // The end of the delay is the server's to choose.
  while (performance.now() < start + DRAIN_SECS * 1000 - MAX_PROBE_MS) {
    if ((await ask()) === '') answered++
    else failed++
    if (!(await probe.live())) notLive++
    if (await probe.ready()) ready++
  }
  const { code } = await server.ended
  return [
    atMost('told to stop: not ready within', notReadyMs, MAX_PROBE_MS, 'ms'),
    atMost('told to stop: ready again', ready, 0),
    atLeast('told to stop: still answered', answered, 1),
    atMost('told to stop: failed', failed, 0),
    atMost('told to stop: not live', notLive, 0),
    atMost('exit code', code ?? 255, 0),
  ]
}
