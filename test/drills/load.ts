import { NoAnswer } from './client.ts'
import type { Cancel, Door } from './door.ts'
import { type Inference, inference, verifyValues } from './inference.ts'
import type { Affine } from './models.ts'

export interface Target {
  readonly model: string
  readonly affine: Affine
}

/** What became of the requests of a load; every request is in exactly one of the last four. */
export interface Tally {
  asked: number
  right: number
  /** Answered, but not with its own answer or not with 200. */
  wrong: number
  /** Neither answered nor cancelled by us. */
  missing: number
  cancelled: number
}

export interface LoadOptions {
  /** Each is kept busy by one asker; a door that several askers share is here several times. */
  readonly doors: readonly Door[]
  readonly targets: readonly Target[]
  readonly random: () => number
  /** Share of requests that are broken off: half of them at once, the others at a random point. */
  readonly cancelShare: number
  /** Between two requests of an asker. Default 0. */
  readonly pauseMs?: number
  /** Asked before each request. */
  more(asked: number): boolean
  note(text: string): void
}

const MAX_ROWS = 3
/** Within this time a request is broken off: before, in and after the execution; the answer may be faster. */
const CANCEL_WITHIN_MS = 3

/** Keeps every door busy until there is no more to ask, and checks every byte that comes back. */
export async function runLoad(options: LoadOptions): Promise<Tally> {
  const { doors, targets, random, cancelShare, pauseMs = 0, more, note } = options
  const tally: Tally = { asked: 0, right: 0, wrong: 0, missing: 0, cancelled: 0 }

  function next(target: Target): Inference {
    const rows = 1 + Math.floor(random() * MAX_ROWS)
    return inference(target.model, tally.asked++, { rows, binary: random() < 0.5 })
  }
  function canceller({ together = 1 }: Door): Cancel | undefined {
    if (random() >= cancelShare / together) return undefined
    const atOnce = random() < 0.5
    const delay = random() * CANCEL_WITHIN_MS
    return (destroy) => {
      if (atOnce) setImmediate(destroy)
      else setTimeout(destroy, delay)
    }
  }
  async function asker(door: Door): Promise<void> {
    while (more(tally.asked)) {
      const target = targets[Math.floor(random() * targets.length)] as Target
      const asked = next(target)
      const cancel = canceller(door)
      try {
        const values = await door.ask(asked, cancel)
        const problem = values === null ? '' : verifyValues(asked, values, target.affine)
        if (values === null) tally.cancelled++
        else if (problem === '') tally.right++
        else {
          tally.wrong++
          note(`${door.name} ${problem}`)
        }
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error
        tally.missing++
        note(`${door.name} ${asked.id}: ${error.message}`)
      }
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
  }

  await Promise.all(doors.map(asker))
  return tally
}
