import type { FlagGroup } from '../flag-types.ts'

export const ON_DEMAND_GROUP: FlagGroup = {
  title: 'Load on Demand',
  flags: [
    {
      name: 'load-on-demand',
      type: 'boolean',
      default: 'false',
      effect: 'served',
      help: 'Load models at their first request instead of at start. Only with --model-control-mode=none.',
    },
    {
      name: 'model-memory-budget',
      type: 'integer',
      default: '0',
      min: 0,
      effect: 'served',
      help: 'Bytes that loaded models may take; those used longest ago make room. A model counts for the files of its versions, or for the nereid_memory_bytes parameter of its config. 0 is any number.',
    },
    {
      name: 'pin-model',
      type: 'string',
      repeatable: true,
      effect: 'served',
      help: 'A model that is loaded at start and never unloaded to make room.',
    },
  ],
}
