import { performance } from 'node:perf_hooks'
import { DEFAULT_BUDGET_SHARE, OverloadGate } from '../../../core/overload/gate.ts'
import type { Log } from '../../../core/platform.ts'
import type { OverloadFlags } from '../../cli/options.ts'
import { startIdleCollection } from '../../overload/idle-collection.ts'
import { memoryLimit } from '../../overload/memory-limit.ts'
import { startMonitor } from '../../overload/monitor.ts'
import { createCollector } from '../../platform/collector.ts'

/** What all ports of a server ask whether there is room for another request. */
export interface Overload {
  readonly gate: OverloadGate
  /** Has `listener` close its connections when memory is short. */
  watch(listener: { closeConnections(close: boolean): void }): void
  /** Idempotent. */
  close(): void
}

/** The gate as its flags say, and the monitor that closes it. */
export function openOverload(flags: OverloadFlags, log: Log): Overload {
  const limit = memoryLimit()
  const gate = new OverloadGate({
    maxInflight: flags.maxInflight,
    memoryBudget: flags.memoryBudget ?? Math.floor(limit * DEFAULT_BUDGET_SHARE),
  })
  const listeners: { closeConnections(close: boolean): void }[] = []
  const monitor = startMonitor({
    limits: flags,
    log,
    gate,
    closeConnections: (close) => {
      for (const listener of listeners) listener.closeConnections(close)
    },
    memoryLimit: limit,
    resident: () => process.memoryUsage.rss(),
    now: () => performance.now(),
    every,
  })
  const endCollection = startIdleCollection({
    busy: () => gate.inflight > 0,
    buffers: () => process.memoryUsage().arrayBuffers,
    collect: createCollector(),
    every,
  })
  return {
    gate,
    watch: (listener) => {
      listeners.push(listener)
    },
    close() {
      monitor.close()
      endCollection()
    },
  }
}

function every(ms: number, run: () => void): () => void {
  const timer = setInterval(run, ms).unref()
  return () => clearInterval(timer)
}
