import type { Flag, FlagGroup } from '../flag-types.ts'
import { traceSetting } from '../trace-setting.ts'

export const TRACE_GROUP: FlagGroup = {
  title: 'Tracing',
  flags: [
    {
      name: 'trace-config',
      type: 'string',
      value: '<string>,<string>=<string>',
      repeatable: true,
      check: (value) => void traceSetting(value),
      effect: 'served',
      help: 'A setting of tracing: level=<OFF|TIMESTAMPS|TENSORS>, rate=<n>, count=<n>, mode=<triton|opentelemetry>; or of one mode: triton,file=<path>, triton,log-frequency=<n>, opentelemetry,url=<url>, opentelemetry,resource=<key>=<value>, opentelemetry,bsp_max_queue_size=<n>, opentelemetry,bsp_schedule_delay=<ms>, opentelemetry,bsp_max_export_batch_size=<n>.',
    },
  ],
}

const MAX_INT32 = 0x7fff_ffff
const MIN_INT32 = -0x8000_0000

const integer = (name: string, help: string): Flag => ({
  name,
  type: 'integer',
  min: MIN_INT32,
  max: MAX_INT32,
  effect: 'served',
  help,
})

/** What `--trace-config` stands in for. */
export const OLD_TRACE_FLAGS: readonly Flag[] = [
  {
    name: 'trace-file',
    type: 'string',
    effect: 'served',
    help: 'DEPRECATED: use --trace-config triton,file=<path>.',
  },
  {
    name: 'trace-level',
    type: 'string',
    repeatable: true,
    effect: 'served',
    help: 'DEPRECATED: use --trace-config level=<level>.',
  },
  integer('trace-rate', 'DEPRECATED: use --trace-config rate=<n>. Default is 1000.'),
  integer('trace-count', 'DEPRECATED: use --trace-config count=<n>. Default is -1.'),
  integer(
    'trace-log-frequency',
    'DEPRECATED: use --trace-config triton,log-frequency=<n>. Default is 0.',
  ),
]
