import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../targets/child.ts'
import { childProcesses, memoryFiles } from './child-processes.ts'
import { Client, NoAnswer } from './client.ts'
import { atLeast, atMost, type Drill } from './drill.ts'
import { answered, inference, question, verifyValues } from './inference.ts'
import { IDENTITY } from './models.ts'
import { processFigures } from './process-figures.ts'
import { randomFrom } from './random.ts'
import { held, settled } from './server-figures.ts'
import { PATIENT, serveAll } from './servers.ts'
import { writeCode, writePython } from './worker-models.ts'

/** `test/python/setup.sh core` makes it; any other needs numpy. */
const OWN_PYTHON = join(ROOT, '.cache/python/core/bin/python')
const MODEL = 'killed'
const BYSTANDER = 'bystander'
const KILLS = { ci: 12, long: 300 }
const RELOADS = { ci: 10, long: 200 }
const CLIENTS = 8
const PAUSE_MS = 5
/** What was promised: after a kill, the next requests are answered within this time. */
const BACK_MS = 2_000
/** Between two kills, so that the wait for a restart is not the long one of a model that dies all the time. */
const BETWEEN_MS = { ci: 500, long: 1_500 }
const SETTLE_MS = 10_000
/** Requests that a worker can take with it: one execution of each client at most. */
const LOST_PER_KILL = CLIENTS

export const worker: Drill = {
  name: 'worker',
  promise: 'a worker that is killed takes with it what it was working on, and nothing else',
  async run({ profile, seed, folder, progress, note }) {
    const root = join(folder, 'models')
    writePython(root, MODEL, '')
    writePython(root, BYSTANDER, '')
    const python = existsSync(OWN_PYTHON) ? OWN_PYTHON : 'python3'
    const server = await serveAll([
      PATIENT,
      `--model-repository=${root}`,
      `--backend-config=python,python-runtime=${python}`,
      ...['--model-control-mode=explicit', `--load-model=${MODEL}`, `--load-model=${BYSTANDER}`],
    ])
    const pid = server.process.pid ?? 0
    const client = new Client(server.url, CLIENTS)
    const other = new Client(server.url, 1)
    const admin = new Client(server.url, 1)
    const random = randomFrom(seed)
    const count = { right: 0, wrong: 0, failed: 0, late: 0, missing: 0, beside: 0, besideBad: 0 }
    let stopped = false
    let serial = 0
    let killed = Number.NEGATIVE_INFINITY
    let right = 0

    async function ask(through: Client, model: string): Promise<string> {
      const asked = inference(model, serial++, { rows: 1, binary: serial % 2 === 0 })
      const begin = performance.now()
      try {
        const reply = await through.ask(question(asked))
        if (reply === null || reply.status !== 200) {
          // A request that began when the new worker had to be there by promise.
          if (begin > killed + BACK_MS) count.late++
          return `${reply?.status} ${reply?.body}`
        }
        const problem = verifyValues(asked, answered(asked, reply), IDENTITY)
        if (problem !== '') count.wrong++
        if (problem !== '') note(problem)
        if (begin > killed && model === MODEL) right = performance.now()
        return problem
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error
        count.missing++
        return error.message
      }
    }
    async function keepAsking(): Promise<void> {
      while (!stopped) {
        if ((await ask(client, MODEL)) === '') count.right++
        else count.failed++
        await pause(PAUSE_MS)
      }
    }
    async function keepAskingBeside(): Promise<void> {
      while (!stopped) {
        const problem = await ask(other, BYSTANDER)
        if (problem === '') count.beside++
        else count.besideBad++
        if (problem !== '') note(`${BYSTANDER}: ${problem}`)
        await pause(PAUSE_MS)
      }
    }
    const workers = (): number => childProcesses(pid).length

    const asking = [...Array.from({ length: CLIENTS }, keepAsking), keepAskingBeside()]
    while (count.right < 50 || count.beside < 10) await pause(PAUSE_MS)
    const [workersBefore, filesBefore] = [workers(), memoryFiles(pid)]
    const fdsBefore = processFigures(pid).fds
    let slowest = 0
    let kills = 0
    for (let n = 1; n <= KILLS[profile]; n++) {
      progress(`kill ${n} of ${KILLS[profile]}, ${count.right} right answers`)
      await pause(random() * 100)
      const victim = childProcesses(pid).find(({ name }) => name.startsWith(MODEL))
      if (victim === undefined) break
      process.kill(victim.pid, 'SIGKILL')
      killed = performance.now()
      kills++
      const end = killed + 5 * BACK_MS
      while (right < killed && performance.now() < end) await pause(PAUSE_MS)
      slowest = Math.max(slowest, right < killed ? Number.POSITIVE_INFINITY : right - killed)
      await pause(BETWEEN_MS[profile])
    }
    const failedByKills = count.failed
    killed = Number.POSITIVE_INFINITY
    let unexpected = 0
    for (let n = 1; n <= RELOADS[profile]; n++) {
      progress(`reload ${n} of ${RELOADS[profile]}`)
      writeCode(root, MODEL, n + 1)
      const reply = await admin.ask({ path: `/v2/repository/models/${MODEL}/load`, body: '' })
      if (reply?.status !== 200) {
        unexpected++
        note(`reload ${n}: ${reply?.status} ${reply?.body}`)
      }
    }
    stopped = true
    await Promise.all(asking)
    const fds = (): number => processFigures(pid).fds
    const workersAfter = await settled(workers, workersBefore, SETTLE_MS)
    const filesAfter = await settled(() => memoryFiles(pid), filesBefore, SETTLE_MS)
    const dead = childProcesses(pid).filter(({ state }) => state === 'Z').length
    client.close()
    other.close()
    const fdsAfter = await settled(() => Math.max(fds(), fdsBefore), fdsBefore, SETTLE_MS)
    const stillHeld = await held(server.metricsUrl, SETTLE_MS)
    admin.close()
    const left = childProcesses(pid).map((one) => one.pid)
    server.process.kill('SIGTERM')
    const { code } = await server.ended
    return [
      atLeast('workers killed', kills, KILLS[profile]),
      atLeast('right answers', count.right, KILLS[profile] * 20),
      atMost('wrong answers', count.wrong, 0),
      atMost('requests without an answer', count.missing, 0),
      atMost('requests that failed with a worker', failedByKills, KILLS[profile] * LOST_PER_KILL),
      atMost('requests that failed later', count.late, 0),
      atMost('first right answer after a kill', slowest, BACK_MS, 'ms'),
      atLeast('right answers of another model', count.beside, KILLS[profile] * 10),
      atMost('failed requests of another model', count.besideBad, 0),
      atMost('reloads that failed', unexpected, 0),
      atMost('requests that failed in reloads', count.failed - failedByKills, 0),
      atMost('workers too many or too few', Math.abs(workersAfter - workersBefore), 0),
      atMost('workers that nobody buried', dead, 0),
      atMost('memory files too many', filesAfter - filesBefore, 0),
      atMost('descriptors too many', fdsAfter - fdsBefore, 0),
      atMost('held after it', stillHeld, 0),
      atMost(
        'workers that outlive the server',
        left.filter((one) => existsSync(`/proc/${one}`)).length,
        0,
      ),
      atMost('exit code', code ?? 255, 0),
    ]
  },
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
