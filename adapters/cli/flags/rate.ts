import type { FlagGroup } from '../flag-types.ts'
import { rateResource } from '../flag-values.ts'

export const RATE_GROUP: FlagGroup = {
  title: 'Rate Limiter',
  flags: [
    {
      name: 'rate-limit',
      type: 'choice',
      choices: ['off', 'execution_count'],
      value: 'string',
      default: 'off',
      effect: 'served',
      help: 'execution_count runs instances by turns and only while the resources of their rate_limiter are free; off ignores it.',
    },
    {
      name: 'rate-limit-resource',
      type: 'string',
      value: '<string>:<integer>:<integer>',
      repeatable: true,
      check: (value) => void rateResource(value),
      effect: 'served',
      help: 'A resource, how much of it there is, and on which device (default: on each). Without any, there is as much as the instance that needs most of it.',
    },
  ],
}
