// Open MPI, opened while the program runs: neither building the engine nor training alone needs it.
//
// No mpi.h: what of Open MPI's binary interface is used is written down here. It has been the same since version 2 (its
// library is libmpi.so.40 from 3.0 on), and what is opened is checked to be Open MPI before anything else is called.
#pragma once

#include <cstddef>
#include <string>

namespace talweg::mpi {

// Handles are pointers to objects of the library's.
struct OpaqueHandle;
using Comm = OpaqueHandle*;
using Datatype = OpaqueHandle*;
using ErrorHandler = OpaqueHandle*;
using Request = OpaqueHandle*;

struct Status {
  int source, tag, error;
  int cancelled;
  std::size_t sizeBytes;
};

constexpr int success = 0;
constexpr int undefined = -32766;
constexpr int threadFunneled = 1;
constexpr int longestError = 256;
constexpr int longestVersion = 256;

// The library's functions, looked up by name.
struct Library {
  // Throws EngineError MPI_UNAVAILABLE: not installed, or another MPI.
  static const Library& open();

  // Throws EngineError WORKER_LOST where `code` is an error.
  void check(int code, const char* call) const;

  Comm world;
  Datatype byte;
  ErrorHandler errorsReturn;
  std::string version;

  int (*initialized)(int* flag);
  int (*initThread)(int* argc, char*** argv, int required, int* provided);
  int (*finalize)();
  int (*commRank)(Comm, int*);
  int (*commSize)(Comm, int*);
  int (*commSetErrorHandler)(Comm, ErrorHandler);
  int (*errorString)(int code, char* text, int* length);
  int (*isend)(const void*, int count, Datatype, int to, int tag, Comm, Request*);
  int (*irecv)(void*, int count, Datatype, int from, int tag, Comm, Request*);
  int (*testSome)(int count, Request*, int* numDone, int* indices, Status*);
  int (*iprobe)(int from, int tag, Comm, int* flag, Status*);
  int (*typeHindexed)(int count, const int* lengths, const std::ptrdiff_t* addresses, Datatype, Datatype*);
  int (*typeCommit)(Datatype*);
  int (*typeFree)(Datatype*);
};

constexpr int anySource = -1;
constexpr int anyTag = -1;

}  // namespace talweg::mpi
