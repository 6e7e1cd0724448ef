// Chooses the table of the best target that this processor (and its operating system) can run.
#include <cstring>

#include "kernel_table.h"

namespace talweg::kernels {

#ifdef TALWEG_X86_TARGETS
namespace avx512bf16 {
const KernelTable& kernelTable();
}
namespace avx512 {
const KernelTable& kernelTable();
}
namespace avx2 {
const KernelTable& kernelTable();
}
#endif
namespace portable {
const KernelTable& kernelTable();
}

namespace {

struct Target {
  const char* name;
  bool (*canRun)();
  const KernelTable& (*table)();
};

#ifdef TALWEG_X86_TARGETS
bool hasAvx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2"); }
bool hasAvx512() {
  return hasAvx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
bool hasAvx512Bf16() { return hasAvx512() && __builtin_cpu_supports("avx512bf16"); }
#endif
bool always() { return true; }

const Target targets[] = {
#ifdef TALWEG_X86_TARGETS
    {"avx512bf16", hasAvx512Bf16, avx512bf16::kernelTable},
    {"avx512", hasAvx512, avx512::kernelTable},
    {"avx2", hasAvx2, avx2::kernelTable},
#endif
    {"portable", always, portable::kernelTable},
};
constexpr int numTargets = sizeof targets / sizeof targets[0];

}  // namespace

const KernelTable* findKernelTable(const char* name) {
  for (const Target& target : targets) {
    if (std::strcmp(target.name, name) == 0) return target.canRun() ? &target.table() : nullptr;
  }
  return nullptr;
}

const KernelTable& bestKernelTable() {
  for (const Target& target : targets) {
    if (target.canRun()) return target.table();
  }
  return portable::kernelTable();
}

const char* const* builtTargets() {
  static const char* names[numTargets + 1] = {};
  for (int i = 0; i < numTargets; i++) names[i] = targets[i].name;
  return names;
}

}  // namespace talweg::kernels
