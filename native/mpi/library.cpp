#include "mpi/library.h"

#include <dlfcn.h>

#include "core/error.h"

namespace talweg::mpi {
namespace {

constexpr const char* howToInstall =
    "install Open MPI on every host: apt-get install -y openmpi-bin (Debian, Ubuntu), dnf install -y openmpi (Fedora), "
    "brew install open-mpi (macOS)";

#if defined(__APPLE__)
constexpr const char* names[] = {"libmpi.40.dylib", "libmpi.dylib", "/opt/homebrew/lib/libmpi.40.dylib",
                                 "/usr/local/lib/libmpi.40.dylib"};
#else
constexpr const char* names[] = {"libmpi.so.40", "/usr/lib64/openmpi/lib/libmpi.so.40", "libmpi.so"};
#endif

[[noreturn]] void refuse(const std::string& problem) {
  throw EngineError("MPI_UNAVAILABLE", problem + "; " + howToInstall);
}

// Its plug-ins look for its symbols among those of the whole process.
void* openLibrary() {
  std::string problem;
  for (const char* name : names) {
    if (void* handle = dlopen(name, RTLD_NOW | RTLD_GLOBAL)) return handle;
    if (problem.empty()) problem = dlerror();
  }
  refuse("MPI can't be opened (" + problem + ")");
}

template <class Pointer>
void find(void* handle, const char* name, Pointer& pointer) {
  void* symbol = dlsym(handle, name);
  if (symbol == nullptr) refuse(std::string("the MPI found here has no ") + name + ", so it is not Open MPI");
  pointer = reinterpret_cast<Pointer>(symbol);
}

std::string versionOf(void* handle) {
  int (*getVersion)(char*, int*);
  find(handle, "MPI_Get_library_version", getVersion);
  // MPICH writes up to 8 KiB.
  std::string text(8192 + longestVersion, '\0');
  int length = 0;
  if (getVersion(text.data(), &length) != success) refuse("the MPI found here doesn't say what it is");
  return text.substr(0, text.find_first_of(",\n\0", 0, 3));
}

Library load() {
  void* handle = openLibrary();
  Library library;
  library.version = versionOf(handle);
  if (library.version.rfind("Open MPI", 0) != 0) refuse("the MPI found here is " + library.version + ", not Open MPI");
  find(handle, "ompi_mpi_comm_world", library.world);
  find(handle, "ompi_mpi_byte", library.byte);
  find(handle, "ompi_mpi_errors_return", library.errorsReturn);
  find(handle, "MPI_Initialized", library.initialized);
  find(handle, "MPI_Init_thread", library.initThread);
  find(handle, "MPI_Finalize", library.finalize);
  find(handle, "MPI_Comm_rank", library.commRank);
  find(handle, "MPI_Comm_size", library.commSize);
  find(handle, "MPI_Comm_set_errhandler", library.commSetErrorHandler);
  find(handle, "MPI_Error_string", library.errorString);
  find(handle, "MPI_Isend", library.isend);
  find(handle, "MPI_Irecv", library.irecv);
  find(handle, "MPI_Testsome", library.testSome);
  find(handle, "MPI_Iprobe", library.iprobe);
  find(handle, "MPI_Type_create_hindexed", library.typeHindexed);
  find(handle, "MPI_Type_commit", library.typeCommit);
  find(handle, "MPI_Type_free", library.typeFree);
  return library;
}

}  // namespace

const Library& Library::open() {
  static const Library library = load();
  return library;
}

void Library::check(int code, const char* call) const {
  if (code == success) return;
  char text[longestError] = {};
  int length = 0;
  if (errorString(code, text, &length) != success) length = 0;
  throw EngineError("WORKER_LOST",
                    std::string(call) + " failed: " + std::string(text, static_cast<std::size_t>(length)));
}

}  // namespace talweg::mpi
