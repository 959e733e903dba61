import type { PatternNode } from './name-pattern-syntax.ts'

export type Op = 'set' | 'split' | 'jump' | 'first' | 'last' | 'edge' | 'end'

/** A pattern as instructions; `a` and `b` are the operands of each. */
export interface Program {
  readonly ops: readonly Op[]
  readonly a: readonly number[]
  readonly b: readonly number[]
  /** Per set: 1 at the codes of its characters. */
  readonly sets: readonly Uint8Array[]
}

/** Instructions of a pattern at most. */
export const MAX_PROGRAM = 10_000

export function assemble(root: PatternNode): Program {
  const ops: Op[] = []
  const a: number[] = []
  const b: number[] = []
  const sets: Uint8Array[] = []
  const emit = (op: Op, first = 0, second = 0): number => {
    if (ops.length >= MAX_PROGRAM) throw new Error('pattern too large')
    a.push(first)
    b.push(second)
    return ops.push(op) - 1
  }

  const compile = (node: PatternNode): void => {
    switch (node.kind) {
      case 'set':
        emit('set', sets.push(node.codes) - 1)
        break
      case 'edge':
        emit('edge', node.wanted ? 1 : 0)
        break
      case 'first':
      case 'last':
        emit(node.kind)
        break
      case 'sequence':
        for (const part of node.parts) compile(part)
        break
      case 'choice':
        choice(node.parts)
        break
      case 'repeat':
        repeat(node.part, node.least, node.most)
        break
    }
  }
  const choice = (parts: readonly PatternNode[]): void => {
    const ends: number[] = []
    parts.forEach((part, i) => {
      const split = i < parts.length - 1 ? emit('split', ops.length + 1) : -1
      compile(part)
      if (split < 0) return
      ends.push(emit('jump'))
      b[split] = ops.length
    })
    for (const end of ends) a[end] = ops.length
  }
  const repeat = (part: PatternNode, least: number, most: number): void => {
    for (let i = 0; i < least; i++) compile(part)
    if (most === Number.POSITIVE_INFINITY) {
      const split = emit('split', ops.length + 1)
      compile(part)
      emit('jump', split)
      b[split] = ops.length
      return
    }
    const splits: number[] = []
    for (let i = least; i < most; i++) {
      splits.push(emit('split', ops.length + 1))
      compile(part)
    }
    for (const split of splits) b[split] = ops.length
  }

  compile(root)
  emit('end')
  return { ops, a, b, sets }
}
