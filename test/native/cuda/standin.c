/*
 * The functions of the CUDA driver (and of its runtime, for clients) that shared memory on GPUs takes, with two devices that
 * do not exist. Symbols, layouts and results are those of the public cuda.h and driver_types.h. A device's memory is a file in
 * $CUDA_STANDIN_MEMORY that every process may open; its addresses are none of the host's, so that nobody can touch it but by
 * copies. It fails every call that the driver would fail: before cuInit, without a context, outside of an allocation, closed twice.
 * Environment: CUDA_STANDIN_FAIL=<result> fails cuInit; CUDA_STANDIN_CALLS=<file> gets a line for each handle opened or closed, and
 * one for each context that a thread keeps.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
  SUCCESS = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NOT_INITIALIZED = 3, INVALID_DEVICE = 101, INVALID_CONTEXT = 201,
  MAP_FAILED_ = 205, PEER_ACCESS_UNSUPPORTED = 217
};
enum { DEVICES = 2, REGIONS = 256, STACK = 8 };
static const char MAGIC[] = "standin";

typedef struct { char reserved[64]; } Handle;
struct facts { char magic[8]; int32_t device, process; uint64_t bytes; char name[32]; };
struct region { uint64_t at, bytes; void *host; int device, users, owned; char name[32]; };

static int initialized, contexts[DEVICES], depth, current_device, counter;
static uint64_t stack[STACK];
static struct region regions[REGIONS];
static const char *NAMES[] = { "a", "b" };

static void note(const char *what, const char *name) {
  const char *path = getenv("CUDA_STANDIN_CALLS");
  FILE *file = path == NULL ? NULL : fopen(path, "a");
  if (file == NULL) return;
  fprintf(file, "%s %s\n", what, name);
  fclose(file);
}

static uint64_t context_of(int device) { return 0x5000 + device; }
static int device_now(void) {
  if (depth == 0) return -1;
  int device = (int)(stack[depth - 1] - 0x5000);
  return contexts[device] > 0 ? device : -1;
}

static struct region *find(uint64_t at, uint64_t bytes) {
  for (int i = 0; i < REGIONS; i++) {
    struct region *one = &regions[i];
    if (one->bytes > 0 && at >= one->at && at - one->at <= one->bytes && bytes <= one->bytes - (at - one->at)) return one;
  }
  return NULL;
}

static struct region *map(const char *name, uint64_t bytes, int device, int create) {
  char path[512];
  const char *folder = getenv("CUDA_STANDIN_MEMORY");
  struct region *free_ = NULL;
  int at = 0;
  for (; at < REGIONS; at++) if (regions[at].bytes == 0) { free_ = &regions[at]; break; }
  if (folder == NULL || free_ == NULL) return NULL;
  snprintf(path, sizeof path, "%s/%s", folder, name);
  int fd = open(path, create ? O_RDWR | O_CREAT | O_EXCL : O_RDWR, 0600);
  if (fd < 0) return NULL;
  struct stat found;
  if ((create && ftruncate(fd, (off_t)bytes) != 0) || fstat(fd, &found) != 0 || (uint64_t)found.st_size != bytes) {
    close(fd);
    return NULL;
  }
  void *host = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (host == MAP_FAILED) return NULL;
  /* In no process are these addresses: who reads them without a copy is ended. */
  *free_ = (struct region){ .at = 0x10000000000ull * (at + 1) + 0x200000, .bytes = bytes, .host = host, .device = device, .users = 1, .owned = create };
  snprintf(free_->name, sizeof free_->name, "%s", name);
  return free_;
}

static void unmap(struct region *region) {
  munmap(region->host, region->bytes);
  region->bytes = 0;
}

int cuInit(unsigned flags) {
  const char *fail = getenv("CUDA_STANDIN_FAIL");
  if (fail != NULL) return atoi(fail);
  if (flags != 0) return INVALID_VALUE;
  initialized = 1;
  return SUCCESS;
}

int cuGetErrorName(int result, const char **name) {
  switch (result) {
    case SUCCESS: *name = "CUDA_SUCCESS"; break;
    case INVALID_VALUE: *name = "CUDA_ERROR_INVALID_VALUE"; break;
    case OUT_OF_MEMORY: *name = "CUDA_ERROR_OUT_OF_MEMORY"; break;
    case NOT_INITIALIZED: *name = "CUDA_ERROR_NOT_INITIALIZED"; break;
    case INVALID_DEVICE: *name = "CUDA_ERROR_INVALID_DEVICE"; break;
    case INVALID_CONTEXT: *name = "CUDA_ERROR_INVALID_CONTEXT"; break;
    case MAP_FAILED_: *name = "CUDA_ERROR_MAP_FAILED"; break;
    case PEER_ACCESS_UNSUPPORTED: *name = "CUDA_ERROR_PEER_ACCESS_UNSUPPORTED"; break;
    default: return INVALID_VALUE;
  }
  return SUCCESS;
}

int cuDeviceGet(int *device, int ordinal) {
  if (!initialized) return NOT_INITIALIZED;
  if (device == NULL) return INVALID_VALUE;
  if (ordinal < 0 || ordinal >= DEVICES) return INVALID_DEVICE;
  *device = ordinal;
  return SUCCESS;
}

int cuDevicePrimaryCtxRetain(uint64_t *context, int device) {
  if (!initialized) return NOT_INITIALIZED;
  if (device < 0 || device >= DEVICES) return INVALID_DEVICE;
  contexts[device]++;
  note("retain", NAMES[device]);
  *context = context_of(device);
  return SUCCESS;
}

int cuDevicePrimaryCtxRelease_v2(int device) {
  if (!initialized) return NOT_INITIALIZED;
  if (device < 0 || device >= DEVICES) return INVALID_DEVICE;
  if (contexts[device] == 0) return INVALID_CONTEXT;
  contexts[device]--;
  note("release", NAMES[device]);
  return SUCCESS;
}

int cuCtxPushCurrent_v2(uint64_t context) {
  if (!initialized) return NOT_INITIALIZED;
  if (context < 0x5000 || context >= 0x5000 + DEVICES || contexts[context - 0x5000] == 0) return INVALID_CONTEXT;
  if (depth == STACK) { note("kept", "context"); return INVALID_VALUE; }
  stack[depth++] = context;
  return SUCCESS;
}

int cuCtxPopCurrent_v2(uint64_t *context) {
  if (!initialized) return NOT_INITIALIZED;
  if (depth == 0) return INVALID_CONTEXT;
  uint64_t popped = stack[--depth];
  if (context != NULL) *context = popped;
  return SUCCESS;
}

int cuIpcOpenMemHandle_v2(uint64_t *at, Handle handle, unsigned flags) {
  struct facts facts;
  memcpy(&facts, &handle, sizeof facts);
  if (!initialized) return NOT_INITIALIZED;
  if (device_now() < 0) return INVALID_CONTEXT;
  if (at == NULL || flags != 1 || memcmp(facts.magic, MAGIC, sizeof MAGIC) != 0) return INVALID_VALUE;
  for (size_t i = sizeof facts; i < sizeof handle; i++) if (handle.reserved[i] != (char)i) return INVALID_VALUE;
  /* A process does not open what is its own. */
  if (facts.process == getpid()) return INVALID_CONTEXT;
  if (facts.device != device_now()) return PEER_ACCESS_UNSUPPORTED;
  facts.name[sizeof facts.name - 1] = '\0';
  for (int i = 0; i < REGIONS; i++) {
    if (regions[i].bytes > 0 && strcmp(regions[i].name, facts.name) == 0) {
      regions[i].users++;
      note("open", facts.name);
      *at = regions[i].at;
      return SUCCESS;
    }
  }
  struct region *region = map(facts.name, facts.bytes, facts.device, 0);
  if (region == NULL) return MAP_FAILED_;
  note("open", facts.name);
  *at = region->at;
  return SUCCESS;
}

int cuIpcCloseMemHandle(uint64_t at) {
  if (!initialized) return NOT_INITIALIZED;
  struct region *region = find(at, 0);
  if (device_now() < 0) return INVALID_CONTEXT;
  if (region == NULL || region->at != at || region->owned || region->users == 0) return INVALID_VALUE;
  note("close", region->name);
  if (--region->users == 0) unmap(region);
  return SUCCESS;
}

int cuMemGetAddressRange_v2(uint64_t *base, size_t *bytes, uint64_t at) {
  if (!initialized) return NOT_INITIALIZED;
  if (device_now() < 0) return INVALID_CONTEXT;
  struct region *region = find(at, 0);
  if (region == NULL) return INVALID_VALUE;
  *base = region->at;
  *bytes = region->bytes;
  return SUCCESS;
}

static int copy(uint64_t device, void *host, size_t bytes, int to_device) {
  struct region *region = find(device, bytes);
  if (region == NULL || (host == NULL && bytes > 0)) return INVALID_VALUE;
  char *place = (char *)region->host + (device - region->at);
  memcpy(to_device ? place : host, to_device ? host : place, bytes);
  return SUCCESS;
}

int cuMemcpyDtoH_v2(void *host, uint64_t device, size_t bytes) {
  if (!initialized) return NOT_INITIALIZED;
  return device_now() < 0 ? INVALID_CONTEXT : copy(device, host, bytes, 0);
}

/* As with pageable memory: the bytes arrive when the stream is waited for. */
static struct { uint64_t device; void *host; size_t bytes; } pending;

int cuStreamSynchronize(uint64_t stream) {
  if (!initialized) return NOT_INITIALIZED;
  if (device_now() < 0 || stream != 0) return INVALID_CONTEXT;
  int result = pending.host == NULL ? SUCCESS : copy(pending.device, pending.host, pending.bytes, 1);
  free(pending.host);
  pending.host = NULL;
  return result;
}

int cuMemcpyHtoD_v2(uint64_t device, const void *host, size_t bytes) {
  if (!initialized) return NOT_INITIALIZED;
  if (device_now() < 0) return INVALID_CONTEXT;
  if (find(device, bytes) == NULL) return INVALID_VALUE;
  cuStreamSynchronize(0);
  pending.device = device;
  pending.bytes = bytes;
  pending.host = malloc(bytes + 1);
  memcpy(pending.host, host, bytes);
  return SUCCESS;
}

/* What a client uses of the runtime. */

int cudaSetDevice(int device) {
  if (device < 0 || device >= DEVICES) return INVALID_DEVICE;
  current_device = device;
  return SUCCESS;
}

int cudaGetDevice(int *device) { *device = current_device; return SUCCESS; }

int cudaMalloc(uint64_t *at, size_t bytes) {
  char name[32];
  snprintf(name, sizeof name, "%d-%d", (int)getpid(), counter++);
  struct region *region = bytes == 0 ? NULL : map(name, bytes, current_device, 1);
  if (region == NULL) return OUT_OF_MEMORY;
  *at = region->at;
  return SUCCESS;
}

int cudaFree(uint64_t at) {
  char path[512];
  struct region *region = find(at, 0);
  if (region == NULL || !region->owned) return INVALID_VALUE;
  snprintf(path, sizeof path, "%s/%s", getenv("CUDA_STANDIN_MEMORY"), region->name);
  unlink(path);
  unmap(region);
  return SUCCESS;
}

int cudaIpcGetMemHandle(Handle *handle, uint64_t at) {
  struct region *region = find(at, 0);
  if (region == NULL || !region->owned) return INVALID_VALUE;
  struct facts facts = { .device = region->device, .process = getpid(), .bytes = region->bytes };
  memcpy(facts.magic, MAGIC, sizeof MAGIC);
  snprintf(facts.name, sizeof facts.name, "%s", region->name);
  for (size_t i = 0; i < sizeof *handle; i++) handle->reserved[i] = (char)i;
  memcpy(handle, &facts, sizeof facts);
  return SUCCESS;
}

/* Which of the two is the device's shows in its address. */
int cudaMemcpy(uint64_t to, uint64_t from, size_t bytes) {
  if (find(to, bytes) != NULL) return copy(to, (void *)from, bytes, 1);
  return copy(from, (void *)to, bytes, 0);
}
