export interface ActionOptions {
  /** The figure from which on it is in force; 0 = never. */
  readonly from: number
  /** It ends below this one: in between it stays as it is, so that it does not flap. */
  readonly below: number
  begin(value: number): void
  end(value: number): void
}

/** Something that is done while a figure is too high. */
export class Action {
  #active = false
  readonly #options: ActionOptions

  constructor(options: ActionOptions) {
    this.#options = options
  }

  update(value: number): void {
    const { from, below } = this.#options
    if (from === 0) return
    if (!this.#active && value >= from) {
      this.#active = true
      this.#options.begin(value)
    } else if (this.#active && value < below) {
      this.#active = false
      this.#options.end(value)
    }
  }
}
