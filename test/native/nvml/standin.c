/*
 * The functions of NVML that the server uses, with two devices that do not exist. Symbols, layouts and results are those of
 * the public nvml.h. It fails every call that the real library would fail: before init, after shutdown, wrong handles.
 * Environment: NVML_STANDIN_FAIL=<result> fails init; NVML_STANDIN_CALLS=<file> gets "init" and "shutdown" lines.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int nvmlReturn_t;
enum { SUCCESS = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, INSUFFICIENT_SIZE = 7, DRIVER_NOT_LOADED = 9 };

struct device { const char *uuid; unsigned gpu; unsigned long long total, used; unsigned power, limit; int energy; };
typedef struct device *nvmlDevice_t;
typedef struct { unsigned int gpu, memory; } nvmlUtilization_t;
typedef struct { unsigned long long total, free, used; } nvmlMemory_t;

static struct device devices[2] = {
  { "GPU-11111111-2222-3333-4444-555555555555", 37, 85899345920ull, 21474836480ull, 123456, 700000, 1 },
  { "GPU-66666666-7777-8888-9999-000000000000", 0, 17179869184ull, 0, 20000, 300000, 0 },
};
static atomic_int users;
static atomic_ullong millijoules = 5000000;

static void note(const char *what) {
  const char *path = getenv("NVML_STANDIN_CALLS");
  FILE *file = path == NULL ? NULL : fopen(path, "a");
  if (file == NULL) return;
  fprintf(file, "%s\n", what);
  fclose(file);
}

static nvmlReturn_t valid(nvmlDevice_t device, const void *out) {
  if (atomic_load(&users) == 0) return UNINITIALIZED;
  if ((device != &devices[0] && device != &devices[1]) || out == NULL) return INVALID_ARGUMENT;
  return SUCCESS;
}

const char *nvmlErrorString(nvmlReturn_t result) {
  switch (result) {
    case SUCCESS: return "Success";
    case UNINITIALIZED: return "Uninitialized";
    case INVALID_ARGUMENT: return "Invalid Argument";
    case NOT_SUPPORTED: return "Not Supported";
    case INSUFFICIENT_SIZE: return "Insufficient Size";
    case DRIVER_NOT_LOADED: return "Driver Not Loaded";
    default: return "Unknown Error";
  }
}

nvmlReturn_t nvmlInit_v2(void) {
  const char *fail = getenv("NVML_STANDIN_FAIL");
  if (fail != NULL) return atoi(fail);
  atomic_fetch_add(&users, 1);
  note("init");
  return SUCCESS;
}

nvmlReturn_t nvmlShutdown(void) {
  if (atomic_load(&users) == 0) return UNINITIALIZED;
  atomic_fetch_sub(&users, 1);
  note("shutdown");
  return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int *count) {
  if (atomic_load(&users) == 0) return UNINITIALIZED;
  if (count == NULL) return INVALID_ARGUMENT;
  *count = 2;
  return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t *device) {
  if (atomic_load(&users) == 0) return UNINITIALIZED;
  if (index > 1 || device == NULL) return INVALID_ARGUMENT;
  *device = &devices[index];
  return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *uuid, unsigned int length) {
  nvmlReturn_t result = valid(device, uuid);
  if (result != SUCCESS) return result;
  if (length <= strlen(device->uuid)) return INSUFFICIENT_SIZE;
  strcpy(uuid, device->uuid);
  return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *utilization) {
  nvmlReturn_t result = valid(device, utilization);
  if (result == SUCCESS) *utilization = (nvmlUtilization_t){ device->gpu, 1 };
  return result;
}

nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory) {
  nvmlReturn_t result = valid(device, memory);
  if (result == SUCCESS) *memory = (nvmlMemory_t){ device->total, device->total - device->used, device->used };
  return result;
}

nvmlReturn_t nvmlDeviceGetPowerUsage(nvmlDevice_t device, unsigned int *power) {
  nvmlReturn_t result = valid(device, power);
  if (result == SUCCESS) *power = device->power;
  return result;
}

nvmlReturn_t nvmlDeviceGetPowerManagementLimit(nvmlDevice_t device, unsigned int *limit) {
  nvmlReturn_t result = valid(device, limit);
  if (result == SUCCESS) *limit = device->limit;
  return result;
}

nvmlReturn_t nvmlDeviceGetTotalEnergyConsumption(nvmlDevice_t device, unsigned long long *energy) {
  nvmlReturn_t result = valid(device, energy);
  if (result != SUCCESS) return result;
  if (!device->energy) return NOT_SUPPORTED;
  *energy = atomic_fetch_add(&millijoules, 2500);
  return SUCCESS;
}
