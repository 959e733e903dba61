/** Something with output to send. */
export interface Turn {
  turn(): void
}

/** Sends what was made outside of reads once per turn of the event loop, so that many connections' writes leave in a row. */
export class TurnEnd {
  #waiting: Turn[] = []
  readonly #run: () => void

  constructor() {
    this.#run = () => {
      const waiting = this.#waiting
      this.#waiting = []
      for (let i = 0; i < waiting.length; i++) (waiting[i] as Turn).turn()
    }
  }

  /** `turn` must not be added again before it ran. */
  add(turn: Turn): void {
    if (this.#waiting.push(turn) === 1) setImmediate(this.#run)
  }
}
