import type { FlagGroup } from '../flag-types.ts'

export const SHARED_MEMORY_GROUP: FlagGroup = {
  title: 'Shared Memory',
  flags: [
    {
      name: 'allow-client-shm',
      type: 'boolean',
      default: 'false',
      effect: 'served',
      help: 'Let clients on this machine register shared memory and have tensors read and written there.',
    },
    {
      name: 'shm-trust-clients',
      type: 'boolean',
      default: 'false',
      effect: 'served',
      help: 'Map registered memory instead of copying it: faster, but a client that shrinks its memory ends this server, and one that writes while a request runs changes what was checked.',
    },
  ],
}
