// The class `Communicator` of the addon, over mpi/communicator.h.
#pragma once

#include <napi.h>

#include <memory>

#include "mpi/communicator.h"

namespace talweg::addon {

void defineCommunicator(Napi::Env env, Napi::Object exports);
// What an instance of the class stands for; null for `undefined`.
std::shared_ptr<mpi::Communicator> communicatorOf(const Napi::Value& value);

}  // namespace talweg::addon
