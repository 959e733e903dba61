// A stand-in for libnrt on a machine without a Neuron device: the functions of nrt.h that the binding uses, with their checks.
// What a caller must never do (use or free something twice, free what an execution or a set still uses, leave something
// behind at nrt_close) ends the process with a text; what may happen to anybody is an NRT_STATUS. A "NEFF" is a text:
//   NEFFSTANDIN <version> / op <name> <argument> / cores <n> / input|output <name> <dtype> <item bytes> <dims> <dim>…
// Handles are numbers that are never used again, so a stale one is always found out.
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SUCCESS = 0, FAILURE = 1, INVALID = 2, RESOURCE = 4, NOT_ENOUGH_NC = 9, BAD_VERSION = 10, UNINITIALIZED = 13, CLOSED = 14, BAD_INPUT = 1002 };
enum { MAX_IO = 16, MAX_DIMS = 8, MAX_CORES = 32, NAME = 256, MAX_OBJECTS = 1 << 24 };
enum { INF1 = 1, DEVICE = 0, VIRTUAL = 2 };
#define BASE 0x100000000000ull

typedef enum { MODEL, TENSOR, SET, INFO } kind_t;
static const char *KINDS[] = {"model", "tensor", "tensor set", "tensor info"};

typedef struct { char name[NAME]; int usage; int dtype; size_t item, size; uint32_t ndim, shape[MAX_DIMS]; } io_t;
typedef struct {
  kind_t kind;
  int busy;     // executions or transfers in progress
  int sets;     // sets that a tensor is in
  int core, cores;
  char op[32]; long argument; io_t io[MAX_IO]; int io_count;       // model
  size_t size; uint8_t *data;                                      // tensor
  char names[MAX_IO][NAME]; uint64_t tensors[MAX_IO]; int count;   // set
} object_t;

// The public layout, as the header has it.
typedef struct { char name[NAME]; int usage; size_t size; int dtype; uint32_t *shape; uint32_t ndim; } nrt_tensor_info_t;
typedef struct { uint64_t tensor_count; nrt_tensor_info_t tensor_array[]; } nrt_tensor_info_array_t;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t core_locks[MAX_CORES];
static object_t **table;
static uint64_t next_id = 1, capacity, live[4], used[MAX_CORES];
static int state; // 0 before, 1 initialised, 2 closed

static void die(const char *call, const char *text) {
  fprintf(stderr, "neuron stand-in: %s: %s\n", call, text);
  fflush(stderr);
  abort();
}
static long setting(const char *name, long fallback) {
  const char *text = getenv(name);
  return text ? atol(text) : fallback;
}
static int core_count(void) { return (int)setting("STANDIN_CORES", 2); }
static int not_running(void) { return state == 0 ? UNINITIALIZED : CLOSED; }

static uint64_t add(object_t *object) {
  if (next_id >= MAX_OBJECTS) die("stand-in", "too many objects");
  if (next_id >= capacity) {
    capacity = capacity ? capacity * 2 : 1024;
    table = realloc(table, capacity * sizeof *table);
  }
  table[next_id] = object;
  live[object->kind]++;
  return BASE + 16 * next_id++;
}
static object_t *find(const char *call, const void *handle, kind_t kind) {
  uint64_t at = (uint64_t)handle;
  char text[128];
  if (at <= BASE || (at - BASE) % 16 || (at - BASE) / 16 >= next_id) {
    snprintf(text, sizeof text, "%p never was a %s", handle, KINDS[kind]);
    die(call, text);
  }
  object_t *object = table[(at - BASE) / 16];
  if (!object) {
    snprintf(text, sizeof text, "a %s that was freed is used", KINDS[kind]);
    die(call, text);
  }
  if (object->kind != kind) die(call, "a handle of another kind");
  return object;
}
static void drop(const char *call, const void *handle, kind_t kind) {
  object_t *object = find(call, handle, kind);
  if (object->busy) die(call, "freed while it is in use");
  if (object->sets) die(call, "a tensor is freed before the set that it is in");
  live[kind]--;
  table[((uint64_t)handle - BASE) / 16] = NULL;
  free(object->data);
  free(object);
}

int nrt_get_visible_vnc_count(uint32_t *count) {
  if (!count) return INVALID;
  if (core_count() == 0) return FAILURE;
  *count = (uint32_t)core_count();
  return SUCCESS;
}
int nrt_get_version(void *version, size_t size) {
  uint64_t numbers[28] = {2, 27, 23, 0};
  if (size > sizeof numbers) return INVALID;
  memcpy(version, numbers, size);
  return SUCCESS;
}
int nrt_get_instance_info(uint32_t *info, size_t size) {
  if (size != 32) return INVALID;
  memset(info, 0, size);
  info[0] = (uint32_t)setting("STANDIN_FAMILY", 4);
  return SUCCESS;
}
int nrt_init(int framework, const char *fw_version, const char *fal_version) {
  if (framework != 1 || !fw_version || !fal_version) return INVALID;
  if (setting("STANDIN_INIT_STATUS", 0)) return (int)setting("STANDIN_INIT_STATUS", 0);
  pthread_mutex_lock(&lock);
  if (state == 1) die("nrt_init", "called twice");
  state = 1;
  for (int i = 0; i < MAX_CORES; i++) pthread_mutex_init(&core_locks[i], NULL);
  pthread_mutex_unlock(&lock);
  return SUCCESS;
}
void nrt_close(void) {
  pthread_mutex_lock(&lock);
  if (state != 1) die("nrt_close", "the runtime is not open");
  for (int kind = 0; kind < 4; kind++) {
    char text[64];
    snprintf(text, sizeof text, "%llu of kind %s left behind", (unsigned long long)live[kind], KINDS[kind]);
    if (live[kind]) die("nrt_close", text);
  }
  state = 2;
  pthread_mutex_unlock(&lock);
}

static int parse(char *text, object_t *model) {
  int version = 0;
  char *rest, *line = strtok_r(text, "\n", &rest);
  if (!line || sscanf(line, "NEFFSTANDIN %d", &version) != 1) return INVALID;
  if (version != 1) return BAD_VERSION;
  model->cores = 1;
  while ((line = strtok_r(NULL, "\n", &rest))) {
    char word[16];
    int at = 0;
    if (sscanf(line, "%15s %n", word, &at) != 1) return INVALID;
    if (!strcmp(word, "op")) sscanf(line + at, "%31s %ld", model->op, &model->argument);
    else if (!strcmp(word, "cores")) sscanf(line + at, "%d", &model->cores);
    else {
      if (model->io_count == MAX_IO) return INVALID;
      io_t *io = &model->io[model->io_count++];
      int moved = 0;
      if (sscanf(line + at, "%255s %d %zu %u %n", io->name, &io->dtype, &io->item, &io->ndim, &moved) != 4) return INVALID;
      if (io->ndim > MAX_DIMS) return INVALID;
      io->usage = strcmp(word, "input") != 0;
      io->size = io->item;
      const char *dims = line + at + moved;
      for (uint32_t i = 0; i < io->ndim; i++) {
        io->shape[i] = (uint32_t)strtoul(dims, (char **)&dims, 10);
        io->size *= io->shape[i];
      }
    }
  }
  return SUCCESS;
}
int nrt_load(const void *bytes, size_t size, int32_t core, int32_t count, void **model) {
  if (state != 1) return not_running();
  if (count != -1) die("nrt_load", "vnc_count is -1");
  if (!bytes || !size || !model || core < -1) return INVALID;
  char *text = malloc(size + 1);
  memcpy(text, bytes, size);
  text[size] = 0;
  object_t *made = calloc(1, sizeof *made);
  made->kind = MODEL;
  usleep(1000);
  int status = parse(text, made);
  // The caller may not touch the file before the call has ended.
  if (status == SUCCESS && memcmp(bytes, "NEFFSTANDIN", 11)) die("nrt_load", "the file changed while it was read");
  free(text);
  made->core = core < 0 ? 0 : core;
  if (status == SUCCESS && made->core + made->cores > core_count()) status = NOT_ENOUGH_NC;
  if (status != SUCCESS) {
    free(made);
    return status;
  }
  pthread_mutex_lock(&lock);
  *model = (void *)add(made);
  pthread_mutex_unlock(&lock);
  return SUCCESS;
}
int nrt_unload(void *model) {
  pthread_mutex_lock(&lock);
  if (state != 1) die("nrt_unload", "the runtime is not open");
  drop("nrt_unload", model, MODEL);
  pthread_mutex_unlock(&lock);
  return SUCCESS;
}
int nrt_get_model_vnc_count(const void *model, uint32_t *count) {
  pthread_mutex_lock(&lock);
  *count = (uint32_t)find("nrt_get_model_vnc_count", model, MODEL)->cores;
  pthread_mutex_unlock(&lock);
  return SUCCESS;
}

static struct { nrt_tensor_info_array_t *array; } infos[64];
int nrt_get_model_tensor_info(void *handle, nrt_tensor_info_array_t **result) {
  pthread_mutex_lock(&lock);
  object_t *model = find("nrt_get_model_tensor_info", handle, MODEL);
  nrt_tensor_info_array_t *array = calloc(1, sizeof *array + (size_t)model->io_count * sizeof(nrt_tensor_info_t));
  array->tensor_count = (uint64_t)model->io_count;
  for (int i = 0; i < model->io_count; i++) {
    io_t *io = &model->io[i];
    nrt_tensor_info_t *info = &array->tensor_array[i];
    memcpy(info->name, io->name, NAME);
    info->usage = io->usage;
    info->size = io->size;
    info->dtype = io->dtype;
    info->ndim = io->ndim;
    info->shape = malloc(sizeof(uint32_t) * MAX_DIMS);
    memcpy(info->shape, io->shape, sizeof(uint32_t) * MAX_DIMS);
  }
  int at = 0;
  while (at < 64 && infos[at].array) at++;
  if (at == 64) die("nrt_get_model_tensor_info", "infos are not freed");
  infos[at].array = *result = array;
  live[INFO]++;
  pthread_mutex_unlock(&lock);
  return SUCCESS;
}
int nrt_free_model_tensor_info(nrt_tensor_info_array_t *array) {
  pthread_mutex_lock(&lock);
  int at = 0;
  while (at < 64 && infos[at].array != array) at++;
  if (!array || at == 64) die("nrt_free_model_tensor_info", "freed twice");
  infos[at].array = NULL;
  live[INFO]--;
  for (uint64_t i = 0; i < array->tensor_count; i++) free(array->tensor_array[i].shape);
  // Whoever reads on after the free shall not find what was there.
  memset(array, 0xee, sizeof *array + array->tensor_count * sizeof(nrt_tensor_info_t));
  free(array);
  pthread_mutex_unlock(&lock);
  return SUCCESS;
}

int nrt_tensor_allocate(int placement, int core, size_t size, const char *name, void **tensor) {
  if (state != 1) return not_running();
  if (!tensor || !name || !size || core < 0 || core >= core_count()) return INVALID;
  if (placement != (setting("STANDIN_FAMILY", 4) == INF1 ? VIRTUAL : DEVICE)) return INVALID;
  pthread_mutex_lock(&lock);
  if (used[core] + size > (uint64_t)setting("STANDIN_MEMORY", 1 << 30)) {
    pthread_mutex_unlock(&lock);
    return RESOURCE;
  }
  object_t *made = calloc(1, sizeof *made);
  made->kind = TENSOR;
  made->core = core;
  made->size = size;
  made->data = malloc(size);
  memset(made->data, 0x7f, size);
  used[core] += size;
  *tensor = (void *)add(made);
  pthread_mutex_unlock(&lock);
  return SUCCESS;
}
void nrt_tensor_free(void **tensor) {
  pthread_mutex_lock(&lock);
  object_t *object = find("nrt_tensor_free", *tensor, TENSOR);
  used[object->core] -= object->size;
  drop("nrt_tensor_free", *tensor, TENSOR);
  *tensor = NULL;
  pthread_mutex_unlock(&lock);
}
static int transfer(const char *call, const void *handle, void *memory, size_t offset, size_t size, bool write) {
  pthread_mutex_lock(&lock);
  object_t *tensor = find(call, handle, TENSOR);
  if (tensor->busy) die(call, "a tensor is moved while something else uses it");
  int status = memory && size && offset + size <= tensor->size ? SUCCESS : INVALID;
  tensor->busy++;
  pthread_mutex_unlock(&lock);
  if (status == SUCCESS && write) memcpy(tensor->data + offset, memory, size);
  if (status == SUCCESS && !write) memcpy(memory, tensor->data + offset, size);
  pthread_mutex_lock(&lock);
  tensor->busy--;
  pthread_mutex_unlock(&lock);
  return status;
}
int nrt_tensor_write(void *tensor, const void *from, size_t offset, size_t size) {
  return transfer("nrt_tensor_write", tensor, (void *)from, offset, size, true);
}
int nrt_tensor_read(const void *tensor, void *to, size_t offset, size_t size) {
  return transfer("nrt_tensor_read", tensor, to, offset, size, false);
}

int nrt_allocate_tensor_set(void **set) {
  if (state != 1) return not_running();
  object_t *made = calloc(1, sizeof *made);
  made->kind = SET;
  pthread_mutex_lock(&lock);
  *set = (void *)add(made);
  pthread_mutex_unlock(&lock);
  return SUCCESS;
}
void nrt_destroy_tensor_set(void **handle) {
  pthread_mutex_lock(&lock);
  object_t *set = find("nrt_destroy_tensor_set", *handle, SET);
  for (int i = 0; i < set->count; i++) find("nrt_destroy_tensor_set", (void *)set->tensors[i], TENSOR)->sets--;
  drop("nrt_destroy_tensor_set", *handle, SET);
  *handle = NULL;
  pthread_mutex_unlock(&lock);
}
int nrt_add_tensor_to_tensor_set(void *handle, const char *name, void *tensor) {
  pthread_mutex_lock(&lock);
  object_t *set = find("nrt_add_tensor_to_tensor_set", handle, SET);
  if (set->busy) die("nrt_add_tensor_to_tensor_set", "a set is changed during an execution");
  find("nrt_add_tensor_to_tensor_set", tensor, TENSOR)->sets++;
  if (set->count == MAX_IO) die("nrt_add_tensor_to_tensor_set", "too many tensors");
  snprintf(set->names[set->count], NAME, "%s", name);
  set->tensors[set->count++] = (uint64_t)tensor;
  pthread_mutex_unlock(&lock);
  return SUCCESS;
}

// The tensor of an input or output in its set; NULL where there is none that fits.
static object_t *member(object_t *set, const io_t *io, int core) {
  for (int i = 0; i < set->count; i++) {
    if (strcmp(set->names[i], io->name)) continue;
    object_t *tensor = find("nrt_execute", (void *)set->tensors[i], TENSOR);
    return tensor->size == io->size && tensor->core == core ? tensor : NULL;
  }
  return NULL;
}
static int compute(object_t *model, object_t **tensors) {
  object_t *in[MAX_IO], *out[MAX_IO];
  int ins = 0, outs = 0;
  for (int i = 0; i < model->io_count; i++) {
    if (model->io[i].usage) out[outs++] = tensors[i];
    else in[ins++] = tensors[i];
  }
  if (!strcmp(model->op, "fail")) return (int)model->argument;
  if (!strcmp(model->op, "sleep")) usleep((useconds_t)(model->argument * 1000));
  if (!strcmp(model->op, "addsub")) {
    const float *a = (float *)in[0]->data, *b = (float *)in[1]->data;
    for (size_t i = 0; i < in[0]->size / sizeof(float); i++) {
      ((float *)out[0]->data)[i] = a[i] + b[i];
      ((float *)out[1]->data)[i] = a[i] - b[i];
    }
    return SUCCESS;
  }
  if (!strcmp(model->op, "double")) {
    for (size_t i = 0; i < in[0]->size / sizeof(float); i++) ((float *)out[0]->data)[i] = 2 * ((float *)in[0]->data)[i];
    return SUCCESS;
  }
  // Sum of all elements of all rows: tells what lies in rows that are not of the batch.
  if (!strcmp(model->op, "total")) {
    float sum = 0;
    for (size_t i = 0; i < in[0]->size / sizeof(float); i++) sum += ((float *)in[0]->data)[i];
    for (size_t i = 0; i < out[0]->size / sizeof(float); i++) ((float *)out[0]->data)[i] = sum;
    return SUCCESS;
  }
  memcpy(out[0]->data, in[0]->data, out[0]->size);
  return SUCCESS;
}
int nrt_execute(void *handle, const void *input_set, void *output_set) {
  if (state != 1) die("nrt_execute", "the runtime is not open");
  object_t *tensors[MAX_IO];
  int status = SUCCESS;
  pthread_mutex_lock(&lock);
  object_t *model = find("nrt_execute", handle, MODEL);
  object_t *inputs = find("nrt_execute", input_set, SET), *outputs = find("nrt_execute", output_set, SET);
  for (int i = 0; i < model->io_count; i++) {
    tensors[i] = member(model->io[i].usage ? outputs : inputs, &model->io[i], model->core);
    if (!tensors[i]) status = BAD_INPUT;
    else if (tensors[i]->busy) die("nrt_execute", "a tensor is in use already");
  }
  if (status != SUCCESS) {
    pthread_mutex_unlock(&lock);
    return status;
  }
  model->busy++, inputs->busy++, outputs->busy++;
  for (int i = 0; i < model->io_count; i++) tensors[i]->busy++;
  pthread_mutex_unlock(&lock);
  pthread_mutex_lock(&core_locks[model->core]);
  status = compute(model, tensors);
  pthread_mutex_unlock(&core_locks[model->core]);
  pthread_mutex_lock(&lock);
  model->busy--, inputs->busy--, outputs->busy--;
  for (int i = 0; i < model->io_count; i++) tensors[i]->busy--;
  pthread_mutex_unlock(&lock);
  return status;
}

int nrt_get_vnc_memory_stats(uint32_t core, size_t *stats, size_t size, size_t *written) {
  if (core >= (uint32_t)core_count() || size != 16) return INVALID;
  pthread_mutex_lock(&lock);
  stats[0] = used[core];
  stats[1] = (size_t)setting("STANDIN_MEMORY", 1 << 30);
  *written = 16;
  pthread_mutex_unlock(&lock);
  return SUCCESS;
}
