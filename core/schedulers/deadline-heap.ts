import type { Waiting } from './waiting.ts'

/** A node of one {@link DeadlineHeap} at most. */
export interface Deadlined {
  deadlineNs: number
  /** Kept by the heap; -1 = in none. */
  heapIndex: number
}

/** Min-heap over `deadlineNs` whose nodes know their place, so that any of them leaves in O(log n). */
export class DeadlineHeap<Node extends Deadlined = Waiting> {
  readonly #nodes: Node[] = []

  get size(): number {
    return this.#nodes.length
  }

  /** The node with the earliest deadline. */
  peek(): Node | undefined {
    return this.#nodes[0]
  }

  add(node: Node): void {
    this.#nodes.push(node)
    this.#up(node, this.#nodes.length - 1)
  }

  /** Nothing happens when `node` is not in the heap. */
  remove(node: Node): void {
    const index = node.heapIndex
    if (index < 0) return
    node.heapIndex = -1
    const last = this.#nodes.pop()
    if (last === undefined || last === node) return
    this.#up(last, index)
    this.#down(last, last.heapIndex)
  }

  #up(node: Node, from: number): void {
    let index = from
    while (index > 0) {
      const above = (index - 1) >> 1
      const parent = this.#nodes[above] as Node
      if (parent.deadlineNs <= node.deadlineNs) break
      this.#put(parent, index)
      index = above
    }
    this.#put(node, index)
  }

  #down(node: Node, from: number): void {
    const nodes = this.#nodes
    let index = from
    for (;;) {
      let below = 2 * index + 1
      if (below >= nodes.length) break
      const right = below + 1
      if (right < nodes.length && earlier(nodes[right] as Node, nodes[below] as Node)) {
        below = right
      }
      if (!earlier(nodes[below] as Node, node)) break
      this.#put(nodes[below] as Node, index)
      index = below
    }
    this.#put(node, index)
  }

  #put(node: Node, index: number): void {
    this.#nodes[index] = node
    node.heapIndex = index
  }
}

function earlier(a: Deadlined, b: Deadlined): boolean {
  return a.deadlineNs < b.deadlineNs
}
