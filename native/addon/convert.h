// The engine's errors as JavaScript's.
#pragma once

#include <napi.h>

#include "core/error.h"

namespace talweg::addon {

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
