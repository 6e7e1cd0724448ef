// The engine's errors as JavaScript's.
#pragma once

#include <napi.h>

#include "core/error.h"
#include "core/wire.h"

namespace talweg::addon {

// The memory of a typed array.
struct Span {
  char* data;
  std::size_t sizeBytes;
};
Span spanOf(const Napi::Value& value);
ByteSpan bytesOf(const Napi::Value& value);

// A JavaScript error with the engine's code.
Napi::Error toError(Napi::Env env, const std::string& code, const std::string& message);
// The error in flight, whatever it is.
Napi::Error currentError(Napi::Env env);

// Runs a callback of JavaScript's so that every exception becomes a JavaScript error.
template <class Action>
auto guarded(Napi::Env env, const Action& action) {
  try {
    return action();
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw currentError(env);
  }
}

}  // namespace talweg::addon
