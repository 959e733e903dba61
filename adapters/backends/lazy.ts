import type { Backend, BackendModel, ModelSource } from '../../core/backend/types.ts'

/** What is known of a backend without its code. */
export interface LazyBackendOptions extends Omit<Backend, 'load' | 'close'> {
  /** Called with the first model; where it rejects, the next model tries again. */
  open(): Promise<Backend>
}

/** A backend whose code is read when the first model needs it: a start pays for what its models use. */
export function lazyBackend({ open, ...known }: LazyBackendOptions): Backend {
  let opened: Promise<Backend> | null = null
  let closed = false

  async function backend(): Promise<Backend> {
    opened ??= open()
    const opening = opened
    try {
      return await opening
    } catch (error) {
      if (opened === opening) opened = null
      throw error
    }
  }

  return {
    ...known,
    async load(source: ModelSource, signal?: AbortSignal): Promise<BackendModel> {
      if (closed) throw new Error(`the ${known.name} backend is closed`)
      return (await backend()).load(source, signal)
    },
    async close(): Promise<void> {
      closed = true
      // What never opened has nothing to close.
      const there = await opened?.catch(() => null)
      await there?.close?.()
    },
  }
}
