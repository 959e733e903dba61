import type { FlagGroup } from '../flag-types.ts'

export const OVERLOAD_GROUP: FlagGroup = {
  title: 'Overload',
  flags: [
    {
      name: 'max-inflight',
      type: 'integer',
      default: '4096',
      min: 0,
      effect: 'served',
      help: 'Most inference requests in flight; more are refused with 503 (UNAVAILABLE). 0 is any number.',
    },
    {
      name: 'memory-budget',
      type: 'integer',
      min: 0,
      effect: 'served',
      help: 'Most bytes of request bodies in memory; 0 is any number. Default is a quarter of what the machine or the control group has.',
    },
    {
      name: 'overload-lag-ms',
      type: 'integer',
      default: '250',
      min: 0,
      effect: 'served',
      help: 'Refuse new inference while the event loop is so many milliseconds late (median over a second). 0 is never.',
    },
    {
      name: 'overload-close-percent',
      type: 'float',
      default: '95',
      min: 0,
      max: 100,
      effect: 'served',
      help: 'Close HTTP connections after their answers while resident memory is so many percent of the limit. 0 is never.',
    },
    {
      name: 'overload-refuse-percent',
      type: 'float',
      default: '98',
      min: 0,
      max: 100,
      effect: 'served',
      help: 'Refuse everything but health while resident memory is so many percent of the limit. 0 is never.',
    },
    {
      name: 'drain-delay-secs',
      type: 'float',
      default: '0',
      min: 0,
      max: 3600,
      effect: 'served',
      help: 'Seconds between SIGTERM, when the server says that it is not ready, and the moment it stops accepting work. They come before --exit-timeout-secs.',
    },
  ],
}
