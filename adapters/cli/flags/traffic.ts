import type { FlagGroup } from '../flag-types.ts'

export const TRAFFIC_GROUP: FlagGroup = {
  title: 'Traffic',
  flags: [
    {
      name: 'model-traffic',
      type: 'boolean',
      default: 'false',
      effect: 'served',
      help: 'Versions of a model may share the requests that name none: by the nereid_traffic parameter of its config and by /v2/models/MODEL/traffic.',
    },
  ],
}
