import type { FlagGroup } from '../flag-types.ts'

export const REMOTE_GROUP: FlagGroup = {
  title: 'Files of Models',
  flags: [
    {
      name: 'model-digest-file',
      type: 'string',
      effect: 'served',
      help: "What sha256sum wrote of the repository's files: a model of which any file is not listed there, as it is, is not loaded. It is read again when it changes; write it before the files it lists.",
    },
    {
      name: 'repository-cache-directory',
      type: 'string',
      effect: 'served',
      help: 'Where models of s3://, gs:// and https:// repositories are copied to; kept over restarts. Default: nereid/models in $XDG_CACHE_HOME or ~/.cache, or nereid in $TRITON_AWS_MOUNT_DIRECTORY.',
    },
    {
      name: 'repository-cache-size',
      type: 'integer',
      default: '0',
      min: 0,
      effect: 'served',
      help: 'Bytes that those copies may take; what was used longest ago makes room. 0 is nine tenths of what the disk has free.',
    },
  ],
}
